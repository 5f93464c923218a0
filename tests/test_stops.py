"""A command that is killed, whose disk is full or that nobody reads: whole files or none, one line, the right exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from snn_ops.files import temporary_folder, write_npz, write_whole
from tests.models import mlp, samples, save

COMMAND = (sys.executable, "-m", "converter.cli")
WRITER = """
import sys, time
from snn_ops.files import temporary_folder, write_whole
def slowly(file):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(600)
with temporary_folder() as folder:
    write_whole("out.bin", slowly)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "work"
    tempfile.tempdir = None


def begun() -> subprocess.Popen[str]:
    """A process in the middle of writing out.bin."""
    process = subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def test_killed_while_writing(folder) -> None:
    """The old file stays; the next run removes what was left, and not what another is at."""
    write_whole("out.bin", b"old")
    process = begun()
    write_whole("out.bin", b"new")
    with temporary_folder():
        assert len(list((folder.parent / "temporary").glob("onnx-snn-*"))) == 2
    assert len(list(folder.iterdir())) == 2, "the other process lives"
    process.kill()
    process.wait()
    assert (folder / "out.bin").read_bytes() == b"new"
    assert len(list(folder.iterdir())) == 2
    write_whole("out.bin", b"newer")
    assert [path.name for path in folder.iterdir()] == ["out.bin"]
    assert (folder / "out.bin").read_bytes() == b"newer"
    with temporary_folder() as own:
        assert list((folder.parent / "temporary").glob("onnx-snn-*")) == [own]


def test_a_full_disk_and_nobody_who_reads(folder) -> None:
    save(mlp(), "m.onnx")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "inspect", "m.onnx"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("onnx-snn: ")
    assert done.stderr.count("\n") == 1
    done = subprocess.run(
        [*COMMAND, "inspect", "m.onnx", "--json", "/dev/full"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "/dev/full" in done.stderr
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "inspect", "m.onnx"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_disk_that_fills_up(folder, monkeypatch) -> None:
    """Nothing is left of what did not fit."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: 'a\.bin'"):
        write_whole("a.bin", full)
    monkeypatch.setattr("numpy.lib.format.write_array", full)
    with pytest.raises(OSError, match=r"No space left on device: 'a\.npz'"):
        write_npz("a.npz", {"x": np.zeros(3)})
    assert list(folder.iterdir()) == []


def test_interrupted(folder) -> None:
    """Ctrl-C: 130, nothing half-written, no traceback."""
    save(mlp(), "m.onnx")
    np.savez("x.npz", x=samples(mlp(), 2000))
    process = subprocess.Popen(
        [*COMMAND, "convert", "m.onnx", "--calibration", "x.npz"], stderr=subprocess.PIPE, text=True
    )
    maps, end = Path(f"/proc/{process.pid}/maps"), time.monotonic() + 60
    while "libonnx_snn" not in maps.read_text() and time.monotonic() < end:  # libraries are loaded, samples are run
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert "Traceback" not in said
    assert {path.name for path in folder.iterdir()} - {"m.snn.onnx"} == {"m.onnx", "x.npz"}
    assert process.returncode == (0 if (folder / "m.snn.onnx").exists() else 130)
