from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from converter.commands.serve import parse_replicas
from tests.serving.conftest import write_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("served"))


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, the address that it names, and what it said before."""
    command = [sys.executable, "-m", "converter.cli", "serve", *arguments, "--port", "0", "--batch", "4"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}
    )
    said = ""
    try:
        for line in process.stderr:
            found = re.match(r"serving (\S+), until Ctrl-C", line)
            if found:
                yield process, found[1], said
                break
            said += line
        else:
            raise AssertionError(said)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_serves_until_it_is_told_to_end(model) -> None:
    with serving(str(model), "--name", "mine", ONNX_SNN_TOKEN="from the environment") as (process, url, said):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v2/models/mine", url)
        assert said == "mine: batches of up to 4: as asked for\n"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url)
        request = urllib.request.Request(url, headers={"Authorization": "Bearer from the environment"})
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["name"] == "mine"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--engine", "k8s"], 2, "must be local or ray"),
        (["--replicas", "4"], 2, "replicas are those of --engine ray"),
        (["--token", ""], 2, "it is empty"),
        (["--steps", "0"], 1, "at least 1"),
        (["--steps", "9", "--max-steps", "8"], 1, "--steps 9 are more than --max-steps 8"),
    ],
)
def test_refused(command, model, arguments, code, words) -> None:
    result = command("serve", model, *arguments)
    assert result.code == code
    assert words in result.err


@pytest.mark.parametrize("token", [(), ("--token", "t")])
def test_whoever_may_be_reached_by_others_is_told_of_the_token(command, model, token) -> None:
    result = command("serve", model, "--host", "203.0.113.1", "--batch", "1", *token)
    assert result.code == 1
    assert "cannot listen at 203.0.113.1:8000" in result.err
    told = "note: whoever reaches 203.0.113.1:8000 may use the service; --token or ONNX_SNN_TOKEN" in result.err
    assert told == (not token)


@pytest.mark.parametrize(("text", "numbers"), [("1", (1, 1)), ("4", (4, 4)), ("2-8", (2, 8))])
def test_replicas(text, numbers) -> None:
    assert parse_replicas(text) == numbers


@pytest.mark.parametrize("text", ["", "0", "-1", "3-2", "1-", "-", "a", "1-2-3", "1.5"])
def test_replicas_that_are_none(text) -> None:
    with pytest.raises(typer.BadParameter):
        parse_replicas(text)
