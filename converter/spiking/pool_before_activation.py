"""Moves a max pool before the activation that it comes after:  MaxPool(f(x)) = f(MaxPool(x)) for every f that never decreases.

Neurons then stand after the pool: fewer of them, and the maximum is one of currents, where that of spikes would count a
window's spikes together. Both models compute the same.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.activations.functions import ElementwiseFunction
from converter.activations.known import Activation, find_activations, never_decreases
from converter.graph.batch_axis import BatchAxes
from converter.graph.build import name_of
from converter.graph.passes import Lines, PassReport

_MAXIMUM = ("MaxPool", "GlobalMaxPool")


def pool_before_activation(model: ir.Model, axes: BatchAxes) -> PassReport:
    """Swaps a function that never decreases with the max pool that alone uses it, wherever it is possible.

    Args:
        model: a trained model, with the ranks of its values.
        axes: where the samples of each value lie. This stays so: values swap their names together with their places.
    """
    lines = Lines("pool before activation")
    for function, activation in find_activations(model, axes):
        users = [user for user, _ in function.y.uses()]
        pool = next((user for user in users if user.op_type in _MAXIMUM and not user.domain), None)
        if pool is None:
            continue
        last = f"{activation.name} {name_of(function.nodes[-1])!r}"
        declined = _why_not(function, activation, pool, users)
        if declined:
            lines.declined(pool, f"stays after {last}, {declined}")
        else:
            _swap(pool, function)
            lines.changed(pool, f"comes before {last} now, which never decreases")
    model.graph.sort()
    return lines.report()


def _why_not(function: ElementwiseFunction, activation: Activation, pool: ir.Node, users: list[ir.Node]) -> str:
    """Why the two cannot be swapped; "" if they can."""
    if len(users) > 1 or function.y.is_graph_output():
        return "whose result is used elsewhere too"
    if len(pool.outputs) > 1:
        return "since it gives the places of the maxima too"
    if not activation.never_decreasing:
        return "of which it is not known that it never decreases"
    return "" if never_decreases(function) else "which decreases somewhere"


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
