"""Every operator's CUDA kernel against the NumPy reference and the CPU kernel, without ONNX Runtime's CUDA provider."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_ops.cupy_ops import Bound, bind
from snn_ops.ops import OPERATORS, STEP_OUT, Operator
from snn_ops.single import SingleOperator
from tests.ops.cases import CALLS, Shape, has_constant_current, random_inputs
from tools.gpu.library import Array, Device, unwritten

ELEMENTS = (np.dtype(np.float32), np.dtype(np.float16))

SMALL = (
    Shape(4, 3, (5, 7)),
    Shape(32, 1, (257,)),
    Shape(1, 17, (4, 3)),
    Shape(9, 2, (8, 8)),
    Shape(5, 1, (1,)),
    Shape(7, 0, (4,)),
    Shape(4, 2, (1, 2, 1, 3, 2, 2, 1, 2)),
)
"""T = 1, 4, 32, odd sizes, one neuron, none, as many axes as there may be."""
LARGE = (*SMALL, Shape(30, 3, (5, 7, 11)), Shape(100, 1, (1021,)), Shape(32, 2, (64, 4, 4)))
"""Of all operators, forms and types together more than 30 million values."""

ROUNDS_FUNCTIONS = ("LIF", "AdaptiveLIF", "LIFRate", "SoftLIFRate", "PoissonSpiking")
"""Operators with exp or log: a GPU's may round otherwise than the host's. All others give the CPU's bits."""
_ROUNDING = 1e-5
"""Of their outputs that are no spikes, relative and absolute."""
SHARE = 1e-5
"""Of the values of those, which may differ; and of all against NumPy, as tests/ops/test_agreement.py allows."""
TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float16): 2e-3}
"""Of outputs that are no spikes against NumPy, relative, and absolute for each step."""


@dataclass(frozen=True)
class Form:
    """How a call is made.

    Attributes:
        shifted: arrays begin one element behind a round address.
        in_place: final states, and the number of steps, go where the initial ones lie.
        variant: a compiled neuron that the native library takes where the last state is not wanted, or None.
    """

    shifted: bool = False
    in_place: bool = False
    variant: str | None = None


@dataclass
class Row:
    """What became of one operator in one type.

    Attributes:
        operator: its op_type.
        type: of the currents.
        values: of all outputs, compared.
        unlike_kernel: those that are not the CPU kernel's.
        unlike_numpy: those of the first output that are not NumPy's, within `TOLERANCE` where they are no spikes.
        unwritten: those that nobody wrote.
        beside: arrays beside which somebody wrote.
        allowed: of `unlike_kernel`.
    """

    operator: str
    type: str
    values: int = 0
    unlike_kernel: int = 0
    unlike_numpy: int = 0
    unwritten: int = 0
    beside: int = 0
    allowed: int = 0

    @property
    def is_good(self) -> bool:
        """Nothing is wrong beyond what rounding explains."""
        few_unlike = self.unlike_numpy <= self.values * SHARE and self.unlike_kernel <= self.allowed
        return few_unlike and not self.unwritten and not self.beside


def rows(device: Device, shapes: Sequence[Shape], *, exact: bool) -> Iterator[Row]:
    """A row for each operator and type.

    Args:
        device: where the kernels run.
        shapes: of the calls.
        exact: exp and log are the host's.
    """
    for op_type in OPERATORS:
        rounds = not exact and op_type in ROUNDS_FUNCTIONS
        for element in ELEMENTS:
            row, rng = Row(op_type, element.name), np.random.default_rng(5)
            for attributes in (given for name, given in CALLS if name == op_type):
                for given in _with_constant_current(op_type, attributes):
                    _compare(device, row, given, shapes, rng, _ROUNDING if rounds else 0)
            row.allowed = int(row.values * SHARE) if rounds else 0
            yield row


def _with_constant_current(op_type: str, attributes: dict[str, Any]) -> list[dict[str, Any]]:
    given = {**OPERATORS[op_type].defaults, **attributes}
    return [given | {"constant_current": flag} for flag in (0, 1)] if has_constant_current(op_type) else [given]


