"""The entry point of onnx-snn: the commands, or a line that names the package which they lack.

This module needs nothing but Python; `converter.commands.app` has the commands and their exit codes.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and exits."""
    try:
        from converter.commands.app import run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "converter", "snn_ops"):
            raise
        extra = "cpu" if missing == "onnxruntime" else "convert"
        line = f"onnx-snn: the commands need {missing}, which is not installed: pip install 'onnx-snn[{extra}]'"
        print(line, file=sys.stderr)
        sys.exit(1)
    run()


if __name__ == "__main__":
    main()
