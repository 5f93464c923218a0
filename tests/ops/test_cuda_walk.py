"""kernels/cuda/walk.cu, compiled for the host on the stand-in's headers (tools/gpu_rehearsal): the very launches of the CUDA
library, with how many neurons a thread takes, and how often something is launched. What they compute is held against the CPU's
kernels, bit by bit. Needs a C++ compiler and the CUDA toolkit's headers."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_ops import cupy_ops, single
from snn_ops.ops import INCLUDE, OPERATORS, Kind, Operator, Time
from tests.ops.cases import CALLS, IDS, Shape, has_constant_current, random_inputs

ROOT = Path(__file__).parents[2]
ELEMENTS = {np.dtype(np.float32): 0, np.dtype(np.float16): 1}
SHAPES = (
    Shape(1, 17, (4, 3)),
    Shape(2, 2, (256,)),
    Shape(4, 1, (1021,)),  # odd: a thread takes one neuron
    Shape(5, 3, (2, 6, 4)),
    Shape(11, 2, (3, 5)),
    Shape(16, 1, (520,)),
    Shape(31, 2, (2, 2, 3)),
    Shape(3, 4, (1, 2, 1, 3, 2, 1, 2)),
)
DRIVER = """
#include "cuda/walk.cu"
using namespace onnx_snn;
static int launches = 0;
extern "C" {
void rehearsal_open() {}
void rehearsal_close() {}
void rehearsal_say(const char*) { ++launches; }
const char* cudaGetErrorString(cudaError_t) { return "error"; }
int launched() {
  const int n = launches;
  launches = 0;
  return n;
}
int in_groups(int element, const TemporalCall* call) {
  return element ? divides<__half>(4, *call) : divides<float>(4, *call);
}
const char* run(int variant, int element, const TemporalCall* call, const void* constants) {
  const char* error = call->n_neurons ? cuda_walk(Variant(variant), Element(element), *call, constants, nullptr) : nullptr;
  return error ? error : cuda_count_steps(*call, nullptr);
}
const char* repeat(int element, const void* x, void* y, int64_t n_steps, int64_t n) {
  return cuda_repeat(Element(element), x, y, n_steps, n, nullptr);
}
}
"""


def headers() -> Path:
    """Of the CUDA toolkit."""
    spec = importlib.util.find_spec("nvidia")
    nvcc = shutil.which("nvcc")
    folders = [
        *([Path(nvcc).resolve().parents[1] / "include"] if nvcc else []),
        *sorted(Path("/usr/local").glob("cuda*/include")),
        *(
            path
            for folder in (spec.submodule_search_locations or [] if spec else [])
            for path in Path(folder).glob("*/include")
        ),
    ]
    found = [folder for folder in folders if all((folder / n).exists() for n in ("cuda_fp16.h", "cuda_runtime_api.h"))]
    if not found:
        pytest.skip("no headers of the CUDA toolkit")
    return found[0]


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    compiler = next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)
    if compiler is None:
        pytest.skip("no C++ compiler on the PATH")
    folder = tmp_path_factory.mktemp("walk")
    (folder / "driver.cc").write_text(DRIVER)
    includes = [f"-I{ROOT / 'tools' / 'gpu_rehearsal' / 'include'}", f"-I{INCLUDE}", f"-I{headers()}"]
    flags = ["-std=c++17", "-shared", "-fPIC", "-O1", "-march=native", "-ffp-contract=off", "-w", *includes]
    subprocess.run([compiler, *flags, folder / "driver.cc", "-o", folder / "driver.so"], check=True)
    found = ctypes.CDLL(str(folder / "driver.so"))
    found.run.restype = found.repeat.restype = ctypes.c_char_p
    found.repeat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
    return found


def variants() -> dict[str, int]:
    """The numbers of structs in the library."""
    rows = re.findall(r"X\(\w+, (.+?)\) ?\\?$", (INCLUDE / "generated" / "variants.h").read_text(), re.MULTILINE)
    return {struct: number for number, struct in enumerate(rows)}


def shifted(array: np.ndarray, by: int) -> np.ndarray:
    """A copy that begins `by` elements behind a multiple of 64 bytes."""
    room = np.empty(array.nbytes + 128 + by * array.itemsize, np.uint8)
    begin = -room.ctypes.data % 64 + by * array.itemsize
    copy = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class Memory:
    """As `cupy_ops._Memory`: arrays at addresses that are multiples of 64, or one element behind."""

    def __init__(self, by: int) -> None:
        self.by, self.held = by, list[np.ndarray]()

    def uploaded(self, array: np.ndarray) -> int:
        return self.room(array).ctypes.data

    def room(self, array: np.ndarray) -> np.ndarray:
        self.held.append(shifted(np.asarray(array), self.by))
        return self.held[-1]


class Call:
    """An operator's call as the CUDA library gets it.

    Attributes:
        call: what the kernel is told.
        results: output, final states and step, after `run`.
    """

    def __init__(
        self, operator: Operator, inputs: Sequence[np.ndarray], attributes: dict[str, Any], by: int = 0
    ) -> None:
        given, self.attributes = operator.inputs_by_name(inputs), operator.checked_attributes(attributes)
        self.element, self.operator, memory = inputs[0].dtype, operator, Memory(by)
        neurons, steps = cupy_ops._neurons_and_steps(operator, given, self.attributes)
        rows = steps * neurons[0] if operator.time is Time.STEPS else neurons[0]
        self.results = [memory.room(np.full((rows, *neurons[1:]), -77, self.element))]
        self.results += [memory.room(np.full(neurons, -77, Kind.STATE.dtype(self.element))) for _ in operator.states]
        self.call = cupy_ops._call(operator, given, neurons, memory)  # type: ignore[arg-type]
        self.call.n_steps, self.call.output = steps, self.results[0].ctypes.data
        self.call.current_step = 0 if self.attributes.get("constant_current") else self.call.n_neurons
        self.call.output_step = self.call.n_neurons if operator.time is Time.STEPS else 0
        for index, final in enumerate(self.results[1:]):
            self.call.final_state[index] = final.ctypes.data
        if operator.counts_steps:
            self.results.append(memory.room(np.asarray(-77)))
            self.call.last_step = self.results[-1].ctypes.data
        self.memory = memory

    def run(self, library: ctypes.CDLL) -> list[np.ndarray]:
        kernel = self.operator.kernel
        assert kernel is not None
        constants = kernel.packed(self.attributes, np.dtype(np.float32))
        variant = variants()[kernel.variants[kernel.variant(self.attributes, np.dtype(np.float32))]]
        element = ELEMENTS[self.element]
        error = library.run(variant, element, ctypes.byref(self.call), constants.ctypes.data_as(ctypes.c_void_p))
        assert error is None, error
        return self.results

    def in_groups(self, library: ctypes.CDLL) -> bool:
        return bool(library.in_groups(ELEMENTS[self.element], ctypes.byref(self.call)))


def calls(
    op_type: str, attributes: dict[str, Any], element: np.dtype
) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
    """Attributes and inputs, of all shapes."""
    rng = np.random.default_rng(8)
    for constant in (0, 1) if has_constant_current(op_type) else (0,):
        given = {**attributes, **({"constant_current": constant} if has_constant_current(op_type) else {})}
        for shape in SHAPES:
            for _ in range(3):
                yield given, random_inputs(op_type, shape, element, rng, constant_current=constant)


KERNELS = [(call, name) for call, name in zip(CALLS, IDS, strict=True) if OPERATORS[call[0]].kernel is not None]


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize(("op_type", "attributes"), [call for call, _ in KERNELS], ids=[name for _, name in KERNELS])
def test_a_thread_of_one_neuron_and_of_several(op_type, attributes, element, library) -> None:
    """The same bits at addresses that are multiples of 16 bytes and at others, and those of the CPU's kernel."""
    operator, grouped = OPERATORS[op_type], 0
    cpu: dict[int, single.SingleOperator] = {}
    for given, inputs in calls(op_type, attributes, element):
        key = int(given.get("constant_current", 0))
        cpu[key] = cpu.get(key) or single.SingleOperator(op_type, **given)
        aligned, odd = (Call(operator, inputs, given, by) for by in (0, 1))
        grouped += aligned.in_groups(library)
        assert aligned.in_groups(library) == (aligned.call.n_neurons % 4 == 0)
        assert not odd.in_groups(library)
        names = [tensor.name for tensor in operator.outputs]
        for name, one, other, want in zip(
            names, odd.run(library), aligned.run(library), cpu[key](*inputs), strict=True
        ):
            np.testing.assert_array_equal(one, other, err_msg=name)
            np.testing.assert_array_equal(one, want, err_msg=name)
    assert grouped


