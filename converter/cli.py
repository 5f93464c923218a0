"""The onnx-snn command: runs `converter.commands`, and prints what is refused as one line.

Exit codes: 0 done, 1 refused with a reason (one line on standard error), 2 wrong usage.

This module needs nothing but Python, so that it can name a package that is missing.
"""

from __future__ import annotations

import os
import sys

from converter.errors import RefusedError


def main() -> None:
    """Runs the command line and exits."""
    try:
        _run()
    except (RefusedError, RuntimeError, OSError) as error:
        _refuse(error)
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> None:
    try:
        from converter.commands.app import app
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "converter", "snn_ops"):
            raise
        extra = "cpu" if missing == "onnxruntime" else "convert"
        raise RefusedError(
            f"the commands need {missing}, which is not installed: pip install 'onnx-snn[{extra}]'"
        ) from error
    app()


def _refuse(error: Exception) -> None:
    if os.environ.get("ONNX_SNN_DEBUG"):
        raise error
    print(f"onnx-snn: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
