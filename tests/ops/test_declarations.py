"""What the operators declare fits together."""

from __future__ import annotations

import re

import numpy as np
import pytest

from snn_ops import cupy_ops
from snn_ops.ops import INCLUDE, OPERATORS, Attribute, Operator, Parameter, State, Time, Unit
from snn_ops.ops._signature import current

OF_EACH = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


@OF_EACH
def test_what_spikes_has_a_height_and_a_code(operator) -> None:
    spikes = (
        operator.output.name == "spikes" or operator.code == "delta"
    )  # whose output is the running sum of its spikes
    assert (operator.height is not None) == (operator.code is not None) == spikes
    if operator.height is not None:
        assert operator.height.parameter in [parameter.name for parameter in operator.parameters]
        assert operator.height.per_dt == ("dt" in operator.defaults)


@pytest.mark.parametrize("op_type", [name for name, operator in OPERATORS.items() if operator.height is not None])
def test_spikes_are_as_high_as_declared(op_type) -> None:
    """Of random neurons with parameters of their own."""
    operator = OPERATORS[op_type]
    steps, rng = 40, np.random.default_rng(0)
    sizes = rng.uniform(0.5, 2, 200)
    values = {state.name: state.at_rest(operator.defaults) for state in operator.states}
    values |= {parameter.name: parameter.default for parameter in operator.parameters}
    values |= {"n_steps": steps, operator.height.parameter: sizes}
    values[operator.input.name] = rng.uniform(*operator.usual, (1 if operator.time is Time.AT_ONCE else steps, 200))
    inputs = [np.asarray(values.get(t.name, 0), t.kind.dtype(np.float64)) for t in operator.inputs]
    most = {"max_spikes": 3} if "max_spikes" in operator.defaults else {}
    spikes = operator.run(*inputs, **most)[0]
    heights = np.abs(spikes) / (sizes / operator.defaults["dt"] if operator.height.per_dt else sizes)
    if operator.height.unit is Unit.DIFFERENTIAL:
        heights = np.abs(np.diff(heights * np.sign(spikes), axis=0, prepend=0))
    found = heights[heights != 0]
    assert found.size
    if operator.height.unit is Unit.SINGLE:
        np.testing.assert_allclose(found, 1)
    elif operator.height.unit is Unit.DIFFERENTIAL:
        np.testing.assert_allclose(found * 2.0**6, np.round(found * 2.0**6), atol=1e-9)
        assert operator.gives_mean or np.isclose(found.min(), 2.0**-6)
    elif operator.height.unit is Unit.BINARY and operator.gives_mean:
        units = np.abs(spikes) / sizes * 2.0**steps
        np.testing.assert_allclose(units, np.round(units))
    elif operator.height.unit is Unit.BINARY:
        digits = -np.log2(found / steps)
        np.testing.assert_allclose(digits, np.round(digits))
        assert np.round(digits).min() == 1
    else:
        counts = found * (steps if operator.gives_mean else 1)
        np.testing.assert_allclose(counts, np.round(counts))
        assert counts.max() > 1


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 13, 20])
@pytest.mark.parametrize("op_type", [name for name, operator in OPERATORS.items() if operator.train])
def test_a_train_has_the_mean(op_type, steps) -> None:
    """The spikes that an operator gives the mean of are those of `train` at this mean, for any current."""
    operator, train = OPERATORS[op_type], OPERATORS[OPERATORS[op_type].train]
    assert operator.gives_mean and not train.gives_mean
    assert [p.name for p in operator.parameters] == [p.name for p in train.parameters]
    rng = np.random.default_rng(steps)
    parameters = [rng.uniform(0.5, 2, 500).astype(np.float32) for _ in train.parameters]
    current = rng.uniform(-1, 3, (40, 500)).astype(np.float32)
    (mean,) = operator.run(current, steps, *parameters)
    (spikes,) = train.run(mean, steps, *parameters, constant_current=1)
    total = spikes.astype(np.float64).reshape(steps, *mean.shape).mean(axis=0)
    np.testing.assert_allclose(total, mean, rtol=2e-7, atol=0)
    (own,) = train.run(current, steps, *parameters, constant_current=1)
    added_up = (
        own.astype(np.float64).reshape(steps, *mean.shape).mean(axis=0)
    )  # step by step: may round to the next digit
    assert (np.abs(added_up - mean) < 1.5 * parameters[0] * 2.0**-steps).all()


