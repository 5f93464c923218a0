"""Where the delta code's neurons stand: in front of every layer with weights, on the value that enters it.

What lies between the weights before and those behind, an activation, a norm, a pooling, a residual sum or nothing, is the
neuron's target: it is computed from sums of spikes as it stands. So no node has to be recognised as an activation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from converter.activations.known import IDENTITY
from converter.activations.sites import KeptAnalog, Site
from converter.graph.batch_axis import BatchAxes
from converter.graph.build import name_of
from converter.graph.op_facts import facts
from converter.graph.shapes import fixed_axis

_RECURRENT = ("LSTM", "GRU", "RNN")
_MATRIX = ("MatMul", "Gemm")


@dataclass(frozen=True)
class Entry:
    """An input of a node with weights.

    Attributes:
        node: the layer.
        index: which of its inputs.
    """

    node: ir.Node
    index: int


@dataclass
class Encoder:
    """A value that enters layers with weights.

    Attributes:
        value: in the trained model.
        channel_axis: the axis of its channels, along which thresholds differ; None: there is one for all.
        entries: where it enters.
        is_product: it meets another signal, not weights.
        is_image: the model's input, as the first weights get it: 1, 3 or 4 channels and two axes of positions.
    """

    value: ir.Value
    channel_axis: int | None
    entries: list[Entry] = field(default_factory=list)
    is_product: bool = False
    is_image: bool = False

    @property
    def site(self) -> Site:
        """The neuron's place; it is called by the value."""
        return Site(str(self.value.name), IDENTITY, self.value, self.value, (), self.channel_axis)


def find_encoders(model: ir.Model, axes: BatchAxes, *, analog_input: bool) -> tuple[list[Encoder], list[KeptAnalog]]:
    """The values that neurons send, in the order of the graph, and the layers that stay analog, with the reason.

    Args:
        model: a trained model with the shapes of its values.
        axes: where the samples lie.
        analog_input: a layer that the input reaches without other weights in between takes it as it is.
    """
    encoders: dict[ir.Value, Encoder] = {}
    kept: list[KeptAnalog] = []
    before_weights = set(model.graph.inputs)
    for node in model.graph:
        entries = [Entry(node, index) for index in _entries(node, axes)]
        layer = bool(entries)
        if layer and analog_input and all(entry.node.inputs[entry.index] in before_weights for entry in entries):
            kept.append(KeptAnalog(name_of(node), node.op_type, "it takes the model's input as it is, once"))
            entries = []
        for entry in entries:
            value = node.inputs[entry.index]
            assert value is not None
            if value not in encoders:
                axis = fixed_axis(model, value, _channel_axis(node, entry.index, value), axes.place(value))
                encoders[value] = Encoder(value, axis)
            encoder = encoders[value]
            encoder.entries.append(entry)
            encoder.is_product |= len(entries) > 1
            encoder.is_image = value in before_weights and _is_image(value)
        if layer and facts(node).recurrent:
            kept.append(
                KeptAnalog(name_of(node), node.op_type, "its recurrence is computed in every step, from whole values")
            )
        if not layer and all(v in before_weights for v in node.inputs if v is not None and axes.changes(v)):
            before_weights.update(node.outputs)
    return list(encoders.values()), kept


def _entries(node: ir.Node, axes: BatchAxes) -> list[int]:
    """The inputs through which signals enter a layer with weights, or a product of two signals."""
    changing = [i for i, v in enumerate(node.inputs) if v is not None and axes.changes(v)]
    if not node.domain and node.op_type in _RECURRENT:
        return [index for index in changing if index == 0]
    if not facts(node).weighted:
        return []
    products = (
        (0, 1) if node.op_type in _MATRIX else (0,) if node.op_type.startswith("Conv") else range(len(node.inputs))
    )
    return [index for index in changing if index in products]


def _channel_axis(node: ir.Node, index: int, value: ir.Value) -> int:
    """Along which a value's elements meet weights of their own."""
    rank = len(value.shape) if value.shape is not None else 2
    if node.op_type.startswith("Conv"):
        return 1
    if node.op_type in _MATRIX and index == 1:
        return max(rank - 2, 0)
    return rank - 1


def _is_image(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) == 4 and value.shape[1] in (1, 3, 4)
