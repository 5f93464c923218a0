"""How much there is to compute: multiply-adds of the trained model, synaptic operations of the spiking one, their energy.

    synaptic operations = sum over layers and elements of their inputs of   spikes that arrive * fan-out
    spikes per synapse  = synaptic operations / multiply-adds of the layers fed by spikes
    energy ratio        = (synaptic operations * 0.9 + multiply-adds as executed * 4.6) / (trained multiply-adds * 4.6), pJ

`routes` tells how many spikes arrive, `fan_out` what each causes. A layer that receives numbers instead of spikes, the
model's input or what an island gives, multiplies them in every step in which it runs. docs/energy.md has the rules and the
sources of the energies.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.build import constant_of, depending_on_inputs
from converter.graph.op_facts import Cost, facts, takes
from converter.graph.shapes import Shapes
from converter.measure.fan_out import ShapeOf, entries, fan_out, is_layer, products, recurrence, width
from converter.measure.instruments import emits_spikes
from converter.measure.layers import Spikes
from converter.measure.routes import Routes
from converter.measure.totals import NeuroBench, WorkTotals
from snn_ops.format import DOMAIN
from snn_ops.ops import OPERATORS, Time, Unit

PICOJOULE_PER_MULTIPLY_ADD = 4.6
PICOJOULE_PER_ADDITION = 0.9
PICOJOULE_PER_UPDATE = 3 * PICOJOULE_PER_ADDITION
"""Of a neuron in a step, and again of each of its spikes: what is missing, its comparison, what is sent."""
PICOJOULE = {Cost.NOTHING: 0.0, Cost.ADDITION: 0.9, Cost.MULTIPLICATION: 3.7, Cost.TABLE: 10.9}
"""Per element of what lies between layers, in float32; a table is 8 KB: 10 pJ to read it, and an addition."""
FUNCTIONS_OF_A_CELL = 5
"""Sigmoid and Tanh of an LSTM's unit."""


@dataclass(frozen=True)
class LayerWork:
    """A layer with weights, for one sample.

    Attributes:
        multiply_adds: of the trained model.
        analog: those that stay multiply-adds.
        executed: the same in all steps in which they are run.
        synaptic_operations: by the name of the neurons whose spikes cause them.
        weights: how many it has.
        inputs, outputs: elements.
        width: outputs that an input meets at one position.
    """

    name: str
    multiply_adds: int
    analog: int
    executed: int
    synaptic_operations: Mapping[str, float]
    weights: int
    inputs: int
    outputs: int
    width: int