@OF_EACH
def test_names_differ_and_defaults_are_in_range(operator) -> None:
    for names in (
        [tensor.name for tensor in (*operator.inputs, *operator.outputs)],
        [attribute.name for attribute in operator.attributes],
    ):
        assert len(names) == len(set(names))
    for attribute in operator.attributes:
        assert attribute.checked(attribute.default) == attribute.default


@OF_EACH
def test_states(operator) -> None:
    for state in operator.states:
        assert np.isfinite(state.at_rest(operator.defaults))
        assert not state.matters_if or state.matters_if in operator.defaults
    if operator.states and operator.height is not None:
        assert operator.states[0].name in ("voltage", "net_count", "sent")  # what decides on a spike comes first


def test_a_count_that_nothing_depends_on() -> None:
    """IF: without spikes taken back the count decides nothing."""
    voltage, net_count = OPERATORS["IF"].states
    for signed in (0, 1):
        attributes = {**OPERATORS["IF"].defaults, "signed": signed}
        assert voltage.matters(attributes)
        assert net_count.matters(attributes) == bool(signed)
        x = np.random.default_rng(0).uniform(-1, 2, (20, 50))
        runs = [OPERATORS["IF"].run(x, 20, 1.0, 0.0, count, **attributes)[0] for count in (0.0, 3.0)]
        assert np.array_equal(*runs) == (not signed)


@OF_EACH
def test_what_a_kernel_can_hold(operator) -> None:
    """kernels/temporal.h has room for so many, and the same struct in Python."""
    text = (INCLUDE / "temporal.h").read_text()
    room = {name: int(number) for name, number in re.findall(r"constexpr int k(\w+) = (\d+);", text)}
    assert len(operator.parameters) <= room["MaxParameters"]
    assert len(operator.states) <= len(operator.values) <= room["MaxStates"]
    assert (room["MaxParameters"], room["MaxStates"]) == (cupy_ops.MAX_PARAMETERS, cupy_ops.MAX_STATES)
    assert room["MaxRank"] == cupy_ops.MAX_RANK


@OF_EACH
def test_random_numbers_depend_on_the_step(operator) -> None:
    assert operator.counts_steps or not operator.draws
    assert operator.draws == ("seed" in operator.defaults)


def test_order_of_a_node() -> None:
    """Inputs, outputs and attributes as the format has them, with what joins by itself."""
    operator = Operator(
        name="All",
        summary="",
        equation="",
        input=current("x", "signal"),
        output=current("y", "signal"),
        parameters=(Parameter("p", "size", above_0=True), Parameter("q", "size")),
        states=(State("v", "level"), State("w", "level", after="as it is")),
        attributes=(Attribute("a", 1.0, "number"),),
        reference=lambda: (),
        body="",
        counts_steps=True,
        draws=True,
    )
    assert [t.name for t in operator.inputs] == ["x", "n_steps", "p", "q", "v", "w", "step", "first_sample"]
    assert [t.name for t in operator.outputs] == ["y", "v_out", "w_out", "step_out"]
    assert [a.name for a in operator.attributes] == ["a", "seed", "constant_current"]
    assert operator.carried == {"v_out": "v", "w_out": "w", "step_out": "step"}
    assert operator.inputs[2].description == "above 0; size; broadcasts against [B, ...]"
    assert operator.outputs[2].description == "[B, ...], after the last step, as it is"
