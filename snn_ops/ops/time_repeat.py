"""TimeRepeat: into time. y_t = x for every step t; ``[B, ...] -> [T*B, ...]``, time-major."""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, _time
from snn_ops.ops._inference import infer_new_first_axis
from snn_ops.ops._operator import N_STEPS, Operator, current


def reference(x: np.ndarray, n_steps: int) -> tuple[np.ndarray]:
    """x [B, ...] -> [T*B, ...]."""
    return (_time.merge(_time.split(x, n_steps, constant=1)),)


OPERATOR = Operator(
    name="TimeRepeat",
    summary="Into time: the same input at every step.",
    equation="y_t = x",
    inputs=(current("x", "[B, ...]"), N_STEPS),
    outputs=(current("y", "[T*B, ...]"),),
    attributes=(),
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
    infer=infer_new_first_axis,
)
