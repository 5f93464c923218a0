"""Corrects a converted model layer by layer against the trained one, from the first layer to the last.

    missing_c = E[ann_c - snn_c]        mean over samples and positions, snn = mean over T steps

* bias: the current of channel c grows by missing_c, at every step.
* potential: the initial voltage grows by T missing_c, once: the same charge for T steps, and no other weights.

Source: Y. Li et al., A free lunch from ANN: towards efficient, accurate spiking neural networks calibration, ICML 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
from converter.graph.build import constant, operand, set_operand
from converter.io.samples import Samples
from converter.measure.layers import compare_layers
from converter.neurons.neuron import Placed


def correct(
    kind: str,
    trained: ir.Model,
    spiking: ir.Model,
    sites: Sequence[Site],
    neurons: Sequence[Placed],
    samples: Samples,
    n_steps: int,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> None:
    """Changes the spiking model's numbers.

    Args:
        kind: "bias" or "potential"; neurons without a voltage take no potential correction.
        trained, spiking, sites, neurons, samples, n_steps: as for `compare_layers`.
        progress: called with layers done and their number.
    """
    for index, (site, placed) in enumerate(zip(sites, neurons, strict=True)):
        if placed.node.op_type in _CORRECTED[kind]:
            (error,) = compare_layers(trained, spiking, [site], [placed], samples, n_steps)
            missing = site.per_channel(error.missing)
            if kind == "bias":
                _shift_current(spiking.graph, placed.node, missing)
            else:
                voltage = operand(placed.node, "voltage").const_value
                assert voltage is not None
                set_operand(placed.node, "voltage", voltage.numpy() + n_steps * missing)
        progress(index + 1, len(sites))


_CORRECTED = {"bias": ("IF", "SigmaDelta", "CountIF"), "potential": ("IF", "CountIF")}


def _shift_current(graph: ir.Graph, node: ir.Node, amount: np.ndarray) -> None:
    x = node.inputs[0]
    assert x is not None and x.dtype is not None
    bias = constant(graph, f"{node.name}_bias", amount.astype(x.dtype.numpy()))
    shifted = ir.Value(name=f"{node.name}_shifted", type=x.type, shape=x.shape)
    graph.insert_before(node, ir.node("Add", [x, bias], outputs=[shifted], name=f"{node.name}_shifted"))
    node.replace_input_with(0, shifted)
