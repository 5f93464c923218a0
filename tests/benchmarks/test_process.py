"""Processes end with the one that started them, however that ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.process import ROOT, Group, OverTheLimitError, run_to_end

PATIENCE = 30
STARTS = """
import signal, subprocess, sys, tempfile, time
from benchmarks.process import Group, end_on_signals
end_on_signals()
with tempfile.TemporaryDirectory(dir=sys.argv[1]), Group(
    ["sh", "-c", "sleep 600 & echo $! $$; wait"], stdout=subprocess.PIPE, text=True
) as group:
    line = group.process.stdout.readline()
    if sys.argv[2] == "stopped":
        group.signal(signal.SIGSTOP)
    print(line, end="", flush=True)
    time.sleep(600)
"""
"""Prints the number of a process that it started, and of a child of that one; both would sleep for long."""


def lives(number: int) -> bool:
    """Not dead, and not waiting for somebody to ask how it died."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(numbers: list[int]) -> bool:
    end = time.monotonic() + PATIENCE
    while any(map(lives, numbers)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(lives, numbers))


@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL], ids=lambda n: n.name)
def test_nothing_is_left_behind(number, state, tmp_path) -> None:
    command = [sys.executable, "-c", STARTS, str(tmp_path), state]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's job in the background ignores it
    ) as parent:
        started = [int(word) for word in parent.stdout.readline().split()]
        assert len(started) == 2
        assert all(map(lives, started))
        parent.send_signal(number)
        code = parent.wait(PATIENCE)
    assert gone(started)
    assert code == (128 + number if number in (signal.SIGTERM, signal.SIGHUP) else -number)
    assert (list(tmp_path.iterdir()) == []) == (number != signal.SIGKILL)


def test_what_is_closed_is_gone() -> None:
    with Group(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as group:
        assert group.process.stdout is not None
        child = int(group.process.stdout.readline())
        assert lives(child)
    assert gone([child, group.process.pid])
    group.close()


def test_a_command_that_ends_by_itself() -> None:
    done = run_to_end(["sh", "-c", "echo out; echo error >&2; exit 3"], PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "error\n")


def test_a_command_that_does_not() -> None:
    with pytest.raises(OverTheLimitError, match="over the limit of 1 s"):
        run_to_end(["sleep", "600"], 1)
