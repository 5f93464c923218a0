"""Bad input to an operator is an ONNX Runtime error with the operator's name and the reason, never a crash."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from snn_ops.ops import OPERATORS, Kind, Time
from snn_ops.ops._signature import ABOVE_0, AT_LEAST_1, FLAG, NOT_ABOVE_0, NOT_NEGATIVE
from snn_ops.single import operator_model
from tests.ops.cases import CALLS, IDS, Shape, has_constant_current, random_inputs
from tests.ops.provider import SingleOperator

X = np.ones((6, 5), np.float32)
ZERO = np.zeros((), np.float32)
ONE = np.ones((), np.float32)
STEPS = np.asarray(3)
ATTRIBUTES_OF = [(name, attribute) for name, operator in OPERATORS.items() for attribute in operator.attributes]


def good(op_type: str) -> dict[str, np.ndarray]:
    """T = 3 steps of 2 samples of 5 neurons."""
    inputs = random_inputs(op_type, Shape(3, 2, (5,)), np.float32, np.random.default_rng(0))
    return dict(zip((tensor.name for tensor in OPERATORS[op_type].inputs), inputs, strict=True))


def refused(op_type: str, inputs: dict[str, np.ndarray], reason: str, **attributes: float | int) -> None:
    """The operator takes good input, and refuses this one with its name and the reason."""
    SingleOperator(op_type, **attributes)(*good(op_type).values())
    with pytest.raises(Exception, match=re.escape(f"{op_type}: {reason}")):
        SingleOperator(op_type, **attributes)(*{**good(op_type), **inputs}.values())


TAKES_STEPS = [name for name, op in OPERATORS.items() if op.time is not Time.NONE]
SPLITS_TIME = [name for name, op in OPERATORS.items() if op.time in (Time.STEPS, Time.LAST)]
OPERANDS = [(name, t.name) for name, op in OPERATORS.items() for t in op.inputs if t.kind is Kind.STATE]
NUMBERS = [(name, t.name) for name, op in OPERATORS.items() for t in op.inputs if t.kind is Kind.INTEGER]


@pytest.mark.parametrize("n_steps", [0, -3, -(2**63)])
@pytest.mark.parametrize("op_type", TAKES_STEPS)
def test_no_steps(op_type, n_steps) -> None:
    refused(op_type, {"n_steps": np.asarray(n_steps)}, f"n_steps must be at least 1, it is {n_steps}")


@pytest.mark.parametrize(("op_type", "name"), NUMBERS)
def test_two_numbers_for_one(op_type, name) -> None:
    refused(op_type, {name: np.asarray([3, 3])}, f"{name} must be one number")


@pytest.mark.parametrize("op_type", SPLITS_TIME)
def test_steps_that_do_not_divide(op_type) -> None:
    first = OPERATORS[op_type].inputs[0].name
    refused(op_type, {"n_steps": np.asarray(4)}, f"the first axis of {first}, 6, is not a multiple of n_steps, 4")


@pytest.mark.parametrize("op_type", TAKES_STEPS)
def test_scalar(op_type) -> None:
    first = OPERATORS[op_type].inputs[0].name
    refused(op_type, {first: np.asarray(1, np.float32)}, f"{first} is a scalar")


@pytest.mark.parametrize("shape", [(4,), (0,), (3, 5), (1, 2, 5)])
@pytest.mark.parametrize(("op_type", "name"), OPERANDS)
def test_operand_that_does_not_broadcast(op_type, name, shape) -> None:
    reason = f"{name} of shape {list(shape)} does not broadcast to the neurons' shape [2, 5]"
    refused(op_type, {name: np.zeros(shape, np.float32)}, reason)


@pytest.mark.parametrize("op_type", [name for name in SPLITS_TIME if has_constant_current(name)] + ["TimeRepeat"])
def test_more_rows_than_there_are_numbers(op_type) -> None:
    inputs = good(op_type)
    attributes = {"constant_current": 1} if has_constant_current(op_type) else {}
    with pytest.raises(Exception, match=f"{op_type}: n_steps is too large"):
        SingleOperator(op_type, **attributes)(*{**inputs, "n_steps": np.asarray(2**62)}.values())


@pytest.mark.parametrize("op_type", [name for name in OPERATORS if name != "TimeRepeat"])
def test_too_many_axes(op_type) -> None:
    first = OPERATORS[op_type].inputs[0].name
    x = np.ones((6, *(2,) * 8), np.float32)
    with pytest.raises(Exception, match=f"{op_type}: {first} has more than 8 axes"):
        SingleOperator(op_type)(*{**good(op_type), first: x}.values())


@pytest.mark.parametrize("op_type", OPERATORS)
def test_integers_are_refused(op_type) -> None:
    first = OPERATORS[op_type].inputs[0].name
    with pytest.raises(Exception, match=op_type):
        SingleOperator(op_type)(*{**good(op_type), first: np.ones((6, 5), np.int32)}.values())


REFUSED = {
    ABOVE_0: [(0.0, "must be positive, it is 0")],
    NOT_NEGATIVE: [(-1, "must not be negative, it is -1")],
    NOT_ABOVE_0: [(0.5, "must not be above 0")],
    AT_LEAST_1: [(-1, "must not be negative, it is -1"), (0, "must be at least 1")],
    FLAG: [(2, "must be 0 or 1, it is 2")],
}
"""By range: a number outside, and what is said of it."""
RANGES = [
    *((op, a.name, *row) for op, a in ATTRIBUTES_OF for row in REFUSED.get(a.range, [])),
    *((op, a.name, float("inf"), "must be finite") for op, a in ATTRIBUTES_OF if isinstance(a.default, float)),
    *((op, a.name, 0.5, "must be an integer, it is 0.5") for op, a in ATTRIBUTES_OF if isinstance(a.default, int)),
    *((op, a.name, 1e30, "must be an integer, it is 1e+30") for op, a in ATTRIBUTES_OF if isinstance(a.default, int)),
    *((op, a.name, "many", "must be a number") for op, a in ATTRIBUTES_OF),
]


@pytest.mark.parametrize(
    ("range_", "names"),
    [
        (ABOVE_0, ("tau_rc", "tau_n", "dt", "sigma")),
        (NOT_NEGATIVE, ("tau_ref", "inc_n", "tau", "seed")),
        (NOT_ABOVE_0, ("min_voltage",)),
        (FLAG, ("signed", "constant_current")),
    ],
    ids=lambda value: getattr(value, "text", None),
)
def test_a_quantity_has_the_same_range_everywhere(range_, names) -> None:
    found = [(attribute.name, attribute.range) for _, attribute in ATTRIBUTES_OF if attribute.name in names]
    assert set(found) == {(name, range_) for name in names}
    assert [a.range for a in OPERATORS["CountIF"].attributes if a.name == "max_spikes"] == [AT_LEAST_1]


@pytest.mark.parametrize(("op_type", "name", "value", "reason"), RANGES)
def test_attribute_out_of_range(op_type, name, value, reason) -> None:
    with pytest.raises(Exception, match=re.escape(f"{op_type}: attribute {name} {reason}")):
        SingleOperator(op_type, **{name: value})(*good(op_type).values())


@pytest.mark.parametrize(("op_type", "name", "value", "reason"), [row for row in RANGES if row[2] != "many"])
def test_reference_refuses_what_the_kernels_refuse(op_type, name, value, reason) -> None:
    with pytest.raises(ValueError, match=rf"attribute {name} must be .*, it is"):
        OPERATORS[op_type].run(*good(op_type).values(), **{name: value})


@pytest.mark.parametrize(("op_type", "name"), NUMBERS)
def test_reference_takes_one_number_of_any_shape(op_type, name) -> None:
    """As the kernels do; two are refused."""
    number = np.asarray(good(op_type)[name])
    run = OPERATORS[op_type].run
    expected = run(*good(op_type).values())
    for a, b in zip(run(*{**good(op_type), name: number.reshape(1)}.values()), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=rf"{name} must be one number, its shape is \[2\]"):
        run(*{**good(op_type), name: np.stack([number, number])}.values())


def test_integer_attribute_for_a_number_is_taken() -> None:
    """tau_rc=1 where an exporter wrote an integer."""
    a = SingleOperator("LIF", tau_rc=1)(4 * X, STEPS, ONE, ZERO, ZERO)
    b = SingleOperator("LIF", tau_rc=1.0)(4 * X, STEPS, ONE, ZERO, ZERO)
    np.testing.assert_array_equal(a[1], b[1])


@pytest.mark.parametrize("n_steps", [0, -1, -3])
@pytest.mark.parametrize("op_type", TAKES_STEPS)
def test_function_body_refuses_no_steps(op_type, n_steps) -> None:
    """Without the library the message is ONNX Runtime's own, of a node whose name says what is wrong."""
    with pytest.raises(Exception, match=f"ONNXRuntimeError.*_{op_type}_n_steps_is_at_least_1"):
        SingleOperator(op_type, backend="functions")(*{**good(op_type), "n_steps": np.asarray(n_steps)}.values())


