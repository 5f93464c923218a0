"""How fast the CUDA kernels are by themselves: by events on the device, on random currents made there, beside a copy."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from snn_ops.cupy_ops import bind
from snn_ops.ops import OPERATORS, Kind, Operator, Time
from tools.expected_figures import steps_taken
from tools.gpu.library import Device
from tools.gpu.rows import attempt

STEPS = 32
REPEATS = 15
WARM_UP = 3
CHANNELS, SIDE = 64, 32
"""Of the neurons: [batch, channels, side, side]."""
MOST_WITH_STATES = 32_000_000
"""Neurons whose parameters and states are uploaded: made on the host, more would take long there."""

ELEMENTS = (np.dtype(np.float32), np.dtype(np.float16))


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        operator: its op_type.
        operands: "scalar"; "channel", parameters for each channel; or "full", these and states for each neuron, written back.
        n_steps: T.
        attributes: that differ from the defaults.
        variant: a compiled neuron in place of the operator's own, as the native library chooses where the last state is not
            wanted.
    """

    operator: str
    operands: str = "scalar"
    n_steps: int = STEPS
    attributes: tuple[tuple[str, float], ...] = ()
    variant: str | None = None


SHORT = {"FewSpikeMean": 8, "MultiThresholdSum": 8, "TimeLast": 2}
"""Steps of operators that look at one current, where 32 are unusual or would fill the memory."""
CASES = (
    *(Case(op_type, n_steps=SHORT.get(op_type, STEPS)) for op_type in OPERATORS),
    Case("IF", variant="IF"),
    Case("MultiThresholdSum", n_steps=6, variant="MultiThresholdSum6"),
    Case("IF", attributes=(("max_spikes", 4),)),
    Case("LIF", attributes=(("tau_rc", 0.003),)),
    *(
        Case(op_type, operands, n_steps)
        for op_type in ("IF", "LIF", "SigmaDelta")
        for n_steps in (1, 4, STEPS)
        for operands in ("channel", "full")
    ),
)


def rows(device: Device, neurons: int) -> Iterator[dict[str, Any]]:
    """A row for each case and type: as many currents are read for every T, those of so many neurons at `STEPS`."""
    measure(device, CASES[0], ELEMENTS[0], neurons * STEPS)  # until the card has its full speed
    for case in CASES:
        for element in ELEMENTS:
            yield attempt(_about(case, element), partial(measure, device, case, element, neurons * STEPS))


def measure(device: Device, case: Case, element: np.dtype, currents: int) -> dict[str, Any]:
    """Milliseconds, bytes a second, and the share of the copy: its time over the kernel's."""
    operator = OPERATORS[case.operator]
    neurons = currents // (case.n_steps if operator.kernel is None else _rows(operator, case))
    if case.operands == "full":
        neurons = min(neurons, MOST_WITH_STATES)
    batch = max(1, neurons // (CHANNELS * SIDE * SIDE))
    run, moved = _prepared(device, operator, case, element, (batch, CHANNELS, SIDE, SIDE))
    source, target = (device.empty((moved // 4,), np.dtype(np.float16)) for _ in range(2))
    device.draw(source, 0, 1)

    def copy() -> None:
        device.copy(target, source)

    times, copies = (device.milliseconds(action, WARM_UP + REPEATS)[WARM_UP:] for action in (run, copy))
    time, copy_time = statistics.median(times), statistics.median(copies)
    return {
        **_about(case, element),
        "neurons": batch * CHANNELS * SIDE * SIDE,
        "milliseconds": time,
        "GB/s": moved / time / 1e6,
        "copy_GB/s": moved / copy_time / 1e6,
        "share_of_copy": copy_time / time,
        "spread": (max(times) - min(times)) / time,
    }


def _about(case: Case, element: np.dtype) -> dict[str, Any]:
    return {
        "operator": case.operator,
        **dict(case.attributes),
        **({"variant": case.variant} if case.variant else {}),
        "operands": case.operands,
        "n_steps": case.n_steps,
        "type": element.name,
    }


def _prepared(
    device: Device, operator: Operator, case: Case, element: np.dtype, neurons: tuple[int, ...]
) -> tuple[Any, int]:
    """A run, and the bytes that it must read and write."""
    x = _current(operator, case, element, neurons)
    if operator.kernel is None:
        given = device.upload(x)
        device.draw(given, *operator.usual)
        output = device.empty((case.n_steps * x.shape[0], *x.shape[1:]), element)
        return lambda: device.repeat(given, output, case.n_steps), given.nbytes + output.nbytes
    inputs = [x, *(_operand(operator, tensor.name, tensor.kind, case, neurons) for tensor in operator.inputs[1:])]
    bound = bind(device, operator, operator.kernel, inputs, {**operator.defaults, **dict(case.attributes)})
    current = device.array_at(bound.call.current)
    device.draw(current, *operator.usual, seed=1)
    moved = current.nbytes // _rows(operator, case) * steps_taken(operator, case.n_steps) + bound.outputs[0].nbytes
    if case.operands == "full":
        moved += sum(array.nbytes for array in inputs[1:] if array.size >= math.prod(neurons))
        moved += sum(state.nbytes for state in bound.outputs[1:])
    else:
        bound.call.final_state[:] = [None] * len(bound.call.final_state)

    def run() -> None:
        device.variant = case.variant
        bound.launch()
        device.variant = None

    return run, moved


def _current(operator: Operator, case: Case, element: np.dtype, neurons: tuple[int, ...]) -> np.ndarray:
    """Its shape; the numbers are made on the device."""
    return np.broadcast_to(element.type(0), (_rows(operator, case) * neurons[0], *neurons[1:]))


def _rows(operator: Operator, case: Case) -> int:
    """Time steps of the currents."""
    return case.n_steps if operator.time in (Time.STEPS, Time.LAST) else 1


def _operand(operator: Operator, name: str, kind: Kind, case: Case, neurons: tuple[int, ...]) -> np.ndarray:
    if kind is Kind.INTEGER:
        return np.asarray(case.n_steps if name == "n_steps" else 0, np.int64)
    states = {value.name: value for value in operator.values}
    if name in states:
        value = float(states[name].at_rest({**operator.defaults, **dict(case.attributes)}))
        return np.full(neurons if case.operands == "full" else (), value, np.float32)
    default = next(p.default for p in operator.parameters if p.name == name)
    return np.full(() if case.operands == "scalar" else (CHANNELS, 1, 1), default, np.float32)
