"""One operator as a model of its own, against a loop over neurons and steps in plain Python."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest

from snn_ops import single
from snn_ops.single import SingleOperator, operator_model

STEPS, BATCH, NEURONS = 12, 2, 5
X = np.random.default_rng(0).uniform(-1, 3, (STEPS * BATCH, NEURONS))
THRESHOLD = np.linspace(0.5, 1.5, NEURONS)
ZERO = np.zeros(())


def integrate_and_fire(most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spikes, final voltages and counts of spikes, neuron by neuron."""
    spikes, voltages, counts = np.zeros((STEPS, BATCH, NEURONS)), np.zeros((BATCH, NEURONS)), np.zeros((BATCH, NEURONS))
    for t in range(STEPS):
        for b in range(BATCH):
            for i in range(NEURONS):
                u = voltages[b, i] + X[t * BATCH + b, i]
                n = min(max(math.floor(u / THRESHOLD[i]), 0), most)
                spikes[t, b, i] = n * THRESHOLD[i]
                voltages[b, i] = u - spikes[t, b, i]
                counts[b, i] += n
    return spikes.reshape(X.shape), voltages, counts


INPUTS = (X, np.asarray(STEPS), THRESHOLD, ZERO, ZERO)


@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize("most", [1, 2])
def test_it_computes_the_operator(most, backend) -> None:
    expected = integrate_and_fire(most)
    assert expected[0].any()
    run = SingleOperator("IF", backend=backend, max_spikes=most)
    *outputs, step, voltage_base, count_base = run(*INPUTS)
    assert step == STEPS
    assert not voltage_base.any()
    assert not count_base.any()
    for found, want in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)


def test_only_the_outputs_that_are_wanted() -> None:
    spikes, voltage, count = integrate_and_fire(1)
    (alone,) = SingleOperator("IF", with_states=False)(*INPUTS)
    np.testing.assert_array_equal(alone, spikes)
    named = SingleOperator("IF")(*INPUTS, outputs=["net_count_out", "voltage_out"])
    assert len(named) == 2
    np.testing.assert_array_equal(named[0], count)
    np.testing.assert_allclose(named[1], voltage, rtol=1e-12, atol=1e-12)


def test_a_session_for_each_type_and_rank() -> None:
    run = SingleOperator("LIFRate")
    one = np.ones((), np.float32)
    first = run.session(np.ones((2, 3), np.float32), one)
    assert run.session(np.ones((9, 1), np.float32), one) is first
    assert run.session(np.ones(3, np.float32), one) is not first
    assert run.session(np.ones((2, 3)), np.ones(())) is not first
    assert [i.type for i in first.get_inputs()] == ["tensor(float)", "tensor(float)"]
    assert [len(i.shape) for i in first.get_inputs()] == [2, 0]


@pytest.mark.parametrize("with_function", [True, False])
def test_the_model_has_the_attributes_that_were_given(with_function) -> None:
    model = operator_model("IF", np.float16, [3, 0, 1, 0, 0], with_function=with_function, max_spikes=7)
    onnx.checker.check_model(model)
    (node,) = model.graph.node
    assert {a.name: a.i for a in node.attribute} == {"max_spikes": 7, "signed": 0, "constant_current": 0}
    assert [f.name for f in model.functions] == (["IF"] if with_function else [])
    kinds = [i.type.tensor_type.elem_type for i in model.graph.input]
    float16, float32, int64 = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    assert kinds == [
        float16,
        int64,
        float32,
        float32,
        float32,
        int64,
        float32,
        float32,
    ]  # states of float16 runs are float32


@pytest.mark.parametrize("way", [single.native, single.reference])
def test_for_callers_numbers_of_steps_are_int_and_none_is_at_rest(way) -> None:
    """Izhikevich rests at reset_voltage, with the recovery coupling * voltage: at no current it stays near it."""
    y, sum_, step, sum_base = way("TimeMean", [np.arange(6.0).reshape(3, 2), 3, 0.0, 0], {})
    np.testing.assert_allclose(y, [[2, 3]])
    np.testing.assert_allclose(sum_ + sum_base, [[6, 9]])
    assert type(step) is int
    assert step == 3
    x, attributes = np.asarray([[2.0], [9.0]]), {"coupling": 0.25, "reset_voltage": -60.0}
    at_rest = way("Izhikevich", [x, 2, 1.0, None, None], attributes)
    given = way("Izhikevich", [x, 2, 1.0, -60.0, 0.25 * -60.0], attributes)
    elsewhere = way("Izhikevich", [x, 2, 1.0, -65.0, 0.25 * -60.0], attributes)
    for found, same, other in zip(at_rest[1:], given[1:], elsewhere[1:], strict=True):
        np.testing.assert_array_equal(found, same)
        assert found != other


@pytest.mark.parametrize("way", [single.native, single.reference])
def test_for_callers_errors_begin_with_the_operator(way) -> None:
    with pytest.raises(ValueError, match=r"^IF: .*attribute max_spikes"):
        way("IF", INPUTS, {"max_spikes": -1})
    with pytest.raises(TypeError, match=r"^IF: threshold must be numbers, not None"):
        way("IF", [X, STEPS, None, 0.0, 0.0], {})
    with pytest.raises(ValueError, match=r"^IF: "):
        way("IF", [X, 7, 1.0, 0.0, 0.0], {})
