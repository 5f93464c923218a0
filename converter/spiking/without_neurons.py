"""The trained network in a file of the delta code: the same layers without neurons, and without time.

1. MultiThreshold and MultiThresholdSum give what they stand for: their users read the target itself.
2. TimeRepeat and TimeLast, whose result is their input for a run of one step, go; what else reads `n_steps` reads 1.
3. Inputs with a default go: `n_steps`, and in a stream the states, whose outputs go too.
4. The functions and the metadata of ONNX-SNN go.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.errors import RefusedError
from converter.graph.build import name_of
from converter.spiking.codes import DELTA
from snn_ops.format import BATCH, DOMAIN, N_STEPS, TIME_BATCH, Metadata
from snn_ops.ops import OPERATORS


def has_delta_code(model: ir.Model) -> bool:
    """Whether its neurons have the delta code."""
    ours = [OPERATORS.get(node.op_type) for node in model.graph if node.domain == DOMAIN]
    return any(operator is not None and operator.code == "delta" for operator in ours)


def without_neurons(model: ir.Model) -> tuple[ir.Model, dict[str, str]]:
    """The trained network, and in it the names of the values that neurons send, by the neuron's node.

    Args:
        model: of the delta code; it stays as it is.

    Raises:
        RefusedError: it has neurons of another code.
    """
    trained = model.clone()
    graph = trained.graph
    targets: dict[str, ir.Value] = {}
    for node in [node for node in graph if node.domain == DOMAIN]:
        operator, x = OPERATORS.get(node.op_type), node.inputs[0]
        assert x is not None
        if operator is not None and operator.code == "delta":
            targets[name_of(node)] = x
        elif node.op_type not in ("TimeRepeat", DELTA.readout):
            raise RefusedError(f"{node.op_type} does not belong to the delta code", node=name_of(node))
        graph.outputs[:] = [value for value in graph.outputs if value not in node.outputs[1:]]
        _pass_by(graph, node, x)
    graph.inputs[:] = [value for value in graph.inputs if not value.is_initializer()]
    if N_STEPS in graph.initializers:
        graph.initializers[N_STEPS].const_value = ir.tensor(np.asarray(1, np.int64), name=N_STEPS)
    for value in [*graph.outputs, *(value for node in graph for value in node.outputs)]:
        if value.shape is not None and len(value.shape) and value.shape[0] == TIME_BATCH:
            value.shape = ir.Shape([BATCH, *value.shape.dims[1:]])
    trained.functions.clear()
    trained.opset_imports.pop(DOMAIN, None)
    Metadata().write(trained.metadata_props)
    common_passes.RemoveUnusedNodesPass()(trained)
    return trained, {node: str(value.name) for node, value in targets.items()}


def _pass_by(graph: ir.Graph, node: ir.Node, x: ir.Value) -> None:
    """Who reads the node's output reads `x`, which gets its name where that is an output of the graph."""
    y = node.outputs[0]
    for user, index in list(y.uses()):
        user.replace_input_with(index, x)
    for index, output in enumerate(graph.outputs):
        if output is y:
            name, y.name = y.name, None
            graph.outputs[index], x.name, x.shape = x, name, y.shape
    graph.remove(node, safe=True)
