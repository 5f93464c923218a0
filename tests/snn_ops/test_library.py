"""The native library: where it is looked for, what registering it makes known, which instruction set it takes."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import snn_ops
from snn_ops.library import LibraryNotFoundError, library_path, register
from snn_ops.single import operator_model


def started(options: ort.SessionOptions, *, with_function: bool) -> ort.InferenceSession:
    options.log_severity_level = 4
    model = operator_model("LIFRate", np.float32, [2, 0], with_function=with_function)
    return ort.InferenceSession(model.SerializeToString(), options)


def test_the_environment_names_another_library(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("ONNX_SNN_LIBRARY", raising=False)
    beside = Path(snn_ops.__file__).with_name("libonnx_snn.so")
    if beside.is_file():  # a package that was built
        assert Path(library_path()) == beside
    other = tmp_path / "other.so"
    monkeypatch.setenv("ONNX_SNN_LIBRARY", str(other))
    with pytest.raises(LibraryNotFoundError, match=r"other\.so does not exist\. Build it with .* ONNX_SNN_LIBRARY"):
        library_path()
    with pytest.raises(LibraryNotFoundError):
        register(ort.SessionOptions())
    other.write_bytes(b"")
    assert library_path() == str(other)


def test_a_kernel_needs_the_library_and_a_function_body_does_not(monkeypatch) -> None:
    with pytest.raises(Exception, match="LIFRate"):
        started(ort.SessionOptions(), with_function=False)
    options = ort.SessionOptions()
    assert register(options) is options
    feed = {"current": np.asarray([[0.5, 3.0]], np.float32), "amplitude": np.ones((), np.float32)}
    (found,) = started(options, with_function=False).run(["rate"], feed)
    assert found[0, 0] == 0 < found[0, 1]
    monkeypatch.setenv("ONNX_SNN_LIBRARY", "missing.so")
    functions = register(ort.SessionOptions(), "functions")
    np.testing.assert_allclose(started(functions, with_function=True).run(["rate"], feed)[0], found, rtol=1e-5)
    with pytest.raises(Exception, match="LIFRate"):
        started(register(ort.SessionOptions(), "functions"), with_function=False)


def test_no_such_backend() -> None:
    with pytest.raises(ValueError, match=r"^there is no backend 'Native'; choose one of native, functions, "):
        register(ort.SessionOptions(), "Native")


AVX2 = set("avx avx2 bmi1 bmi2 f16c fma abm movbe".split())
AVX512 = set("avx512f avx512bw avx512cd avx512dq avx512vl".split())
"""The levels x86-64-v3 and v4, in the words of /proc/cpuinfo."""


def isa_in_a_process(lowered: str, monkeypatch) -> str:
    """The choice is made once in a process."""
    monkeypatch.setenv("ONNX_SNN_ISA", lowered)
    code = "import snn_ops; print(snn_ops.cpu_isa())"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_the_instruction_set_is_one_that_the_cpu_has(monkeypatch) -> None:
    """The highest of those that Linux says; ONNX_SNN_ISA lowers it and never raises it."""
    assert isa_in_a_process("generic", monkeypatch) == "generic"
    information = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not information.is_file():
        pytest.skip("only Linux on x86 names its instruction sets")
    flags = next(line for line in information.read_text().splitlines() if line.startswith("flags")).split()
    expected = "generic"
    if set(flags) >= AVX2:
        expected = "avx512" if set(flags) >= AVX512 else "avx2"
    assert isa_in_a_process("", monkeypatch) == isa_in_a_process("avx512", monkeypatch) == expected
    assert isa_in_a_process("avx2", monkeypatch) == ("generic" if expected == "generic" else "avx2")