@pytest.mark.parametrize("n_steps", [4, 7])
@pytest.mark.parametrize("op_type", SPLITS_TIME)
def test_function_body_refuses_steps_that_do_not_divide(op_type, n_steps) -> None:
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        SingleOperator(op_type, backend="functions")(*{**good(op_type), "n_steps": np.asarray(n_steps)}.values())


@pytest.mark.parametrize("op_type", TAKES_STEPS)
def test_function_body_does_not_divide_by_no_steps(op_type) -> None:
    """As integers: older ONNX Runtimes end the process."""
    feed = {**good(op_type), "n_steps": np.asarray(0)}
    logarithms = {"min_voltage": -1.0, "smallest": 1e-30}  # of 0 there is none
    attributes = {name: value for name, value in logarithms.items() if name in OPERATORS[op_type].defaults}
    ranks = [np.ndim(value) for value in feed.values()]
    model = operator_model(op_type, np.float32, ranks, with_function=True, **attributes)
    with np.errstate(divide="raise"), pytest.raises(Exception) as refused:
        ReferenceEvaluator(model).run(None, feed)
    assert not isinstance(refused.value, FloatingPointError)


@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
def test_one_bad_neuron_stays_alone(op_type, attributes, bad, backend) -> None:
    steps = 8
    inputs = random_inputs(op_type, Shape(steps, 1, (50,)), np.float32, np.random.default_rng(0))
    spoilt = inputs[0].copy()
    spoilt[len(spoilt) // 3, 17] = bad
    run = SingleOperator(op_type, backend=backend, **attributes)
    others = np.arange(50) != 17
    for a, b in zip(run(*inputs), run(spoilt, *inputs[1:]), strict=True):
        np.testing.assert_array_equal(*(value[..., others] if value.ndim else value for value in (a, b)))


@pytest.mark.parametrize("backend", ["native", "functions"])
def test_initial_voltage_above_threshold_fires(backend) -> None:
    """As in Nengo; the other neurons of the block do not notice."""
    voltage = np.asarray([0.5, 1.5, 0.0], np.float32)
    x = np.full((2, 3), 0.2, np.float32)
    spikes, *_ = SingleOperator("LIF", backend=backend)(x, np.asarray(2), ONE, voltage, ZERO)
    np.testing.assert_array_equal(spikes, np.asarray([[0, 1000, 0], [0, 0, 0]], np.float32))


@pytest.mark.parametrize(
    ("run", "targets"),
    [("native", [0.3, -2.6, 5.2]), ("reference", [0.3, -2.6, 5.2]), ("native", [1e30])],  # NumPy counts every spike
)
def test_more_spikes_than_anyone_can_count_end(targets, run) -> None:
    """A neuron that may send 2^62 spikes gives what one gives that sends all that it has, and does not search on."""
    target = np.asarray([targets], np.float32)
    one, zero, finest = np.float32(1), np.float32(0), np.float32(6)
    at_once = [target, 2**62, one, zero, finest]
    step_by_step = [target, 1, one, zero, finest, zero, 0]
    results = []
    for op_type, inputs, attributes in (
        ("MultiThresholdSum", at_once, {}),
        ("MultiThreshold", step_by_step, {"max_spikes": 2**62}),
    ):
        operator = OPERATORS[op_type]
        arrays = [np.asarray(v, t.kind.dtype(np.float32)) for v, t in zip(inputs, operator.inputs, strict=True)]
        call = SingleOperator(op_type, **attributes) if run == "native" else partial(operator.run, **attributes)
        results.append(call(*arrays)[0])
    expected = np.clip(target, -(2**24), 2**24)  # in float32 a sum of ones ends there
    for found in results:
        np.testing.assert_allclose(found, expected, atol=2**-6, rtol=0)
