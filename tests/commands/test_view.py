"""`view` as a command. What it serves: tests/report/test_netron_view.py; the page in a browser: tests/web/test_view.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

import pytest


def test_a_model_is_shown_until_ctrl_c(spiking) -> None:
    """In a process of its own: its address on standard output, nothing else; Ctrl-C is no error."""
    line = [sys.executable, "-m", "converter.cli", "view", "m.snn.onnx", "--no-browser"]
    view = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert view.stdout is not None
    url = view.stdout.readline().strip()
    with urllib.request.urlopen(f"{url}data/m.snn.onnx") as answer:
        assert answer.status == 200
    os.kill(view.pid, signal.SIGINT)
    out, err = view.communicate(timeout=60)
    assert (view.returncode, out) == (0, "")
    assert err == "m.snn.onnx is shown there until Ctrl-C is pressed\n"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("lost.onnx",), 1, "lost.onnx: there is no such file"),
        (("lost.keras",), 1, "lost.keras: there is no such file"),
        (("calibration.npz",), 1, "calibration.npz: not an ONNX model"),
        ((".",), 1, "this is a folder"),
        (("m.onnx", "--port", "70000"), 2, "--port"),
    ],
)
def test_bad_input(command, folder, arguments, code, line) -> None:
    done = command("view", *arguments, "--no-browser")
    assert (done.code, done.out) == (code, "")
    assert line in done.err
    assert code == 2 or done.err.count("\n") == 1
