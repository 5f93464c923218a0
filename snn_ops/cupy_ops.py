"""The operators on a GPU without our library: NVRTC compiles the kernels that nvcc compiles (kernels/cuda/walk_neuron.h),
CuPy launches them.

Inputs and outputs are NumPy arrays: onnxruntime-extensions hands an operator its data in host memory, so each call copies
them to the GPU and back. Currents are float32 or float64; CuPy compiles such that subnormal float32 numbers count as 0.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from snn_ops.ops import Operator, _time

INCLUDE = Path(__file__).parent / "kernels"
"""Where the headers are."""
COMPILER_OPTIONS = ("--std=c++17", "-fmad=false", f"-I{INCLUDE}")
"""For NVRTC. As in cmake/CudaKernels.cmake, no product is contracted with a sum."""
ENTRY = "onnx_snn_walk"
THREADS = 256
MAX_RANK = 8  # kernels/temporal.h
SMALL_STEP, SQUARE, CUBE = 0.125, 0.16652728, 0.03972288  # kernels/neurons.h, LIFSmallStep
AT_ONCE = ("CountIF", "LIFRate", "SoftLIFRate")
"""Operators that step once, whatever n_steps is."""
Attributes = Mapping[str, float | int]


class Device(Protocol):
    """Where a kernel runs."""

    def upload(self, array: np.ndarray) -> Any:
        """A copy on the device."""

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """Room on the device."""

    def address(self, array: Any) -> int:
        """Where the device sees it."""

    def download(self, array: Any) -> np.ndarray:
        """A copy in host memory."""

    def launch(self, source: str, neurons: int, arguments: Sequence[Any]) -> None:
        """Compiles the source, once, and runs `ENTRY` for this many neurons."""


class CupyDevice:
    """The current CUDA device, through CuPy.

    Raises:
        ImportError: CuPy is not installed.
        RuntimeError: there is no GPU.
    """

    def __init__(self) -> None:
        self._cupy: Any = importlib.import_module("cupy")
        if self._cupy.cuda.runtime.getDeviceCount() < 1:
            raise RuntimeError("no CUDA device")
        self._kernel = functools.lru_cache(maxsize=None)(self._compiled)

    def upload(self, array: np.ndarray) -> Any:
        """A copy on the GPU."""
        return self._cupy.asarray(array)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """Room on the GPU."""
        return self._cupy.empty(shape, dtype)

    def address(self, array: Any) -> int:
        """Its pointer."""
        return int(array.data.ptr)

    def download(self, array: Any) -> np.ndarray:
        """A copy in host memory."""
        return np.asarray(self._cupy.asnumpy(array))

    def launch(self, source: str, neurons: int, arguments: Sequence[Any]) -> None:
        """A thread per neuron."""
        self._kernel(source)((-(-neurons // THREADS),), (THREADS,), tuple(arguments))

    def _compiled(self, source: str) -> Any:
        return self._cupy.RawModule(code=source, options=COMPILER_OPTIONS, backend="nvrtc").get_function(ENTRY)


@functools.cache
def _digest(folder: Path) -> str:
    """Of the headers. CuPy keeps compiled kernels on disk by their source alone: without it, it would go on using those of an
    older release."""
    names = ("neurons.h", "temporal.h", "cuda/walk_neuron.h")
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()


@dataclass(frozen=True)
class Kernel:
    """A compiled neuron of kernels/neurons.h and its constants, as kernels/operators/*.h choose them.

    Attributes:
        neuron: the struct.
        constants: its `Constants<S>`, as pairs of a type ("S", "double" or "long long") and a number.
    """

    neuron: str
    constants: Sequence[tuple[str, float | int]] = field(default=())

    def source(self, element: np.dtype) -> str:
        """What is compiled for currents of this type."""
        kind = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}[element]
        return f"""// {_digest(INCLUDE)}
#include "cuda/walk_neuron.h"
using namespace onnx_snn;
extern "C" __global__ void {ENTRY}(const TemporalCall* call, const {self.neuron}::Constants<{kind}>* constants) {{
  const int64_t neuron = int64_t(blockIdx.x) * {THREADS} + threadIdx.x;
  if (neuron < call->n_neurons) walk_neuron<{self.neuron}, {kind}>(*call, *constants, neuron);
}}
"""

    def packed(self, element: np.dtype) -> np.ndarray:
        """The constants as the bytes of the struct."""
        types = {"S": element, "double": np.dtype(np.float64), "long long": np.dtype(np.int64)}
        fields = [(f"_{index}", types[kind]) for index, (kind, _) in enumerate(self.constants)]
        struct = np.zeros((), np.dtype(fields or [("_", np.dtype(np.uint8))], align=True))
        for name, (_, value) in zip(struct.dtype.names or (), self.constants, strict=False):
            struct[name] = value
        return struct.reshape(1).view(np.uint8)


class _Operand(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("stride", ctypes.c_int64 * MAX_RANK), ("uniform", ctypes.c_bool))


class _TemporalCall(ctypes.Structure):
    """kernels/temporal.h, TemporalCall."""

    _fields_ = (
        ("current", ctypes.c_void_p),
        ("current_step", ctypes.c_int64),
        ("output", ctypes.c_void_p),
        ("output_step", ctypes.c_int64),
        ("n_steps", ctypes.c_int64),
        ("duration", ctypes.c_int64),
        ("n_neurons", ctypes.c_int64),
        ("rank", ctypes.c_int),
        ("dims", ctypes.c_int64 * MAX_RANK),
        ("parameter", _Operand * 2),
        ("state", _Operand * 3),
        ("final_state", ctypes.c_void_p * 3),
        ("first_step", ctypes.c_void_p),
        ("last_step", ctypes.c_void_p),
        ("first_sample", ctypes.c_void_p),
        ("neurons_per_sample", ctypes.c_int64),
    )


def _lif(a: Attributes, element: np.dtype) -> Kernel:
    small = element == np.float32 and a["dt"] / a["tau_rc"] <= SMALL_STEP
    adaptation = [("S", a["dt"] / a["tau_n"]), ("S", a["inc_n"])] if "tau_n" in a else [("S", 0), ("S", 0)]
    numbers = [("S", a[name]) for name in ("tau_rc", "tau_ref", "min_voltage", "dt")]
    derived = [("S", 1 / a["tau_rc"]), ("S", _slope(a, element)), ("S", a["tau_ref"] + a["dt"])]
    neuron = "LIFSmallStep" if small else "LIF"
    return Kernel(
        f"Adaptive<{neuron}>" if "tau_n" in a else neuron,
        [*numbers, *derived, ("double", a["dt"]), *adaptation],
    )


def _slope(a: Attributes, element: np.dtype) -> float:
    """kernels/operators/lif.h, slope."""
    dt, tau_rc, rate = (element.type(value) for value in (a["dt"], a["tau_rc"], 1 / a["tau_rc"]))
    y, decay = float(-dt * rate), float(element.type(math.expm1(-dt / tau_rc)))
    return (decay - y) / (y * y) - y * (SQUARE + y * CUBE)


def _numbers(neuron: str, *names: str) -> Callable[[Attributes, np.dtype], Kernel]:
    """Constants that are attributes as they stand."""
    return lambda a, element: Kernel(neuron, [("S", a[name]) for name in names])


def _counting(neuron: str) -> Callable[[Attributes, np.dtype], Kernel]:
    """A neuron with most spikes per step, and with two variants where it has the attribute `signed`."""

    def kernel(a: Attributes, element: np.dtype) -> Kernel:
        variant = f"<{'true' if a['signed'] else 'false'}>" if "signed" in a else ""
        return Kernel(neuron + variant, [("long long", a["max_spikes"])])

    return kernel


def _from_rate(neuron: str) -> Callable[[Attributes, np.dtype], Kernel]:
    return lambda a, element: Kernel(neuron, [("S", a["dt"]), ("double", a["dt"]), ("long long", a.get("seed", 0))])


def _filter(neuron: str) -> Callable[[Attributes, np.dtype], Kernel]:
    def kernel(a: Attributes, element: np.dtype) -> Kernel:
        decay = math.exp(-a["dt"] / a["tau"]) if a["tau"] > 0 else 0.0
        return Kernel(neuron, [("S", decay), ("S", a["dt"] / a["tau"] * decay if a["tau"] > 0 else 0.0)])

    return kernel


def _izhikevich(a: Attributes, element: np.dtype) -> Kernel:
    names = ("tau_recovery", "coupling", "reset_voltage", "reset_recovery", "dt")
    return Kernel("Izhikevich", [*(("S", a[name]) for name in names), ("double", a["dt"])])


KERNELS: dict[str, Callable[[Attributes, np.dtype], Kernel]] = {
    "IF": _counting("IFCounting"),
    "CountIF": _counting("CountIF"),
    "FewSpike": _numbers("FewSpike"),
    "LIF": _lif,
    "AdaptiveLIF": _lif,
    "LIFRate": _numbers("LIFRate", "tau_rc", "tau_ref"),
    "SoftLIFRate": _numbers("SoftLIFRate", "tau_rc", "tau_ref", "sigma"),
    "Izhikevich": _izhikevich,
    "RegularSpiking": _from_rate("RegularSpiking"),
    "StochasticSpiking": _from_rate("StochasticSpiking"),
    "PoissonSpiking": _from_rate("PoissonSpiking"),
    "SigmaDelta": _counting("SigmaDelta"),
    "Lowpass": _filter("Lowpass"),
    "Alpha": _filter("Alpha"),
    "RunningMean": _numbers("RunningMean"),
    "RunningDifference": _numbers("RunningDifference"),
    "TimeMean": _numbers("RunningMean"),
}
"""By operator; TimeRepeat only moves data, which are in host memory anyway."""


def kernel_of(operator: Operator, attributes: Attributes, element: np.dtype) -> Kernel:
    """The kernel for these attributes.

    Raises:
        ValueError: an attribute that the operator does not take.
    """
    return KERNELS[operator.name](operator.values(attributes), element)


def run(
    device: Device, operator: Operator, inputs: Sequence[np.ndarray], attributes: Attributes
) -> tuple[np.ndarray, ...]:
    """The operator on NumPy arrays, computed on the device.

    Raises:
        ValueError: n_steps, a shape or an attribute that the operator does not take.
    """
    if operator.name not in KERNELS:
        return operator.run(*inputs, **attributes)
    given = operator.named(inputs)
    x, element = inputs[0], inputs[0].dtype
    kernel = kernel_of(operator, attributes, element)
    duration = given.get("n_steps", 1)
    through_time = operator.name not in AT_ONCE
    constant = int(attributes.get("constant_current", 0))
    neurons = _time.split(x, duration, constant).shape[1:] if through_time else x.shape
    steps = duration if through_time else 1
    keeps_time = through_time and operator.name != "TimeMean"
    held: list[Any] = []

    def uploaded(array: np.ndarray) -> int:
        held.append(device.upload(np.ascontiguousarray(array)))
        return device.address(held[-1])

    def room(shape: tuple[int, ...]) -> Any:
        held.append(device.empty(shape, element))
        return held[-1]

    count = math.prod(neurons)
    output = room((steps * neurons[0], *neurons[1:]) if keeps_time else neurons)
    call = _TemporalCall(
        current=uploaded(x),
        current_step=0 if constant else count,
        output=device.address(output),
        output_step=count if keeps_time else 0,
        n_steps=steps,
        duration=duration,
        n_neurons=count,
        neurons_per_sample=math.prod(neurons[1:]),
    )
    lengths = [length for length in neurons if length != 1]
    if len(lengths) > MAX_RANK:
        raise ValueError(f"{operator.inputs[0].name} has more than {MAX_RANK} axes")
    call.rank, call.dims[: len(lengths)] = len(lengths), lengths
    states = [tensor.name.removesuffix("_out") for tensor in operator.outputs[1:] if tensor.type == "S"]
    parameters = [t.name for t in operator.inputs[1:] if t.type == "S" and t.name not in states]
    finals = [room(neurons) for _ in states]
    for index, name in enumerate(parameters):
        call.parameter[index] = _operand(given[name].astype(element), neurons, uploaded)
    for index, (name, final) in enumerate(zip(states, finals, strict=True)):
        call.state[index] = _operand(given[name].astype(element), neurons, uploaded)
        call.final_state[index] = device.address(final)
    for name, target in (("step", "first_step"), ("first_sample", "first_sample")):
        if name in given:
            setattr(call, target, uploaded(np.asarray(given[name], np.int64)))
    if count:
        arguments = [np.frombuffer(bytes(call), np.uint8), kernel.packed(element)]
        device.launch(kernel.source(element), count, [device.upload(argument) for argument in arguments])
    results = [device.download(array) for array in (output, *finals)]
    if "step" in given:
        results.append(np.asarray(given["step"] + steps, np.int64))
    return tuple(results)


def _operand(array: np.ndarray, neurons: tuple[int, ...], uploaded: Callable[[np.ndarray], int]) -> _Operand:
    """The array read with NumPy's broadcasting, axes of length 1 left out."""
    array = np.ascontiguousarray(array)
    strides = np.broadcast_to(array, neurons).strides
    kept = [s // array.itemsize for s, length in zip(strides, neurons, strict=True) if length != 1]
    operand = _Operand(data=uploaded(array), uniform=array.size == 1)
    operand.stride[: len(kept)] = kept
    return operand