def _compare(
    device: Device,
    row: Row,
    given: dict[str, Any],
    shapes: Sequence[Shape],
    rng: np.random.Generator,
    rounding: float,
) -> None:
    """Adds all forms of a call, in all shapes, to the row."""
    operator, element = OPERATORS[row.operator], np.dtype(row.type)
    on_cpu = SingleOperator(operator.name, **given)
    for shape in shapes:
        constant = given.get("constant_current", 0)
        inputs = random_inputs(operator.name, shape, element, rng, constant_current=constant)
        reference, kernel = operator.run(*inputs, **given), on_cpu(*inputs)
        for form in forms(operator, given):
            found = outputs(device, operator, inputs, given, form)
            row.beside += sum(not array.guards_are_whole() for array in found if array)
            for index, (array, expected, tensor) in enumerate(zip(found, kernel, operator.outputs, strict=True)):
                if array is None:
                    continue
                got, is_spikes = array.numpy(), tensor.name == "spikes"
                row.values += got.size
                row.unwritten += unwritten(got)
                row.unlike_kernel += _unlike(got, expected, 0 if is_spikes else rounding)
                if index == 0:
                    tolerance = 0 if is_spikes else TOLERANCE[element]
                    row.unlike_numpy += _unlike(got, reference[0], tolerance, tolerance * shape.n_steps)


def _unlike(found: np.ndarray, expected: np.ndarray, relative: float, absolute: float = 0.0) -> int:
    near = np.isclose(found, expected, rtol=relative, atol=absolute or relative, equal_nan=True)
    return int((~near).sum())


def forms(operator: Operator, given: dict[str, Any]) -> list[Form]:
    """The ways to call it."""
    found = [Form(), Form(shifted=True)]
    if operator.states:
        found.append(Form(in_place=True))
    if operator.name == "IF" and given["max_spikes"] == 1 and not given["signed"]:
        found.append(Form(variant="IF"))
    return found


def outputs(
    device: Device, operator: Operator, inputs: Sequence[np.ndarray], given: dict[str, Any], form: Form
) -> list[Array | None]:
    """All outputs of a call, on the device; None for one that this form does not give."""
    device.shifted = form.shifted
    try:
        if operator.kernel is None:
            return _repeated(device, inputs)
        bound, found = _bound(device, operator, inputs, given, form)
        device.variant = form.variant
        bound.launch()
        device.synchronize()
        return found
    finally:
        device.shifted, device.variant = False, None


def _repeated(device: Device, inputs: Sequence[np.ndarray]) -> list[Array | None]:
    x, n_steps = device.upload(inputs[0]), int(inputs[1])
    y = device.empty((n_steps * x.shape[0], *x.shape[1:]), x.dtype)
    device.repeat(x, y, n_steps)
    return [y]


def _bound(
    device: Device, operator: Operator, inputs: Sequence[np.ndarray], given: dict[str, Any], form: Form
) -> tuple[Bound, list[Array | None]]:
    assert operator.kernel is not None
    if form.in_place:
        inputs = _with_full_states(operator, inputs, given)
    bound = bind(device, operator, operator.kernel, inputs, given)
    names = [tensor.name for tensor in operator.outputs]
    found: dict[str, Array | None] = dict(
        zip([name for name in names if name != STEP_OUT.name], bound.outputs, strict=True)
    )
    for index, value in enumerate(operator.values):
        if form.in_place:
            address = bound.call.state[index].data
            bound.call.final_state[index] = address
            found[value.output] = device.array_at(address)
        if form.variant and value.matters_if:
            bound.call.final_state[index] = None
            found[value.output] = None
    if operator.counts_steps:
        last = device.array_at(bound.call.first_step) if form.in_place else device.empty((), np.dtype(np.int64))
        bound.call.last_step = last.address
        found[STEP_OUT.name] = last
    return bound, [found[name] for name in names]


def _with_full_states(operator: Operator, inputs: Sequence[np.ndarray], given: dict[str, Any]) -> list[np.ndarray]:
    """The same inputs, each state a value for each neuron."""
    neurons = operator.run(*inputs, **given)[1].shape
    states = {value.name for value in operator.values}
    pairs = zip(operator.inputs, inputs, strict=True)
    return [np.array(np.broadcast_to(x, neurons)) if tensor.name in states else x for tensor, x in pairs]
