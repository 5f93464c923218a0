"""Replicas of Ray Serve, in a process of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from websockets.sync.client import connect

from snn_ops import Session
from tests.serving.conftest import rows

pytest.importorskip("ray.serve")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BEARER = {"Authorization": "Bearer t"}
START_SECONDS = 300


@pytest.fixture(scope="module")
def replicated(model) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, host and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--engine", "ray", "--replicas", "2", "--port", str(port), "--batch", "4", "--token", "t"]
    command = [sys.executable, "-m", "converter.cli", "serve", str(model), "--name", "m", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        for line in process.stderr:
            if re.match(rf"serving http://127\.0\.0\.1:{port}/v2/models/m, until Ctrl-C", line):
                break
        else:
            raise AssertionError("it did not start")
        yield process, f"127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def infer(client: triton.InferenceServerClient, x: np.ndarray) -> np.ndarray:
    given = triton.InferInput("x", list(x.shape), "FP32")
    given.set_data_from_numpy(x)
    return client.infer("m", [given], headers=dict(BEARER)).as_numpy("y")


def replicas(of: subprocess.Popen[str]) -> list[int]:
    """Processes of replicas below that process."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    found = [line.split(None, 2) for line in listing.splitlines()[1:]]
    parents = {int(pid): int(parent) for pid, parent, *_ in found}

    def is_below(pid: int) -> bool:
        while pid > 1 and pid != of.pid:
            pid = parents.get(pid, 0)
        return pid == of.pid

    return [int(each[0]) for each in found if "ray::ServeReplica" in each[-1] and is_below(int(each[0]))]


def test_the_same_answers_and_refusals(replicated, model) -> None:
    _, place = replicated
    alone = Session(model)
    with triton.InferenceServerClient(place, network_timeout=60) as client:
        assert client.is_server_ready()
        for seed in range(20):
            x = rows(1 + seed % 5, seed)
            np.testing.assert_array_equal(infer(client, x), alone.run(x)[0])
        with pytest.raises(triton.InferenceServerException, match="needs a token"):
            client.get_model_metadata("m")
        with pytest.raises(triton.InferenceServerException, match="NaN or infinity"):
            infer(client, np.full((1, 8), np.nan, np.float32))


def test_a_stream_and_its_state(replicated, model) -> None:
    """Saved in one connection and restored in another, whichever replicas they reach."""
    _, place = replicated
    alone, x, states = Session(model).stream(), rows(6), []
    for chunk in x:
        with connect(f"ws://{place}/v2/models/m/stream", additional_headers=BEARER) as stream:

            def talk(**message: object) -> dict[str, object]:
                stream.send(json.dumps(message))
                return json.loads(stream.recv(timeout=60))

            talk(command="restore", states=states)
            tensor = {"name": "x", "datatype": "FP32", "shape": [1, 8], "data": chunk.tolist()}
            y = np.float32([talk(inputs=[tensor])["outputs"][0]["data"]])
            states = talk(command="save")["states"]
        np.testing.assert_array_equal(y, alone.run(chunk[None])[0])


def test_a_replica_that_is_killed_is_replaced(replicated, model) -> None:
    process, place = replicated
    x = rows(1)
    expected = Session(model).run(x)[0]
    before = replicas(process)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    answers = failures = 0
    until = time.monotonic() + START_SECONDS
    with triton.InferenceServerClient(place, network_timeout=60) as client:
        while time.monotonic() < until and (len(set(replicas(process)) - {before[0]}) < 2 or answers < 50):
            try:
                np.testing.assert_array_equal(infer(client, x), expected)
                answers += 1
            except triton.InferenceServerException:
                failures += 1
    assert answers >= 50
    assert failures <= 5
    assert len(set(replicas(process)) - {before[0]}) == 2
