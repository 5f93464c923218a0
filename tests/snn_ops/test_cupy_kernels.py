"""What backend "cupy" compiles and launches, without a GPU.

* NVRTC compiles the kernel of every operator and variant.
* The host's C++ compiler compiles the same source, which then runs on the CPU through the same code that packs the call for
  CuPy: every operator against its NumPy reference.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_ops.cupy_ops import TemporalCall, run
from snn_ops.ops import COMPILER_OPTIONS, ENTRY, INCLUDE, OPERATORS, THREADS, Attributes, Kernel, _kernel
from tests.ops.cases import CALLS, IDS, Shape, has_constant_current, random_inputs

ELEMENTS = [np.dtype(np.float32), np.dtype(np.float64)]


def source_of(op_type: str, attributes: dict[str, float | int], element: np.dtype) -> str:
    operator = OPERATORS[op_type]
    assert operator.kernel is not None
    return operator.kernel.source(operator.checked_attributes(attributes), element)


SOURCES = sorted(
    {source_of(*case, element) for case in CALLS for element in ELEMENTS if OPERATORS[case[0]].kernel is not None}
)


class HostDevice:
    """The CPU as a device: the kernel's source compiled by the host's compiler."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compiled = functools.cache(self._compiled)

    def upload(self, array: np.ndarray) -> np.ndarray:
        return array.copy("C")

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return np.full(shape, -77, dtype)

    def address(self, array: np.ndarray) -> int:
        return array.ctypes.data

    def download(self, array: np.ndarray) -> np.ndarray:
        return array

    def launch(self, kernel: Kernel, attributes: Attributes, element: np.dtype, call: TemporalCall) -> None:
        constants = kernel.packed(attributes, element)
        run_kernel = self.compiled(kernel.source(attributes, element))
        run_kernel(ctypes.c_uint(call.n_neurons), ctypes.byref(call), ctypes.c_void_p(constants.ctypes.data))

    def _compiled(self, source: str) -> Any:
        path = self.folder / f"{abs(hash(source))}.cc"
        path.write_text(
            f"""
            #define __global__
            struct Index {{ unsigned x; }};
            static Index blockIdx, threadIdx;
            {source}
            template <class C> void call_entry(void (*entry)(const TemporalCall*, const C*), const void* a, const void* b) {{
              entry(static_cast<const TemporalCall*>(a), static_cast<const C*>(b));
            }}
            extern "C" void launch(unsigned neurons, const void* call, const void* constants) {{
              for (unsigned i = 0; i < (neurons + {THREADS} - 1) / {THREADS} * {THREADS}; ++i) {{
                blockIdx.x = i / {THREADS};
                threadIdx.x = i % {THREADS};
                call_entry({ENTRY}, call, constants);
              }}
            }}
            """
        )
        library = path.with_suffix(".so")
        flags = ["-std=c++17", "-shared", "-fPIC", "-O1", "-ffp-contract=off", "-Wno-unknown-pragmas", f"-I{INCLUDE}"]
        subprocess.run([compiler(), *flags, path, "-o", library], check=True)
        return ctypes.CDLL(str(library)).launch


def compiler() -> str:
    found = next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)
    if found is None:
        pytest.skip("no C++ compiler on the PATH")
    return found


@pytest.fixture(scope="module")
def device(tmp_path_factory) -> HostDevice:
    return HostDevice(tmp_path_factory.mktemp("kernels"))


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
def test_call_as_cupy_would_make_it(op_type, attributes, element, device) -> None:
    operator = OPERATORS[op_type]
    rng = np.random.default_rng(3)
    differing = total = 0
    for constant in (0, 1) if has_constant_current(op_type) else (0,):
        given = {**operator.defaults, **attributes}
        if has_constant_current(op_type):
            given["constant_current"] = constant
        for shape in (Shape(20, 3, (5, 1, 7)), Shape(40, 1, (331,)), Shape(1, 4, ()), Shape(7, 0, (4,))):
            for _ in range(3):
                inputs = random_inputs(op_type, shape, element, rng, constant_current=constant)
                found, expected = run(device, operator, inputs, given), operator.run(*inputs, **given)
                for tensor, got, want in zip(operator.outputs, found, expected, strict=True):
                    assert (got.shape, got.dtype) == (want.shape, want.dtype), tensor.name
                    if tensor.name == "spikes":
                        differing += int((got != want).sum())
                        total += got.size
                    elif element == np.float64:
                        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12, err_msg=tensor.name)
                    elif op_type != "Izhikevich":  # chaotic in float32, see docs/FINDINGS.md
                        close = np.isclose(got, want, rtol=1e-4, atol=1e-4 * shape.n_steps, equal_nan=True)
                        assert close.mean() >= 0.999 if close.size else True, tensor.name
    assert differing <= (0 if element == np.float64 else total / 1000)