@dataclass(frozen=True)
class Work:
    """Per sample.

    Attributes:
        multiply_adds: of the trained model.
        analog_multiply_adds: those that stay multiply-adds in the spiking model.
        synaptic_operations: additions that spikes cause in T steps.
        by_layer: those of each layer of neurons.
        executed_multiply_adds: those that stay, in all steps in which they are run.
        synapses: multiply-adds of the layers fed by spikes.
        spikes: of all neurons in T steps.
        neurons: how many there are.
        neuron_updates: neurons times the steps in which they are computed.
        functions: pJ of what lies between layers, in all steps in which it is run.
        trained_functions: the same of the trained model.
        neurobench: NeuroBench's metrics.
        layers: with weights.
    """

    multiply_adds: int
    analog_multiply_adds: int
    synaptic_operations: float
    by_layer: Mapping[str, float]
    executed_multiply_adds: int = 0
    synapses: int = 0
    spikes: float = 0.0
    neurons: int = 0
    neuron_updates: int = 0
    functions: float = 0.0
    trained_functions: float = 0.0
    neurobench: NeuroBench = field(default_factory=NeuroBench)
    layers: tuple[LayerWork, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The totals, ready for JSON."""
        return asdict(self.totals())

    def totals(self) -> WorkTotals:
        """The totals."""
        return WorkTotals(
            self.multiply_adds,
            self.analog_multiply_adds,
            self.synaptic_operations,
            self.energy_ratio,
            self.executed_multiply_adds,
            self.synapses,
            self.spikes_per_synapse,
            self.energy_ratio_all,
            self.spikes,
            self.neuron_updates,
            self.neurobench,
        )

    @property
    def analog(self) -> int:
        """The old name of `analog_multiply_adds`."""
        warnings.warn("Work.analog is now called Work.analog_multiply_adds", DeprecationWarning, stacklevel=2)
        return self.analog_multiply_adds

    @property
    def spikes_per_synapse(self) -> float | None:
        """Additions for each multiply-add of the layers fed by spikes."""
        return self.synaptic_operations / self.synapses if self.synapses else None

    @property
    def picojoule(self) -> float:
        """Of synaptic operations and multiply-adds."""
        return (
            self.synaptic_operations * PICOJOULE_PER_ADDITION + self.executed_multiply_adds * PICOJOULE_PER_MULTIPLY_ADD
        )

    @property
    def energy_ratio(self) -> float | None:
        """Energy of the spiking model as a share of the trained model's: products and the additions in their place."""
        return self.picojoule / self._trained() if self.multiply_adds else None

    @property
    def energy_ratio_all(self) -> float | None:
        """The same with the neurons, and in both models with what lies between layers."""
        if not self.multiply_adds:
            return None
        spent = self.picojoule + (self.neuron_updates + self.spikes) * PICOJOULE_PER_UPDATE + self.functions
        return spent / (self._trained() + self.trained_functions)

    def _trained(self) -> float:
        return self.multiply_adds * PICOJOULE_PER_MULTIPLY_ADD


def multiply_adds(model: ir.Model, shapes: Shapes, samples: int) -> dict[str, int]:
    """Multiply-adds per sample of every layer with weights, by the node's name, those with a border of zeros included.

    By them layers are compared and runs planned, without what recurrences take; `count_work` has those that exist.

    Args:
        model: the trained model.
        shapes: every value's shape for that many samples.
        samples: their number.
    """
    return {str(node.name): round(multiply_adds_of(node, shapes) / samples) for node in model.graph if is_layer(node)}


def multiply_adds_of(node: ir.Node, shapes: Shapes) -> int:
    """Multiply-adds of one layer with weights, for all rows of its input; 0 where a shape is not known.

    Args:
        node: the layer.
        shapes: of its inputs and outputs, by name.
    """
    shape_of = _shapes_of(shapes)
    if node.op_type not in ("Conv", "ConvTranspose"):
        return round(total_fan_out(node, 0, shape_of)) if facts(node).recurrent else products(node, shape_of)
    x, w, y = (shape_of(value) if value is not None else None for value in (*node.inputs[:2], node.outputs[0]))
    if not x or not w or not y:
        return 0
    return math.prod(x if node.op_type == "ConvTranspose" else y) * math.prod(w[1:])


def total_fan_out(node: ir.Node, index: int, shape_of: ShapeOf, *, effective: bool = False) -> float:
    """Sum of a layer's fan-out over an input: its multiply-adds for one sample."""
    value = node.inputs[index]
    shape = shape_of(value) if value is not None else None
    if shape is None:
        return 0.0
    return float(np.broadcast_to(fan_out(node, index, shape_of, effective=effective), shape).sum())


def row_bytes(model: ir.Model, shapes: Shapes) -> int:
    """What running one sample for one step takes: bytes of the largest value, or an eighth of all if that is more."""
    sizes = [4 * int(np.prod(shapes[str(v.name)])) for n in model.graph for v in n.outputs if str(v.name) in shapes]
    return max(*sizes, sum(sizes) // 8, 1)


def analog_layers(routes: Routes) -> list[str]:
    """Names of the layers that numbers enter which are no spikes."""
    layers = [(node, layer_signals(node, routes.changes)) for node in routes.model.graph]
    return [
        str(node.name)
        for node, signals in layers
        if signals and not all(routes.spikes(node.inputs[i]) for i in signals)  # type: ignore[arg-type]
    ]


def count_work(
    trained: ir.Model,
    shapes: Shapes,
    routes: Routes,
    spikes: Mapping[str, Spikes],
    densities: Mapping[str, float],
    n_steps: int,
) -> Work:
    """The spiking model's work.

    Args:
        trained: the model with the activations.
        shapes: of its values, for one sample.
        routes: of the spiking model.
        spikes: per sample in `n_steps` steps, by the name of the neurons' node.
        densities: share of a layer's inputs that are not zero, for layers that take other numbers than spikes.
        n_steps: T.
    """
    count = _Count(trained, shapes, routes, spikes, densities, n_steps)
    layers = tuple(count.layers())
    by_layer = {name: sum(layer.synaptic_operations.get(name, 0.0) for layer in layers) for name in spikes}
    return Work(
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        analog_multiply_adds=sum(layer.analog for layer in layers),
        synaptic_operations=sum(by_layer.values()),
        by_layer=by_layer,
        executed_multiply_adds=sum(layer.executed for layer in layers),
        synapses=sum(layer.multiply_adds - layer.analog for layer in layers if layer.synaptic_operations),
        spikes=sum(float(each.count.sum()) for each in spikes.values()),
        neurons=sum(each.count.size for each in spikes.values()),
        neuron_updates=count.neuron_updates(),
        functions=count.functions(),
        trained_functions=functions_of(
            trained, _shapes_of(shapes), depending_on_inputs(trained.graph).__contains__, PICOJOULE
        ),
        neurobench=count.neurobench(layers),
        layers=layers,
    )


def functions_of(
    model: ir.Model, shape_of: ShapeOf, changes: Callable[[ir.Value], bool], picojoule: Mapping[Cost, float]
) -> float:
    """pJ of what lies between a trained model's layers, for one sample."""
    return sum(
        _elements(node, shape_of) * picojoule[takes(node)]
        for node in model.graph
        if any(value is not None and changes(value) for value in node.inputs)
    )


def _elements(node: ir.Node, shape_of: ShapeOf) -> int:
    value = node.inputs[0] if facts(node).reads_more else node.outputs[0]
    shape = shape_of(value) if value is not None else None
    each = FUNCTIONS_OF_A_CELL if facts(node).recurrent else 1
    return each * math.prod(shape) if shape is not None else 0


def _shapes_of(shapes: Shapes) -> ShapeOf:
    return lambda value: shapes.get(str(value.name))


def layer_signals(node: ir.Node, changes: Callable[[ir.Value], bool]) -> list[int]:
    """The inputs of a layer that depend on the samples; none of a node that is no layer."""
    if not is_layer(node):
        return []
    inputs = [(index, node.inputs[index]) for index in entries(node)]
    return [index for index, value in inputs if value is not None and changes(value)]


@dataclass
class _Count:
    """Counts a spiking model's work, layer by layer."""

    trained: ir.Model
    shapes: Shapes
    routes: Routes
    spikes: Mapping[str, Spikes]
    densities: Mapping[str, float]
    n_steps: int
    _effective_macs: float = 0.0
    _effective_acs: float = 0.0
    _dense: float = 0.0
    _neurons: frozenset[ir.Node] = frozenset()

    def __post_init__(self) -> None:
        self._neurons = frozenset(node for node in self.routes.model.graph if emits_spikes(node))

    def layers(self) -> Iterator[LayerWork]:
        """Every layer with weights."""
        originals = {str(node.name): node for node in self.trained.graph}
        for node in self.routes.model.graph:
            signals = layer_signals(node, self.routes.changes)
            if signals and str(node.name) in originals:
                yield self._layer(node, originals[str(node.name)], signals)

    def _layer(self, node: ir.Node, original: ir.Node, signals: list[int]) -> LayerWork:
        shape_of = _shapes_of(self.shapes)
        steps = self.n_steps if self.routes.runs_in_time(node) else 1
        total = round(total_fan_out(original, signals[0], shape_of))
        operations: dict[str, float] = {}
        analog = total
        for index in self._spiking(node, signals):
            analog = self._arrive(node, original, index, operations)
        again = recurrence(original, shape_of)
        if analog:
            density = self.densities.get(str(node.name), 1.0)
            effective = total_fan_out(original, signals[0], shape_of, effective=True)
            self._effective_macs += density * steps * effective * analog / max(1, total)
        self._effective_macs += steps * again
        self._dense += (total - analog) * self.n_steps + (analog + again) * steps
        given = [original.inputs[index] for index in signals]
        inputs = sum(math.prod(shape_of(value) or ()) for value in given if value is not None)
        return LayerWork(
            str(node.name),
            total + again,
            analog + again,
            (analog + again) * steps,
            operations,
            sum(array.size for array in weights_of(original)),
            inputs,
            math.prod(shape_of(original.outputs[0]) or ()),
            width(original, shape_of) or max(1, total // max(1, inputs)),
        )

    def _spiking(self, node: ir.Node, signals: list[int]) -> list[int]:
        """The inputs whose spikes cause additions; none where numbers have to be multiplied."""
        values = {index: node.inputs[index] for index in signals}
        has_spikes = {
            i: any(s.producer() in self._neurons for s in self.routes.sources(v)) for i, v in values.items() if v
        }
        others = [v for i, v in values.items() if not has_spikes[i]]
        others += [v for i, v in enumerate(node.inputs) if i not in values and v is not None and self.routes.changes(v)]
        if any(self.routes.is_in_time(value) for value in others if value is not None):
            return []
        spiking = [index for index in signals if has_spikes[index]]
        if len(signals) > 1 and not all(self.routes.spikes(values[i]) for i in spiking):  # type: ignore[arg-type]
            return []
        return spiking

    def _arrive(self, node: ir.Node, original: ir.Node, index: int, operations: dict[str, float]) -> int:
        """Adds what the spikes at an input cause; returns the multiply-adds of numbers that are none."""
        shape_of = _shapes_of(self.shapes)
        value, given = node.inputs[index], original.inputs[index]
        shape = shape_of(given) if given is not None else None
        assert value is not None and shape is not None
        each = np.broadcast_to(fan_out(original, index, shape_of), shape)
        arrivals = self.routes.arrivals(value, {name: s.count for name, s in self.spikes.items()}, shape)
        free = 1 - np.broadcast_to(arrivals.is_analog, shape)
        for name, arriving in arrivals.spikes.items():
            operations[name] = operations.get(name, 0.0) + float((arriving * free * each).sum())
        events = self.routes.arrivals(value, {name: s.events for name, s in self.spikes.items()}, shape).spikes
        nonzero = np.broadcast_to(fan_out(original, index, shape_of, effective=True), shape)
        effective = float((np.minimum(sum(events.values(), np.zeros(())), self.n_steps) * free * nonzero).sum())
        if self._is_binary(value, events, shape):
            self._effective_acs += effective
        else:
            self._effective_macs += effective
        return round(float(((1 - free) * each).sum()))

    def _is_binary(self, value: ir.Value, events: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> bool:
        """Whether each number is a spike of one height or none."""
        sources = self.routes.sources(value)
        if len(sources) != 1 or len(events) != 1:
            return False
        (name,), (neuron,) = events, (source.producer() for source in sources)
        assert neuron is not None
        height = OPERATORS[neuron.op_type].height
        several = "max_spikes" in neuron.attributes and neuron.attributes["max_spikes"].as_int() > 1
        if height is None or several or height.unit not in (Unit.COUNTED, Unit.SINGLE):
            return False
        ones = {name: np.ones_like(self.spikes[name].count)}
        return bool(self.routes.arrivals(value, ones, shape).spikes[name].max(initial=0) <= 1)

    def neuron_updates(self) -> int:
        """Neurons times the steps in which they are computed."""
        nodes = [node for node in self._neurons if str(node.name) in self.spikes]
        return sum(
            self.spikes[str(node.name)].count.size * (self.n_steps if OPERATORS[node.op_type].time is Time.STEPS else 1)
            for node in nodes
        )

    def functions(self) -> float:
        """pJ of what is neither a layer nor a neuron, in all steps in which it is run."""
        originals = {str(node.name): node for node in self.trained.graph}
        shapes: dict[ir.Value, tuple[int, ...]] = {}
        total = 0.0
        for value in self.routes.model.graph.inputs:
            if str(value.name) in self.shapes:
                shapes[value] = self.shapes[str(value.name)]
        for node in self.routes.model.graph:
            original = originals.get(str(node.name))
            first = shapes.get(node.inputs[0]) if node.inputs and node.inputs[0] is not None else None
            if str(node.name) in self.spikes:
                first = self.spikes[str(node.name)].count.shape
            for index, value in enumerate(node.outputs):
                named = str(original.outputs[index].name) if original and index < len(original.outputs) else ""
                shape = self.shapes.get(named, first)
                if shape is not None:
                    shapes[value] = shape
            if emits_spikes(node) or not any(self.routes.changes(value) for value in node.inputs):
                continue
            in_time = self.routes.runs_in_time(node) or self.routes.is_in_time(node.outputs[0])
            each = PICOJOULE[self._cost(node)]
            total += each * _elements(node, shapes.get) * (self.n_steps if in_time else 1)
        return total

    def _cost(self, node: ir.Node) -> Cost:
        if node.domain != DOMAIN:
            return takes(node)
        moves = OPERATORS[node.op_type].kernel is None or OPERATORS[node.op_type].time is Time.REPEAT
        return Cost.NOTHING if moves else Cost.ADDITION

    def neurobench(self, layers: tuple[LayerWork, ...]) -> NeuroBench:
        """After `layers`."""
        neurons = sum(each.count.size for each in self.spikes.values())
        events = sum(float(each.events.sum()) for each in self.spikes.values())
        later = sum(float(each.events.sum() - each.first.sum()) for each in self.spikes.values() if each.first.shape)
        arrays = [array for node in self.trained.graph if is_layer(node) for array in weights_of(node)]
        weights = sum(array.size for array in arrays)
        zero = weights - sum(int(np.count_nonzero(array)) for array in arrays)
        tensors = [value.const_value for value in self.routes.model.graph.initializers.values()]
        return NeuroBench(
            Dense=self._dense,
            Effective_MACs=self._effective_macs,
            Effective_ACs=self._effective_acs,
            ActivationSparsity=1 - events / max(1, neurons * self.n_steps),
            ConnectionSparsity=zero / max(1, weights),
            Footprint=sum(tensor.nbytes for tensor in tensors if tensor is not None),
            MembraneUpdates=neurons + later,
        )


def weights_of(node: ir.Node) -> list[np.ndarray]:
    """The trained numbers that a layer multiplies by."""
    others = range(1, 3) if facts(node).recurrent else range(2 if node.op_type != "Einsum" else len(node.inputs))
    arrays = [constant_of(node.inputs[index]) for index in others if index < len(node.inputs)]
    return [array for array in arrays if array is not None]
