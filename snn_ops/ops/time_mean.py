"""TimeMean: out of time. y = (x_0 + ... + x_{T-1}) / T; ``[T*B, ...] -> [B, ...]``, float16 summed in float32."""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _time
from snn_ops.ops._inference import infer_new_first_axis
from snn_ops.ops._operator import N_STEPS, Operator, current


def reference(x: np.ndarray, n_steps: int) -> tuple[np.ndarray]:
    """x [T*B, ...] -> [B, ...]."""
    values = _time.split(x, n_steps)
    total = np.zeros(values.shape[1:], _time.arithmetic(x))
    for value in values:
        total += value
    return ((total / total.dtype.type(len(values))).astype(x.dtype),)


OPERATOR = Operator(
    name="TimeMean",
    summary="Out of time: the mean over the steps.",
    equation="y = (x_0 + ... + x_{T-1}) / T",
    inputs=(current("x", "[T*B, ...]"), N_STEPS),
    outputs=(current("y", "[B, ...]"),),
    attributes=(),
    reference=reference,
    body="""
    one_axis = Constant<value_ints = [1]>()
    time_axis = Constant<value_ints = [0]>()
    steps = Reshape(n_steps, one_axis)
    first = Shape<start = 0, end = 1>(x)
    rest = Shape<start = 1>(x)
    batch = Div(first, steps)
    time_shape = Concat<axis = 0>(steps, batch, rest)
    with_time = Reshape<allowzero = 1>(x, time_shape)
    exact = Cast<to = 11>(with_time)
    mean = ReduceMean<keepdims = 0>(exact, time_axis)
    y = CastLike(mean, x)
    """,
    infer=infer_new_first_axis,
)