@pytest.mark.parametrize("op_type", ["SigmaDelta", "RunningMean", "TimeMean", "PoissonSpiking", "IF"])
def test_launches(op_type, library) -> None:
    """One, in which `step` is counted, too; a second one where `step` is in place, and where nothing but `step` is to do."""
    operator, rng = OPERATORS[op_type], np.random.default_rng(0)
    for n, in_place, expected in ((17, False, 1), (16, False, 1), (16, True, 2), (0, False, 1), (0, True, 1)):
        inputs = random_inputs(op_type, Shape(3, 1, (n,)), np.dtype(np.float32), rng)
        call = Call(operator, inputs, {})
        if in_place and operator.counts_steps:
            call.call.last_step = call.call.first_step
        library.launched()
        results = call.run(library)
        if operator.counts_steps:
            last = ctypes.cast(call.call.last_step, ctypes.POINTER(ctypes.c_int64))
            assert last[0] == operator.run(*inputs)[-1]
            assert library.launched() == expected
        else:
            assert library.launched() == (1 if n else 0)
        np.testing.assert_allclose(results[0], operator.run(*inputs)[0], rtol=1e-5)


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize("n", [1, 4, 8, 12, 1021])
def test_repeat(element, n, library) -> None:
    for by in (0, 1):
        x, y = shifted(np.arange(n, dtype=element), by), shifted(np.zeros((5, n), element), by)
        assert library.repeat(ELEMENTS[element], x.ctypes.data, y.ctypes.data, 5, n) is None
        np.testing.assert_array_equal(y, np.broadcast_to(x, y.shape))


