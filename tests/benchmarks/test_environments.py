"""Environments of the peers: made once, and a reason where that fails."""

from __future__ import annotations

import sys

import pytest

from benchmarks import environments
from benchmarks.process import DidNotRunError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "peers")
    return tmp_path / "peers"


def test_ours_run_here(folder, tmp_path) -> None:
    assert environments.python_of("onnx-snn", None) == sys.executable
    assert environments.python_of("norse", tmp_path / "r.txt", here=True) == sys.executable
    assert not folder.exists()


def test_an_environment_is_made_once(folder, tmp_path, monkeypatch) -> None:
    requirements = tmp_path / "r.txt"
    requirements.write_text("# nothing\n")
    python = environments.python_of("peer", requirements)
    assert python == str(folder / "peer" / "bin" / "python")
    monkeypatch.setattr(environments, "_run", lambda command: pytest.fail("made again"))
    assert environments.python_of("peer", requirements) == python


def test_what_cannot_be_installed(folder, tmp_path, monkeypatch) -> None:
    """The reason is pip's; it is not tried again until the requirements change."""
    requirements = tmp_path / "r.txt"
    requirements.write_text("./no-such-file.whl\n")
    with pytest.raises(DidNotRunError, match=r"cannot be installed: .*no-such-file") as first:
        environments.python_of("peer", requirements)
    assert not (folder / "peer").exists()
    monkeypatch.setattr(environments, "_run", lambda command: pytest.fail("tried again"))
    with pytest.raises(DidNotRunError) as second:
        environments.python_of("peer", requirements)
    assert str(first.value) == str(second.value)
