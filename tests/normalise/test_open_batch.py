"""The batch axis is declared free."""

from __future__ import annotations

import numpy as np

from converter.graph.shapes import annotate
from converter.normalise.open_batch import fixed_batch_size, open_batch
from tests.passes import from_text, normal, outputs


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
