"""The entry point of onnx-snn: the commands, or a line that names the package which they lack.

This module needs nothing but Python; `converter.commands.app` has the commands and their exit codes.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from typing import Any


def main() -> None:
    """Runs the command line and exits."""
    _forget_current_folder()
    _keep_interrupts()
    try:
        from converter.commands.app import run
    except KeyboardInterrupt:  # imports take a second or more
        sys.exit(130)
    except Exception as error:
        if sys.argv[1:2] == ["doctor"]:  # which says what is missing, or broken
            run = _doctor
        elif isinstance(error, ModuleNotFoundError):
            _say_what_is_missing(error)
        else:
            raise
    run()


def _say_what_is_missing(error: ModuleNotFoundError) -> None:
    missing = (error.name or "").partition(".")[0]
    if missing in ("", "converter", "snn_ops"):
        raise error
    extra = "cpu" if missing == "onnxruntime" else "convert"
    line = f"onnx-snn: the commands need {missing}, which is not installed: pip install 'onnx-snn[{extra}]'"
    print(line, file=sys.stderr)
    sys.exit(1)


def _doctor() -> None:
    from converter.doctor import main as doctor

    try:
        code = doctor(sys.argv[2:])
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)


def _forget_current_folder() -> None:
    """Takes the current folder from where Python looks for libraries, unless this program itself lies there.

    ``python -m`` puts it first, and a file there must not be imported in place of a library.
    """
    here = os.path.realpath(os.curdir)
    own = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
    if here != own:
        sys.path[:] = [folder for folder in sys.path if os.path.realpath(folder or os.curdir) != here]


def _keep_interrupts() -> None:
    """Ctrl-C that falls into a finaliser, where Python would print it and go on, interrupts what runs next."""
    usual = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            again = threading.Timer(0.01, _thread.interrupt_main)  # at once it would fall into this function
            again.daemon = True
            again.start()
        else:
            usual(unraisable)

    sys.unraisablehook = hook


if __name__ == "__main__":
    main()
