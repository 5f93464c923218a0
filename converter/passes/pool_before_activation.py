"""Moves a max pool in front of the activation before it:  MaxPool(f(x)) = f(MaxPool(x)) for every f that never decreases.

Neurons then stand behind the pool: fewer of them, and the maximum is taken of currents, where that of spikes would count a
window's spikes together. Both models compute the same.
"""

from __future__ import annotations

import onnx_ir as ir

_NEVER_DECREASING = {"Relu", "Tanh", "Sigmoid"}


class PoolBeforeActivationPass(ir.passes.InPlacePass):
    """Swaps an activation with the MaxPool that alone uses it."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Applies the swap wherever it is possible."""
        modified = False
        for pool in list(model.graph):
            if pool.op_type == "MaxPool" and len(pool.outputs) == 1:
                modified |= _swap(pool)
        return ir.passes.PassResult(model, modified)


def _swap(pool: ir.Node) -> bool:
    activated = pool.inputs[0]
    activation = activated.producer() if activated is not None else None
    if activation is None or activation.op_type not in _NEVER_DECREASING or activation.domain:
        return False
    if len(activation.outputs[0].uses()) != 1 or activation.outputs[0].is_graph_output():
        return False
    pooled, graph = pool.outputs[0], pool.graph
    assert graph is not None and activated is not None
    pool.replace_input_with(0, activation.inputs[0])
    graph.remove(activation)
    graph.insert_after(pool, activation)
    activation.replace_input_with(0, None)
    pooled.replace_all_uses_with(activated, replace_graph_outputs=True)
    activation.replace_input_with(0, pooled)
    # the result keeps its name, in case it is an output of the model
    pooled.name, activated.name = activated.name, pooled.name
    pooled.shape, activated.shape = None, pooled.shape
    return True