def test_bad_input_is_refused_before_anything_is_launched(device) -> None:
    x, one = np.ones((6, 5), np.float32), np.ones((), np.float32)
    lif = OPERATORS["LIF"]
    with pytest.raises(ValueError, match="not a multiple of n_steps, 4"):
        run(device, lif, (x, np.asarray(4), one, one, one), {})
    with pytest.raises(ValueError, match="tau_rc must be above 0"):
        run(device, lif, (x, np.asarray(3), one, one, one), {"tau_rc": 0.0})
    with pytest.raises(ValueError, match="broadcast"):
        run(device, lif, (x, np.asarray(3), np.ones(4, np.float32), one, one), {})
    with pytest.raises(ValueError, match="n_steps must be at least 1, it is 0"):
        run(device, OPERATORS["CountIF"], (x, np.asarray(0), one, one), {})


def test_other_headers_are_another_source(tmp_path, monkeypatch) -> None:
    """CuPy keeps compiled kernels by their source, over releases."""
    source = source_of("LIF", {}, ELEMENTS[0])
    folder = tmp_path / "kernels"
    shutil.copytree(INCLUDE, folder)
    for header in [
        *re.findall(r'#include "(.*)"', (folder / "cuda" / "walk_neuron.h").read_text()),
        "cuda/walk_neuron.h",
    ]:
        with (folder / header).open("a") as file:
            file.write("// changed\n")
        monkeypatch.setattr(_kernel, "INCLUDE", folder)
        _kernel._digest.cache_clear()
        before, source = source, source_of("LIF", {}, ELEMENTS[0])
        assert source != before


class Nvrtc:
    """NVIDIA's run-time compiler, from its wheel or the CUDA toolkit."""

    def __init__(self) -> None:
        path = next(iter(self.candidates()), None)
        if path is None:
            pytest.skip("no libnvrtc: neither the wheel nvidia-cuda-nvrtc-cu12 nor a CUDA toolkit is installed")
        self.library = ctypes.CDLL(path)

    @staticmethod
    def candidates() -> list[str]:
        spec = importlib.util.find_spec("nvidia")
        folders = [*(spec.submodule_search_locations or [])] if spec else []
        wheels = [str(path) for folder in folders for path in Path(folder).rglob("libnvrtc.so.*")]
        return sorted(wheels) + sorted(str(path) for path in Path("/usr/local").glob("cuda*/lib64/libnvrtc.so"))

    def cubin_size(self, source: str, options: Sequence[str]) -> int:
        """Compiles for the H200, sm_90.

        Raises:
            AssertionError: with the compiler's words.
        """
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        code = source.encode()
        assert self.library.nvrtcCreateProgram(ctypes.byref(program), code, b"kernel.cu", 0, None, None) == 0
        arguments = [option.encode() for option in (*options, "--gpu-architecture=sm_90")]
        failed = self.library.nvrtcCompileProgram(
            program, len(arguments), (ctypes.c_char_p * len(arguments))(*arguments)
        )
        self.library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self.library.nvrtcGetProgramLog(program, log)
        assert not failed, log.value.decode()
        assert self.library.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0
        cubin = ctypes.create_string_buffer(size.value)
        self.library.nvrtcGetCUBIN(program, cubin)
        self.library.nvrtcDestroyProgram(ctypes.byref(program))
        assert ENTRY.encode() in cubin.raw
        return size.value


@pytest.fixture(scope="module")
def nvrtc() -> Nvrtc:
    return Nvrtc()


@pytest.mark.parametrize("source", SOURCES, ids=[s.split("walk_neurons<")[1].split(">(*")[0] for s in SOURCES])
def test_nvrtc_compiles(source, nvrtc) -> None:
    assert nvrtc.cubin_size(source, COMPILER_OPTIONS) > 1000


def test_nvrtc_test_can_fail(nvrtc) -> None:
    with pytest.raises(AssertionError, match="undefined"):
        nvrtc.cubin_size('extern "C" __global__ void k() { nonsense(); }', COMPILER_OPTIONS)


def test_every_operator_has_a_kernel() -> None:
    assert [name for name, operator in OPERATORS.items() if operator.kernel is None] == ["TimeRepeat"]
