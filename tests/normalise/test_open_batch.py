"""The batch axis is declared free."""

from __future__ import annotations

import numpy as np
import pytest

from converter.errors import RefusedError
from converter.graph.shapes import annotate
from converter.normalise.open_batch import fixed_batch_size, open_batch
from tests.passes import from_text, normal, outputs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "m (float[6,4] x) => (float[3,8] y) <int64[2] S> { y = Reshape(x, S) }",
            "axis 0 has length 6 in input 'x' and 3",
        ),
        ("m (float[6] x) => (float y) { y = ReduceSum<keepdims = 0>(x) }", "output 'y' is a scalar"),
    ],
)
def test_no_batch_axis(text, reason) -> None:
    with pytest.raises(RefusedError, match=reason):
        fixed_batch_size(from_text(text, S=np.asarray([3, 8])))


def test_the_first_axis_is_free_and_inner_shapes_are_forgotten() -> None:
    model = from_text("m (float[3,4] x, float[M,2] z) => (float[3,4] y) { h = Relu(x)  y = Add(h, h) }")
    annotate(model, {"x": (3, 4), "z": (1, 2)})
    x, z = normal(3, 4), normal(1, 2)
    before = outputs(model, x=x, z=z)
    assert fixed_batch_size(model) == 3
    report = open_batch(model)
    assert [str(value.shape) for value in (*model.graph.inputs, *model.graph.outputs)] == [
        "[batch,4]",
        "[batch,2]",
        "[batch,4]",
    ]
    assert model.graph[0].outputs[0].shape is None
    assert report.changed == (
        "input 'x': its first axis, of length 3, is the free batch",
        "output 'y': its first axis, of length 3, is the free batch",
    )
    np.testing.assert_array_equal(outputs(model, x=x, z=z)[0], before[0])
    assert fixed_batch_size(model) is None
