"""TimeLast: out of time. The value at the last step; ``[T*B, ...] -> [B, ...]``."""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import Time, current


def reference(x: np.ndarray, n_steps: int) -> tuple[np.ndarray]:
    """x [T*B, ...] -> [B, ...]."""
    return (time_axis.split(x, n_steps)[-1].copy(),)


OPERATOR = Operator(
    name="TimeLast",
    summary="Out of time: the value at the last step.",
    equation="y = x_{T-1}",
    input=current("x", "[T*B, ...]"),
    output=current("y", "[B, ...]"),
    reference=reference,
    body=f"""
    {_body.checked_steps()}
    all_rows = Shape<start = 0, end = 1>(x)
    rest = Shape<start = 1>(x)
    batch = Div(all_rows, steps)
    time_shape = Concat<axis = 0>(steps, batch, rest)
    through_time = Reshape<allowzero = 1>(x, time_shape)
    last = Constant<value_int = -1>()
    y = Gather<axis = 0>(through_time, last)
    """,
    kernel=only("TimeLast"),
    time=Time.LAST,
    usual=(-1.0, 1.0),
)
