"""Corrects a converted model layer by layer against the trained one, from the first layer to the last.

    missing_c = E[ann_c - snn_c]        mean over samples and positions, snn = mean over T steps

* bias: the current of channel c grows by missing_c, at every step.
* potential: the initial voltage grows by T missing_c, once: the same charge for T steps, and no other weights.

Source: Y. Li et al., A free lunch from ANN: towards efficient, accurate spiking neural networks calibration, ICML 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from converter.graph.build import constant, operand, set_operand
from converter.io.samples import Samples
from converter.measure.layers import compare_layers
from converter.neurons.neuron import Placed


def correct(
    correction: str, trained: ir.Model, spiking: ir.Model, layers: Sequence[Placed], samples: Samples, n_steps: int
) -> None:
    """Changes the spiking model's numbers.

    Args:
        correction: "bias" or "potential". Both are for neurons whose input is in units of their spikes; those without a
            voltage have no potential to correct.
        trained, spiking, layers, samples, n_steps: as for `compare_layers`.
    """
    for placed in layers:
        if not placed.neuron.takes(correction):
            continue
        (error,) = compare_layers(trained, spiking, [placed], samples, n_steps)
        missing = placed.site.per_channel(error.missing)
        if correction == "bias":
            _shift_current(spiking.graph, placed.node, missing)
        else:
            voltage = operand(placed.node, "voltage").const_value
            assert voltage is not None
            set_operand(placed.node, "voltage", voltage.numpy() + n_steps * missing)


def _shift_current(graph: ir.Graph, node: ir.Node, amount: np.ndarray) -> None:
    x = node.inputs[0]
    assert x is not None and x.dtype is not None
    bias = constant(graph, f"{node.name}_bias", amount.astype(x.dtype.numpy()))
    shifted = ir.Value(name=f"{node.name}_shifted", type=x.type, shape=x.shape)
    graph.insert_before(node, ir.node("Add", [x, bias], outputs=[shifted], name=f"{node.name}_shifted"))
    node.replace_input_with(0, shifted)
