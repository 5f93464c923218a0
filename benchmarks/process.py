"""Processes that end with this one; a system in one of its own: a limit of time for each command, stopped while others run."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class DidNotRunError(Exception):
    """A system's process gave no answer: the message is the reason, for the table."""


class OverTheLimitError(DidNotRunError):
    """It took too long, and was ended."""


WATCH = 'read -r line; kill -s KILL -- "-$1"'
"""Of a shell whose standard input ends when this process does, and nothing comes from it before."""


def end_on_signals() -> None:
    """SIGTERM and SIGHUP end this process as an exception does, so that what it began is closed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


class Group:
    """A command in a process group of its own, which is killed when it is closed, and when this process ends, however it ends.

    Even SIGKILL leaves nothing behind: a shell outside of the group waits for the end of this process. It kills the group, what
    stands still in it too, which would not notice by itself.

    Args:
        command: and its arguments.
        options: as `subprocess.Popen` takes them.
    """

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        self.process = subprocess.Popen(command, start_new_session=True, **options)
        ends, self._until = os.pipe()  # this process alone has the end that is written to
        watch = ["sh", "-c", WATCH, "watch", str(self.process.pid)]
        self._watch = subprocess.Popen(watch, stdin=ends, start_new_session=True)
        os.close(ends)
        self._closed = False

    def signal(self, number: int) -> None:
        """To all of them."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def close(self) -> None:
        """Ends all."""
        if self._closed:
            return
        self._closed = True
        self._watch.kill()
        self._watch.wait()
        os.close(self._until)
        self.signal(signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_to_end(command: Sequence[str], limit: float, **options: Any) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` gives, of a command that ends with this process.

    Raises:
        OverTheLimitError: it did not end within so many seconds.
    """
    with Group(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as group:
        try:
            out, error = group.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise OverTheLimitError(f"over the limit of {limit:.0f} s") from None
        return subprocess.CompletedProcess(command, group.process.returncode, out, error)


class SystemProcess:
    """The process of a system. Its processors are the first `threads` of those that are there.

    Args:
        python: of its environment.
        module: that has it as SYSTEM.
        threads: how many processors it gets.
        provider: on the CPU it sees no GPU.
        packages: a folder of packages that it alone gets.
    """

    def __init__(self, python: str, module: str, threads: int, provider: str, packages: str = "") -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 # as long as the process
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        environment = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [packages, str(ROOT), os.environ.get("PYTHONPATH")]))
        if provider == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = ""
        processors = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
        pinned = ["taskset", "-c", processors] if provider == "cpu" else []
        self._group = Group(
            [*pinned, python, "-m", "benchmarks.worker", module, str(read_commands), str(write_answers)],
            pass_fds=(read_commands, write_answers),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=environment,
            cwd=ROOT,
        )
        os.close(read_commands)
        os.close(write_answers)
        self._buffer, self._closed = b"", False

    def ask(self, do: str, limit: float, **arguments: object) -> dict[str, Any]:
        """A command's answer.

        Raises:
            OverTheLimitError: there was none after so many seconds; the process is ended.
            DidNotRunError: the system has no such thing, failed, or died.
        """
        line = json.dumps({"do": do, **arguments}) + "\n"
        try:
            os.write(self._commands, line.encode())
        except BrokenPipeError:
            raise DidNotRunError(self._end()) from None
        answer: dict[str, Any] = json.loads(self._line(limit))
        if "cannot" in answer:
            raise DidNotRunError(answer["cannot"])
        if "failed" in answer:
            raise DidNotRunError(answer["failed"])
        return answer

    def _line(self, limit: float) -> bytes:
        end = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(end - time.monotonic(), 0)):
                    self.close()
                    raise OverTheLimitError(f"over the limit of {limit:.0f} s")
                part = os.read(self._answers, 1 << 16)
                if not part:
                    raise DidNotRunError(self._end())
                self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def turn(self, seconds: float, limit: float) -> dict[str, Any]:
        """A turn; before and after it the process stands still, so that its waiting threads cost others nothing."""
        self._group.signal(signal.SIGCONT)
        answer = self.ask("turn", limit, seconds=seconds)
        self.pause()
        return answer

    def pause(self) -> None:
        """Until its next turn."""
        self._group.signal(signal.SIGSTOP)

    def close(self) -> None:
        """Ends it and all that it started."""
        if self._closed:
            return
        self._closed = True
        self._group.close()
        os.close(self._commands)
        os.close(self._answers)
        self._log.close()

    def _end(self) -> str:
        """Why the process ended: what it wrote last."""
        code = self._group.process.wait()
        if code == -signal.SIGKILL:
            return "killed, as when memory runs out"
        self._log.seek(0)
        lines = [line for line in self._log.read().splitlines() if line.strip()]
        return f"its process ended with code {code}: {_shown(lines)}"

    def __enter__(self) -> SystemProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _shown(lines: Sequence[str]) -> str:
    return (lines[-1] if lines else "it said nothing")[:300]
