"""Moves the samples to axis 0 for activations that have them elsewhere:  f(x) = back(f(front(x))) for every f of elements.

Layers of sequences often run on [length, batch, features]. A neuron needs time and samples in axis 0; a Transpose before the
activation and one behind it put them there, and the model computes the same.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.activations.known import find_activations
from converter.graph.batch_axis import BatchAxes


class BatchFirstPass(ir.passes.InPlacePass):
    """Wraps activations in Transposes.

    Args:
        axes: where the samples of each value lie; new values are added.
    """

    def __init__(self, axes: BatchAxes) -> None:
        super().__init__()
        self._axes = axes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Applies the pass to the main graph."""
        modified = False
        for function, _ in find_activations(model, self._axes):
            axis, shape = self._axes.place(function.x), function.x.shape
            if axis == 0 or shape is None or not function.is_scalar:
                continue
            there = [axis, *(other for other in range(len(shape)) if other != axis)]
            back = [there.index(other) for other in range(len(shape))]
            x, y, name = function.x, function.y, str(function.nodes[-1].name)
            front = ir.node("Transpose", [x], {"perm": there}, name=f"{name}_batch_first")
            front.outputs[0].name, front.outputs[0].type = f"{x.name}_of_{name}", x.type
            behind = ir.node("Transpose", [y], {"perm": back}, name=f"{name}_batch_back")
            behind.outputs[0].type = y.type
            model.graph.insert_before(function.nodes[0], front)
            model.graph.insert_after(function.nodes[-1], behind)
            for user, index in list(y.uses()):
                if user is not behind:
                    user.replace_input_with(index, behind.outputs[0])
            for node in function.nodes:
                for index, value in enumerate(node.inputs):
                    if value is x:
                        node.replace_input_with(index, front.outputs[0])
                node.outputs[0].shape = None
            y.name, behind.outputs[0].name = f"{y.name}_batch_first", y.name
            self._axes.axis.update(
                {str(front.outputs[0].name): 0, **{str(n.outputs[0].name): 0 for n in function.nodes}}
            )
            self._axes.axis[str(behind.outputs[0].name)] = axis
            modified = True
        return ir.passes.PassResult(model, modified)
