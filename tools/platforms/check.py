"""What one Python with one ONNX Runtime makes of the installed package: ``python check.py FILE [--bits BITS]`` writes FILE.

The folder `tests` of the checkout must be where Python looks, and the checkout itself must not: what is checked is what was
installed. BITS (.npz) holds what the native kernels gave elsewhere, for the same operands; it is written where it is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.metadata
import importlib.util
import io
import json
import os
import platform
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path("lenet5.snn.onnx")
IMAGES = 100
STEPS = 8
ROUNDS_OTHERWISE = ("LIF", "AdaptiveLIF", "LIFRate", "SoftLIFRate", "PoissonSpiking", "Alpha", "Lowpass", "LeakyMean")
"""Operators with exp or log, in a step or in a constant: the C library of another system may round these otherwise."""


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    """Equal, up to a value in 1,000 where a spike moved by rounding."""
    return float(np.mean(~np.isclose(found, expected, rtol=1e-5, atol=1e-5))) <= 1e-3


def operators(state: dict[str, Any], backend: str) -> str:
    """Every operator, with every set of attributes that the tests try, against the NumPy reference."""
    from snn_ops.ops import OPERATORS  # noqa: PLC0415
    from snn_ops.single import SingleOperator  # noqa: PLC0415
    from tests.ops.cases import CALLS, IDS, Shape, random_inputs  # noqa: PLC0415

    if backend == "numpy" and not importlib.util.find_spec("onnxruntime_extensions"):
        return "not installed: onnxruntime-extensions"
    for (op_type, attributes), name in zip(CALLS, IDS, strict=True):
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        inputs = random_inputs(op_type, Shape(9, 3, (5, 7)), np.float32, rng)
        expected = OPERATORS[op_type].run(*inputs, **attributes)[0]
        found = SingleOperator(op_type, backend=backend, **attributes)(*inputs)
        if not close(found[0], expected):
            raise AssertionError(f"{name} differs from the reference")
        if backend == "native":
            state["bits"] |= {f"{name}/{i}": array for i, array in enumerate([*inputs, *found])}
    return f"{len(CALLS)} calls"


def conversion(state: dict[str, Any]) -> str:
    """The embedded LeNet-5: converted, saved, run by the kernels, at once and as a stream."""
    from converter import convert, load_ann  # noqa: PLC0415
    from converter.demo import demo_samples  # noqa: PLC0415
    from snn_ops import Session  # noqa: PLC0415

    with resources.as_file(resources.files("converter.demo") / "data" / "lenet5_relu.onnx") as source:
        ann = load_ann(source)
    calibration = demo_samples("calibration", ann.input_specs)
    convert(ann, calibration, n_steps=STEPS, code="rate", neuron="if", streaming=True).save(FILE)
    test = demo_samples("test", ann.input_specs).first(IMAGES)
    (images,) = test.feed.values()
    (native,) = Session(FILE).run(images)
    stream = Session(FILE).stream()
    parts = [stream.run(images, n_steps=n)[0] for n in (3, STEPS - 3)]
    if not close(parts[-1], native):
        raise AssertionError("a stream of two chunks differs from the whole")
    state["bits"]["lenet5/outputs"], state["images"] = native, images
    right = int((native.argmax(axis=1) == test.labels).sum())
    if right < 0.9 * IMAGES:
        raise AssertionError(f"{right} of {IMAGES} digits are right")
    return f"{right} of {IMAGES} digits"


def conversion_functions(state: dict[str, Any]) -> str:
    """The same file, without our library."""
    from snn_ops import Session  # noqa: PLC0415

    (functions,) = Session(FILE, backend="functions").run(state["images"])
    if not close(functions, state["bits"]["lenet5/outputs"]):
        raise AssertionError("kernels and function bodies differ")
    return "as the kernels"


def command(state: dict[str, Any]) -> str:
    """The command line on the converted file, in this process: not every Python here is a program that starts another."""
    from converter.cli import main  # noqa: PLC0415

    for line in (["--version"], ["inspect", str(FILE)]):
        sys.argv = ["onnx-snn", *line]
        with contextlib.redirect_stdout(io.StringIO()) as said:
            try:
                main()
                code = 0
            except SystemExit as stop:
                code = stop.code or 0
        if code or not said.getvalue():
            raise AssertionError(f"{' '.join(line)}: exit code {code}")
    return "--version, inspect"


def same_bits(state: dict[str, Any]) -> str:
    """What the kernels gave, beside what they gave on another machine."""
    path: Path = state["path"]
    if not path.exists():
        np.savez_compressed(path, **state["bits"])
        return "written"
    exact = differing = total = 0
    with np.load(path) as there:
        for name in there.files:
            unlike = there[name].tobytes() != state["bits"][name].tobytes()
            if name.split("-")[0].split("/")[0] not in ROUNDS_OTHERWISE and not name.startswith("lenet5") and unlike:
                raise AssertionError(f"{name} differs")
            exact += not unlike
            differing += int((there[name] != state["bits"][name]).sum())
            total += there[name].size
    return f"{exact} of {len(there.files)} arrays equal to the bit, {differing} of {total:,} values differ"


CHECKS: dict[str, Callable[[dict[str, Any]], str]] = {
    "kernels": functools.partial(operators, backend="native"),
    "functions": functools.partial(operators, backend="functions"),
    "backend numpy": functools.partial(operators, backend="numpy"),
    "conversion": conversion,
    "its functions": conversion_functions,
    "command": command,
}


def main() -> int:
    """All checks; 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--bits", type=Path)
    arguments = parser.parse_args()
    out = arguments.file.resolve()
    state: dict[str, Any] = {"bits": {}, "path": arguments.bits and arguments.bits.resolve()}
    result: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("onnxruntime", "numpy", "onnx", "onnxruntime-extensions"):
        try:
            result[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            result[package] = None
    checks: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, check in (CHECKS | ({"bits": same_bits} if arguments.bits else {})).items():
            try:
                checks[name] = check(state)
            except Exception as error:
                traceback.print_exc()
                checks[name] = f"FAILED: {type(error).__name__}: {str(error)[:300]}"
        os.chdir("/")
    result["checks"] = checks
    out.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(text.startswith("FAILED") for text in checks.values()))


if __name__ == "__main__":
    sys.exit(main())
