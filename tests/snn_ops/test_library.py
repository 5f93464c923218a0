"""The native library: where it is looked for, what registering it makes known, which instruction set it takes."""

from __future__ import annotations

import importlib
import pickle
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest

import snn_ops
from snn_ops.library import LibraryNotFoundError, library_name, library_path, register
from snn_ops.ops import OPERATORS
from snn_ops.single import operator_model


def started(options: ort.SessionOptions, *, with_function: bool) -> ort.InferenceSession:
    options.log_severity_level = 4
    model = operator_model("LIFRate", np.float32, [2, 0], with_function=with_function)
    return ort.InferenceSession(model.SerializeToString(), options)


def test_the_environment_names_another_library(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("ONNX_SNN_LIBRARY", raising=False)
    beside = Path(snn_ops.__file__).with_name(library_name())
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


def test_each_system_has_its_name_for_the_library() -> None:
    """As setup.py puts it into the wheel, and CMake calls it."""
    names = {
        "linux": "libonnx_snn.so",
        "freebsd14": "libonnx_snn.so",
        "darwin": "libonnx_snn.dylib",
        "win32": "onnx_snn.dll",
    }
    assert {platform: library_name(platform) for platform in names} == names
    setup = (Path(__file__).parents[2] / "setup.py").read_text()
    assert all(f'"{name}"' in setup for name in names.values())


@pytest.mark.skipif(not shutil.which("nm"), reason="no nm")
def test_nothing_leaves_the_library_but_what_a_caller_needs() -> None:
    """Other libraries in the process neither take our symbols for theirs nor give us theirs."""
    nm = ["nm", "--dynamic", "--defined-only", library_path()]
    listed = subprocess.run(nm, capture_output=True, text=True, check=True).stdout
    assert {line.split()[-1].split("@")[0] for line in listed.splitlines()} == {"RegisterCustomOps", "OnnxSnnCpuIsa"}


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


def with_operators_of_others(*, python: bool) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """``y = mean of IF(x)``, and the same of max(x, 0), or 2 max(x, 0) with a Python operator, from onnxruntime-extensions."""
    alone = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18, "onnx_snn" : 1, "ai.onnx.contrib" : 1]>
        m (float[batch, 3] x, int64 n_steps) => (float[batch, 3] y)
        <int64 n_steps = {6}, float threshold = {0.7}, float zero = {0}, int64 step = {0}>
        {
          current = Identity(x)
          spikes, net, voltage = onnx_snn.IF<max_spikes: int = 1, signed: int = 0, constant_current: int = 1>
                                 (current, n_steps, threshold, zero, zero)
          y, sum, done = onnx_snn.TimeMean(spikes, n_steps, zero, step)
        }""")
    alone.functions.extend([OPERATORS[name].at(1).function() for name in ("IF", "TimeMean")])
    alone.graph.value_info.append(onnx.helper.make_tensor_value_info("current", onnx.TensorProto.FLOAT, ["batch", 3]))
    mixed = onnx.ModelProto.FromString(alone.SerializeToString())
    mixed.graph.node[0].CopyFrom(onnx.helper.make_node("NegPos", ["x"], ["neg", "current"], domain="ai.onnx.contrib"))
    if python:
        mixed.graph.node[0].output[1] = "positive"
        twice = onnx.helper.make_node("TwiceForATest", ["positive"], ["current"], domain="ai.onnx.contrib")
        mixed.graph.node.insert(1, twice)
    return alone, mixed


def check_operators_of_others() -> None:
    """In a process whose Python operators are not known: native kernels and functions before, NumPy's after."""
    others = importlib.import_module("onnxruntime_extensions")
    kind, path = others.PyOp.dt_float, others.get_library_path()
    others.onnx_op(op_type="TwiceForATest", inputs=[kind], outputs=[kind])(lambda x: 2 * x)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for backend in ("native", "functions", "numpy"):
        for python in (False, True):
            alone, mixed = with_operators_of_others(python=python)
            (expected,) = snn_ops.Session(alone, n_steps=6).run(np.maximum(x, 0) * (2 if python else 1))
            assert 0 < np.count_nonzero(expected) < expected.size
            if backend != "numpy":  # which registers the library of onnxruntime-extensions itself
                with pytest.raises(Exception, match="NegPos"):
                    snn_ops.Session(mixed, backend=backend)
            session = snn_ops.Session(mixed, n_steps=6, backend=backend, libraries=(Path(path), path))
            np.testing.assert_array_equal(session.run(x)[0], expected)
            again = pickle.loads(pickle.dumps(session))
            np.testing.assert_array_equal(again.run(x)[0], expected)
            for ours_first in (True, False) if backend == "native" else ():  # registered by the caller
                options = ort.SessionOptions()
                options.log_severity_level = 4
                if ours_first:
                    register(options)
                options.register_custom_ops_library(path)
                if not ours_first:
                    register(options)
                (found,) = ort.InferenceSession(mixed.SerializeToString(), options).run(["y"], {"x": x})
                np.testing.assert_array_equal(found, expected)
    for backend in ("native", "functions"):
        assert snn_ops.Session(alone, backend=backend).run(x)
        with pytest.raises(
            RuntimeError, match=r"this process runs the Python operators on 'numpy', .*; use another process"
        ):
            snn_ops.Session(mixed, backend=backend, libraries=[path])


def test_operators_of_others_beside_ours() -> None:
    pytest.importorskip("onnxruntime_extensions", reason="onnxruntime-extensions is not installed: extra python-ops")
    code = f"from {__name__} import check_operators_of_others as check; check()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_libraries_that_are_none(tmp_path, monkeypatch) -> None:
    """A name without a folder is a file here, never one that the system looks for."""
    alone, _ = with_operators_of_others(python=False)
    monkeypatch.chdir(tmp_path)
    for name in ("lost.so", "libm.so.6"):
        with pytest.raises(LibraryNotFoundError, match=rf"^{tmp_path}/{name} does not exist; `libraries` names files"):
            snn_ops.Session(alone, libraries=[name])
    Path("text.so").write_text("no library")
    with pytest.raises(RuntimeError, match=r"^.*/text\.so is no library of operators for ONNX Runtime: .*text\.so"):
        snn_ops.Session(alone, libraries=["text.so"])
    shutil.copy(library_path(), "copy.so")
    with pytest.raises(
        RuntimeError, match=r"^two of these libraries and ours have operators of the same domain: .*copy\.so$"
    ):
        snn_ops.Session(alone, libraries=["copy.so"])
    x = np.ones((2, 3), np.float32)
    for libraries in ([library_path()], ["copy.so"]):  # ours by its name; a copy of it in its place
        session = snn_ops.Session(
            alone, libraries=libraries, backend="functions" if libraries == ["copy.so"] else "native"
        )
        np.testing.assert_array_equal(session.run(x)[0], snn_ops.Session(alone).run(x)[0])
