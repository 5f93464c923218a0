"""TimeRepeat: into time. y_t = x for every step t; ``[B, ...] -> [T*B, ...]``, time-major."""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import Time, current


def reference(x: np.ndarray, n_steps: int) -> tuple[np.ndarray]:
    """x [B, ...] -> [T*B, ...]."""
    return (time_axis.merge(time_axis.split(x, n_steps, constant=1)),)


OPERATOR = Operator(
    name="TimeRepeat",
    summary="Into time: the same input at every step.",
    equation="y_t = x",
    input=current("x", "[B, ...]"),
    output=current("y", "[T*B, ...]"),
    reference=reference,
    body=f"""
    {_body.checked_steps()}
    time_axis = Constant<value_ints = [0]>()
    first = Shape<start = 0, end = 1>(x)
    rest = Shape<start = 1>(x)
    time_shape = Concat<axis = 0>(steps, first, rest)
    with_time = Unsqueeze(x, time_axis)
    repeated = Expand(with_time, time_shape)
    all_rows = Mul(steps, first)
    merged_shape = Concat<axis = 0>(all_rows, rest)
    y = Reshape<allowzero = 1>(repeated, merged_shape)
    """,
    time=Time.REPEAT,
    usual=(-1.0, 1.0),
)
