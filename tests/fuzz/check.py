"""What may come of a case: an answer, or one line that says why not. Runs in a process of its own (`python -m tests.fuzz.check`)."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import traceback
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from converter.cli import main
from snn_ops import Session
from snn_ops.library import register
from tests.fuzz.cases import Case, Line

ort.set_default_logger_severity(4)


def check(lines: list[Line]) -> str:
    """What is wrong with what these command lines do in the current folder; empty: nothing."""
    for line in lines:
        own = {"operator": _operator, "agree": _agree, "as checked": partial(_as_checked, line[1:])}
        wrong = own[line[0]]() if line[0] in own else _command(line)
        if wrong:
            return f"{' '.join(line)}: {wrong}"
    return ""


def _command(line: Line) -> str:
    before, out, err = set(os.listdir()), io.StringIO(), io.StringIO()  # noqa: PTH208
    sys.argv = ["onnx-snn", *line]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except BaseException:
        return f"a traceback: {traceback.format_exc()[-1500:]}"
    said = err.getvalue()
    if "Traceback" in said or code not in (0, 1, 2):
        return f"exit code {code}: {said[-800:]}"
    if code == 1 and (said.count("\n") != 1 or not said.startswith("onnx-snn: ")):
        return f"more than a line: {said[-800:]}"
    left = set(os.listdir()) - before  # noqa: PTH208
    if any("unfinished" in name for name in left) or (code and left):
        return f"exit code {code}, but it left {sorted(left)}"
    if line[0] == "convert" and code == 0:
        return _same_everywhere()
    return ""


def _as_checked(options: Line) -> str:
    """`check` and `convert` say the same, but for what only samples can tell."""
    lines = ["check", "m.onnx"], ["convert", "m.onnx", "--calibration", "x.npz", "--steps", "2"]
    said, done = (_outcome([*line, *options]) for line in lines)
    doubtful = "the samples were made up" in said[1]
    if said == done or doubtful or (said[0] == 0 and (done[0] == 0 or OF_SAMPLES.search(done[1]))):
        return ""
    return f"check: {said[0]} {said[1][-400:]}; convert: {done[0]} {done[1][-400:]}"


OF_SAMPLES = re.compile("not finite|calibration samples|held on|has the shape")
"""What a refusal says that is about samples."""


def _outcome(line: Line) -> tuple[int, str]:
    """The exit code, and what is refused."""
    err = io.StringIO()
    sys.argv = ["onnx-snn", *line]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        return (stop.code if isinstance(stop.code, int) else 0), err.getvalue() if stop.code else ""
    except BaseException:
        return -1, f"a traceback: {traceback.format_exc()[-1500:]}"
    return 0, ""


def _same_everywhere() -> str:
    """Kernels and function bodies give the same."""
    x = np.load("x.npz")["x"].astype(np.float32)
    results = []
    for backend in ("native", "functions"):
        session = Session("m.snn.onnx", backend=backend)
        results.append(session.run({session.input_names[0]: x}))
    for native, function in zip(*results, strict=True):
        if not np.allclose(
            native, function, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(native).max(initial=0)), equal_nan=True
        ):
            return f"native and functions differ by {np.abs(native - function).max()}"
    return ""


def _agree() -> str:
    """A converted graph follows the trained one when it has many steps."""
    if not Path("m.snn.onnx").exists():
        return ""
    x = np.load("x.npz")["x"]
    (expected,) = ort.InferenceSession("m.onnx").run(None, {"x": x})
    (found,) = Session("m.snn.onnx").run(x, n_steps=512)
    scale = np.abs(expected).max()
    error = np.abs(found - expected).mean()
    return f"an error of {error:.3g} where outputs reach {scale:.3g}" if error > 0.1 * scale + 1e-4 else ""


def _operator() -> str:
    arrays = dict(np.load("op.npz"))
    with contextlib.suppress(Exception):  # refused; that the process lives is what matters
        session = ort.InferenceSession("op.onnx", register(ort.SessionOptions()))
        session.run(None, arrays)
    return ""


def run(case: Case) -> str:
    """The same for a case, in a folder of its own."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        try:
            lines = case.write(Path(name))
            os.chdir(name)
            return check(lines)
        finally:
            os.chdir(home)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for text in sys.stdin:
        kind, seed, mutations = json.loads(text)
        print(json.dumps(run(Case(kind, seed, tuple(mutations)))), file=answers, flush=True)
