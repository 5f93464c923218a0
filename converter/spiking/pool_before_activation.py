"""Moves a max pool in front of the activation before it:  MaxPool(f(x)) = f(MaxPool(x)) for every f that never decreases.

Neurons then stand behind the pool: fewer of them, and the maximum is taken of currents, where that of spikes would count a
window's spikes together. Both models compute the same.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.activations.functions import ElementwiseFunction
from converter.activations.known import find_activations
from converter.graph.batch_axis import BatchAxes


class PoolBeforeActivationPass(ir.passes.InPlacePass):
    """Swaps a function that never decreases with the MaxPool that alone uses it."""

    def __init__(self, axes: BatchAxes) -> None:
        super().__init__()
        self._axes = axes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Applies the swap wherever it is possible."""
        modified = False
        for function, activation in find_activations(model, self._axes):
            users = [user for user, _ in function.y.uses()]
            pool = users[0] if len(users) == 1 and not function.y.is_graph_output() else None
            if pool is not None and pool.op_type in _MAXIMUM and len(pool.outputs) == 1 and activation.never_decreasing:
                _swap(pool, function)
                modified = True
        model.graph.sort()
        return ir.passes.PassResult(model, modified)


_MAXIMUM = ("MaxPool", "GlobalMaxPool")


def _swap(pool: ir.Node, function: ElementwiseFunction) -> None:
    pooled = pool.outputs[0]
    pooled.replace_all_uses_with(function.y, replace_graph_outputs=True)
    for node in function.nodes:
        for index, value in enumerate(node.inputs):
            if value is function.x:
                node.replace_input_with(index, pooled)
    pool.replace_input_with(0, function.x)
    # the result keeps its name, in case it is an output of the model
    pooled.name, function.y.name = function.y.name, pooled.name
    for value in (pooled, *(node.outputs[0] for node in function.nodes)):
        value.shape = None
