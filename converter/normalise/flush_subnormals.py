"""Weights below the smallest normal number become 0.

Training with weight decay leaves them where a neuron has died. Added to anything else they change nothing, but processors take
a hundred times as long for each (docs/FINDINGS.md). In float16 such numbers are large enough to count, and stay.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.build import constant_of, set_constant
from converter.graph.op_facts import facts
from converter.graph.passes import Lines, PassReport
from snn_ops.feed import subnormal


def flush_subnormals(model: ir.Model) -> PassReport:
    """Takes them out of the constants of all layers with weights in the main graph."""
    lines = Lines("flush subnormals")
    for node in model.graph:
        for value in node.inputs if facts(node).weighted else ():
            array = constant_of(value)
            if value is None or array is None:
                continue
            small = subnormal(array)
            if small is not None:
                set_constant(value, np.where(small, array.dtype.type(0), array))
                lines.changed(
                    node, f"{np.count_nonzero(small)} numbers of {value.name!r} are too small to count: 0 now"
                )
    return lines.report()
