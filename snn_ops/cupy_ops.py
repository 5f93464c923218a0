"""The operators on a GPU without our library: NVRTC compiles the kernels that nvcc compiles (kernels/cuda/walk_neuron.h),
CuPy launches them.

Inputs and outputs are NumPy arrays: onnxruntime-extensions hands an operator its data in host memory, so each call copies
them to the GPU and back. Currents are float32 or float64; CuPy compiles such that subnormal float32 numbers count as 0.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from snn_ops.ops import COMPILER_OPTIONS, ENTRY, STEP_OUT, THREADS, Attributes, Kernel, Kind, Operator, Time, time_axis

MAX_RANK = 8  # kernels/temporal.h
MAX_AXES = MAX_RANK // 2
MAX_PARAMETERS = 3
MAX_STATES = 4


class Device(Protocol):
    """Where a kernel runs."""

    def upload(self, array: np.ndarray) -> Any:
        """A copy on the device, contiguous there."""

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """Room on the device."""

    def address(self, array: Any) -> int:
        """Where the device sees it."""

    def download(self, array: Any) -> np.ndarray:
        """A copy in host memory."""

    def launch(self, kernel: Kernel, attributes: Attributes, element: np.dtype, call: TemporalCall) -> None:
        """Runs the kernel, for the neurons of the call."""


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
        return self._cupy.asarray(np.ascontiguousarray(array))

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """Room on the GPU."""
        return self._cupy.empty(shape, dtype)

    def address(self, array: Any) -> int:
        """Its pointer."""
        return int(array.data.ptr)

    def download(self, array: Any) -> np.ndarray:
        """A copy in host memory."""
        return np.asarray(self._cupy.asnumpy(array))

    def launch(self, kernel: Kernel, attributes: Attributes, element: np.dtype, call: TemporalCall) -> None:
        """Compiles the kernel, once, and runs `ENTRY` with a thread per neuron."""
        if call.n_neurons == 0:
            return
        arguments = [np.frombuffer(bytes(call), np.uint8), kernel.packed(attributes, element)]
        blocks = -(-call.n_neurons // THREADS)
        self._kernel(kernel.source(attributes, element))((blocks,), (THREADS,), tuple(map(self.upload, arguments)))

    def _compiled(self, source: str) -> Any:
        return self._cupy.RawModule(code=source, options=COMPILER_OPTIONS, backend="nvrtc").get_function(ENTRY)


class _Axis(ctypes.Structure):
    """kernels/temporal.h, Axis."""

    _fields_ = (("inner", ctypes.c_int64), ("length", ctypes.c_int64), ("stride", ctypes.c_int64))


class _Operand(ctypes.Structure):
    """kernels/temporal.h, Operand."""

    _fields_ = (("data", ctypes.c_void_p), ("n_axes", ctypes.c_int), ("axis", _Axis * MAX_AXES))


class TemporalCall(ctypes.Structure):
    """kernels/temporal.h, TemporalCall."""

    _fields_ = (
        ("current", ctypes.c_void_p),
        ("current_step", ctypes.c_int64),
        ("output", ctypes.c_void_p),
        ("output_step", ctypes.c_int64),
        ("n_steps", ctypes.c_int64),
        ("duration", ctypes.c_int64),
        ("n_neurons", ctypes.c_int64),
        ("parameter", _Operand * MAX_PARAMETERS),
        ("state", _Operand * MAX_STATES),
        ("final_state", ctypes.c_void_p * MAX_STATES),
        ("first_step", ctypes.c_void_p),
        ("last_step", ctypes.c_void_p),
        ("first_sample", ctypes.c_void_p),
        ("neurons_per_sample", ctypes.c_int64),
    )


class _Memory:
    """What a call holds on the device, until its results are back."""

    def __init__(self, device: Device) -> None:
        self._device, self._held = device, list[Any]()

    def uploaded(self, array: np.ndarray) -> int:
        """The address of a copy."""
        self._held.append(self._device.upload(array))
        return self._device.address(self._held[-1])

    def room(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """An array to be written."""
        self._held.append(self._device.empty(shape, dtype))
        return self._held[-1]


@dataclass(frozen=True)
class Bound:
    """An operator whose inputs lie on a device, beside room for its outputs.

    Attributes:
        call: what the kernel is told.
        outputs: on the device, in the operator's order, without the number of steps.
        launch: runs the kernel; it may be called again.
        memory: what the call points to; it stays as long as this does.
    """

    call: TemporalCall
    outputs: tuple[Any, ...]
    launch: Callable[[], None]
    memory: _Memory


def run(
    device: Device, operator: Operator, inputs: Sequence[np.ndarray], attributes: Attributes
) -> tuple[np.ndarray, ...]:
    """The operator on NumPy arrays, computed on the device; what only moves data runs on the host, where they are anyway.

    Raises:
        TypeError: an attribute that the operator does not have.
        ValueError: n_steps, a shape or an attribute that the operator does not take.
    """
    if operator.kernel is None:
        return operator.run(*inputs, **attributes)
    bound = bind(device, operator, operator.kernel, inputs, attributes)
    bound.launch()
    results = [device.download(array) for array in bound.outputs]
    if operator.counts_steps:
        step = operator.inputs_by_name(inputs)["step"]
        results.insert(operator.outputs.index(STEP_OUT), np.asarray(step + bound.call.n_steps, np.int64))
    return tuple(results)


def bind(
    device: Device, operator: Operator, kernel: Kernel, inputs: Sequence[np.ndarray], attributes: Attributes
) -> Bound:
    """The operator, whose kernel this is, ready to be run on these inputs.

    Raises:
        TypeError: an attribute that the operator does not have.
        ValueError: n_steps, a shape or an attribute that the operator does not take.
    """
    given, checked = operator.inputs_by_name(inputs), operator.checked_attributes(attributes)
    memory, element = _Memory(device), inputs[0].dtype
    neurons, steps = _neurons_and_steps(operator, given, checked)
    keeps_steps = operator.time is Time.STEPS
    output = memory.room((steps * neurons[0], *neurons[1:]) if keeps_steps else neurons, element)
    finals = {state.output: memory.room(neurons, Kind.STATE.dtype(element)) for state in operator.values}
    call = _call(operator, given, neurons, memory)
    call.n_steps = steps
    call.current_step = 0 if checked.get("constant_current") else call.n_neurons
    call.output, call.output_step = device.address(output), call.n_neurons if keeps_steps else 0
    for index, final in enumerate(finals.values()):
        call.final_state[index] = device.address(final)

    def launch() -> None:
        device.launch(kernel, checked, element, call)

    in_order = [finals[tensor.name] for tensor in operator.outputs if tensor.name in finals]
    return Bound(call, (output, *in_order), launch, memory)


def _neurons_and_steps(
    operator: Operator, given: dict[str, Any], attributes: Attributes
) -> tuple[tuple[int, ...], int]:
    """The shape of the neurons, and how often each steps.

    Raises:
        ValueError: n_steps is below 1 or does not divide the first axis, or the input has no axis.
    """
    x, at_once = given[operator.input.name], operator.time is Time.AT_ONCE
    if operator.time is Time.NONE:
        return x.shape, 1
    through_time = time_axis.split(x, given["n_steps"], int(at_once or attributes.get("constant_current", 0)))
    return through_time.shape[1:], 1 if at_once else given["n_steps"]


def _call(operator: Operator, given: dict[str, Any], neurons: tuple[int, ...], memory: _Memory) -> TemporalCall:
    """What the kernel is told of its inputs, which it finds on the device.

    Raises:
        ValueError: an operand does not broadcast to the neurons' shape, or that has too many axes.
    """
    if sum(length != 1 for length in neurons) > MAX_RANK:
        raise ValueError(f"{operator.input.name} has more than {MAX_RANK} axes")
    x = given[operator.input.name]
    call = TemporalCall(
        current=memory.uploaded(x),
        duration=given.get("n_steps", 1),
        n_neurons=math.prod(neurons),
        neurons_per_sample=math.prod(neurons[1:]),
    )
    names = ([p.name for p in operator.parameters], [s.name for s in operator.values])
    for operands, of in zip((call.parameter, call.state), names, strict=True):
        for index, name in enumerate(of):
            operands[index] = _operand(given[name].astype(Kind.STATE.dtype(x.dtype)), neurons, memory.uploaded)
    for name, target in (("step", "first_step"), ("first_sample", "first_sample")):
        if name in given:
            setattr(call, target, memory.uploaded(np.asarray(given[name], np.int64)))
    return call


def _operand(array: np.ndarray, neurons: tuple[int, ...], uploaded: Callable[[np.ndarray], int]) -> _Operand:
    """The array read with NumPy's broadcasting; see kernels/temporal.h.

    Raises:
        ValueError: it does not broadcast.
    """
    array = np.ascontiguousarray(array)
    strides = np.broadcast_to(array, neurons).strides
    axes, inner, changes = list[_Axis](), 1, False
    for length, stride in zip(reversed(neurons), reversed(strides), strict=True):
        if length == 1:
            continue
        if changes and stride:
            axes[-1].length *= length
        elif stride:
            axes.append(_Axis(inner, length, stride // array.itemsize))
        changes, inner = bool(stride), inner * length
    operand = _Operand(data=uploaded(array), n_axes=len(axes))
    operand.axis[: len(axes)] = axes
    return operand
