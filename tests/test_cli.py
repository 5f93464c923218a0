"""The entry point: exit codes, a line for what is refused, and an install without the packages of the commands."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from converter import cli

MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
CONVERT = ("typer", "rich", "onnx", "onnx_ir", "onnxscript", "matplotlib")
"""What the extra `convert` brings."""


def run_without(packages: tuple[str, ...], code: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process that finds none of these packages."""
    command = [sys.executable, "-c", MISSING.format(names=packages) + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run_command_without(packages: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_without(packages, f"sys.argv = {['onnx-snn', *arguments]!r}\nfrom converter.cli import main\nmain()")


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("convert", "m.onnx"), ()])
def test_the_command_says_in_a_line_what_to_install(arguments) -> None:
    done = run_command_without(CONVERT, *arguments)
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert done.stderr.startswith("onnx-snn: the commands need ")
    assert done.stderr.endswith(", which is not installed: pip install 'onnx-snn[convert]'\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("package", CONVERT[:-1])
def test_each_missing_package_is_named(package) -> None:
    done = run_command_without((package,), "--help")
    assert (done.returncode, done.stdout) == (1, "")
    expected = f"onnx-snn: the commands need {package}, which is not installed: pip install 'onnx-snn[convert]'\n"
    assert done.stderr == expected


def test_without_onnxruntime_its_extra_is_named() -> None:
    done = run_command_without(("onnxruntime",), "--help")
    assert (done.returncode, done.stdout) == (1, "")
    expected = "onnx-snn: the commands need onnxruntime, which is not installed: pip install 'onnx-snn[cpu]'\n"
    assert done.stderr == expected


def test_help_needs_no_matplotlib() -> None:
    done = run_command_without(("matplotlib", "tensorflow", "nengo"), "--help")
    assert done.returncode == 0, done.stderr
    assert "import-weights" in done.stdout


def test_entry_point_and_exit_codes() -> None:
    """In a process of its own: 0 for help, 2 for wrong usage, 1 with one line for bad input."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "converter.cli", *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    assert run("--version").stdout.startswith("onnx-snn ")
    assert run("convert").returncode == 2
    assert run("nonsense").returncode == 2
    refused = run("inspect", "missing.onnx")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == "onnx-snn: missing.onnx: there is no such file\n"


def test_an_interrupt_in_a_finaliser_is_not_lost(monkeypatch) -> None:
    """Python prints what a finaliser raises, and goes on."""
    said = []
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: said.append(unraisable.exc_type))
    cli._keep_interrupts()

    class Ends:
        def __init__(self, error: type[BaseException]) -> None:
            self.error = error

        def __del__(self) -> None:
            raise self.error

    def let_go(error: type[BaseException]) -> None:
        Ends(error)
        for _ in range(500):
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        let_go(KeyboardInterrupt)
    Ends(ZeroDivisionError)
    assert said == [ZeroDivisionError]