@pytest.mark.parametrize("state_of_half", [1, 2])
def test_a_neuron_outside_its_domain(state_of_half, library) -> None:
    """A LIF neuron that begins above its threshold takes one step of the general equation; the others of its thread do not."""
    voltage = np.zeros((1, 8), np.float32)
    voltage[0, 2 :: 4 // state_of_half] = 1.3
    x = np.random.default_rng(1).uniform(0, 3, (6, 8)).astype(np.float32)
    inputs = [x, np.asarray(6), np.float32(1), voltage, np.float32(0)]
    inputs = [np.asarray(array) for array in inputs]
    for found, want in zip(
        Call(OPERATORS["LIF"], inputs, {}).run(library), single.SingleOperator("LIF")(*inputs), strict=True
    ):
        np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize(
    ("shape", "neurons", "axes"),
    [
        ((), (2, 3), []),
        ((1, 1), (2, 3), []),
        ((3,), (2, 3), [(1, 3, 1)]),
        ((2, 3), (2, 3), [(1, 6, 1)]),
        ((2, 3, 4), (2, 3, 4), [(1, 24, 1)]),
        ((3, 1, 1), (2, 3, 5, 7), [(35, 3, 1)]),
        ((2, 1, 1, 1), (2, 3, 5, 7), [(105, 2, 1)]),
        ((3, 1, 7), (2, 3, 5, 7), [(1, 7, 1), (35, 3, 7)]),
        ((2, 1, 3, 1, 2, 1, 2, 1), (2,) * 2 + (3,) + (2,) * 5, [(2, 2, 1), (8, 2, 2), (32, 3, 4), (192, 2, 12)]),
    ],
)
def test_axes_of_an_operand(shape, neurons, axes) -> None:
    """Neighbours along which it changes are one: a channel has one axis, however many the neurons have."""
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    operand = cupy_ops._operand(array, neurons, lambda array: array.ctypes.data)
    found = [(axis.inner, axis.length, axis.stride) for axis in operand.axis[: operand.n_axes]]
    assert found == axes
    places = sum((np.arange(np.prod(neurons)) // inner % length * stride for inner, length, stride in axes), 0)
    np.testing.assert_array_equal(
        array.ravel()[places + np.zeros(np.prod(neurons), int)], np.broadcast_to(array, neurons).ravel()
    )
