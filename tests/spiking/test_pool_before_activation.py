"""A max pool swaps places with the activation before it, where both models compute the same."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from converter.graph.shapes import annotate, input_shapes
from converter.spiking.pool_before_activation import pool_before_activation
from tests.models import samples, text_model
from tests.passes import axes_of, from_text, normal, outputs


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Sigmoid", "LeakyRelu", "Elu"])
def test_pool_moves_before_the_activation(activation) -> None:
    proto = text_model(
        f"""m (float[N,1,6,6] x) => (float[N,3,3,3] y) <float[3,1,3,3] W> {{
          c = Conv<pads = [1, 1, 1, 1]>(x, W)  a = {activation}(c)
          y = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(a) }}"""
    )
    x = samples(proto)
    before = ir.from_proto(proto)
    after = ir.from_proto(proto)
    annotate(after, input_shapes(after, 1))
    assert pool_before_activation(after, axes_of(after)).changed
    assert [node.op_type for node in after.graph] == ["Conv", "MaxPool", activation]
    np.testing.assert_array_equal(outputs(before, x=x)[0], outputs(after, x=x)[0])


def test_pool_stays_where_others_use_the_activation() -> None:
    proto = text_model(
        """m (float[N,1,4,4] x) => (float[N,1,2,2] y, float[N,1,4,4] a) {
          a = Relu(x)  y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a) }"""
    )
    model = ir.from_proto(proto)
    assert not pool_before_activation(model, axes_of(model)).changed


POOL = "MaxPool<kernel_shape = [2, 2], strides = [2, 2]>"


@pytest.mark.parametrize(
    ("body", "changed", "declined"),
    [
        (
            f"[act] a = Relu(x)  [pool] y = {POOL}(a)",
            ["MaxPool 'pool': comes before Relu 'act' now, which never decreases"],
            [],
        ),
        (
            f"m = Relu(x)  [six] a = Clip(m, ZERO, SIX)  [pool] y = {POOL}(a)",
            ["MaxPool 'pool': comes before Clip 'six' now, which never decreases"],
            [],
        ),
        (
            f"[act] a = Sin(x)  [pool] y = {POOL}(a)",
            [],
            ["MaxPool 'pool': stays after Function 'act', of which it is not known that it never decreases"],
        ),
        (
            f"[act] a = Relu(x)  [pool] y, places = {POOL}(a)",
            [],
            ["MaxPool 'pool': stays after Relu 'act', since it gives the places of the maxima too"],
        ),
        (
            f"[act] a = Relu(x)  [pool] p = {POOL}(a)  g = GlobalAveragePool(a)  y = Add(p, g)",
            [],
            ["MaxPool 'pool': stays after Relu 'act', whose result is used elsewhere too"],
        ),
        ("[act] a = Relu(x)  y = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(a)", [], []),
    ],
)
def test_what_is_reported(body, changed, declined) -> None:
    text = f"m (float[N,2,4,4] x) => (float[N,2,2,2] y) <float[] ZERO, float[] SIX> {{ {body} }}"
    model = from_text(text, ZERO=np.asarray(0), SIX=np.asarray(6))
    annotate(model, input_shapes(model, 1))
    x = 5 * normal(3, 2, 4, 4)
    before = outputs(model, x=x)
    report = pool_before_activation(model, axes_of(model))
    assert (list(report.changed), list(report.declined)) == (changed, declined)
    np.testing.assert_array_equal(outputs(model, x=x)[0], before[0])


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        ("LeakyRelu<alpha = -0.3>", "LeakyRelu"),
        ("Elu<alpha = -1.0>", "Elu"),
        ("Selu<gamma = -1.0>", "Selu"),
        ("ThresholdedRelu<alpha = -1.0>", "ThresholdedRelu"),
        ("HardSigmoid<alpha = -0.2>", "HardSigmoid"),
    ],
)
def test_an_attribute_may_make_it_decrease(activation, name) -> None:
    """What such an operator usually is says nothing of this one."""
    model = from_text(
        f"m (float[N,2,4,4] x) => (float[N,2,2,2] y) {{ [act] a = {activation}(x)  [pool] y = {POOL}(a) }}"
    )
    annotate(model, input_shapes(model, 1))
    x = 5 * normal(3, 2, 4, 4)
    before = outputs(model, x=x)
    report = pool_before_activation(model, axes_of(model))
    assert report.declined == (f"MaxPool 'pool': stays after {name} 'act', which decreases somewhere",)
    np.testing.assert_array_equal(outputs(model, x=x)[0], before[0])
