"""The network with 8-bit integers, the opponent of every spiking model: run on the same samples, its energy beside.

    weights       int8, symmetric, a unit for each output channel: largest |w| / 127
    activations   uint8 where they enter a layer with weights, for the whole tensor: from the smallest to the largest number on
                  calibration samples, 0 included
    energy        0.2 a multiplication of 8 bits, 0.1 an addition of 32 bits, 3.2 a number that is rescaled to 8 bits, in pJ

It is computed in floats that hold those integers ("fake quantisation"), so nothing is lost or won by an integer kernel. "dense"
multiplies every number, "skipping" those that are not 0. Biases and what lies between layers stay in floats; recurrences
count as 8-bit products and are run with rounded weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.graph.batch_axis import BatchAxes
from converter.graph.build import constant, constant_of, depending_on_inputs
from converter.graph.op_facts import Cost, facts
from converter.graph.run import Probe, batches
from converter.graph.shapes import Shapes
from converter.io.samples import Samples
from converter.measure.cost import PICOJOULE_PER_MULTIPLY_ADD, Work, functions_of, layer_signals, total_fan_out
from converter.measure.fan_out import ShapeOf, fan_out, is_layer, recurrence
from converter.measure.instruments import MARK
from converter.measure.scores import Score
from converter.measure.totals import EightBit

BITS = 8
PICOJOULE_PER_MULTIPLY_ADD_8 = 0.2 + 0.1
PICOJOULE_PER_RESCALING = 3.2
"""A multiplication and an addition of 32 bits."""
PICOJOULE_8 = {Cost.NOTHING: 0.0, Cost.ADDITION: 0.1, Cost.MULTIPLICATION: 0.2, Cost.TABLE: 10.1}
"""Per element of what lies between layers, in integers."""
ROWS = 32
"""Samples that are run at once."""
USED = "_used"
"""Of the name of the share of an activation that is not 0."""


def eight_bit(
    trained: ir.Model, shapes: Shapes, axes: BatchAxes, calibration: Samples, samples: Samples, work: Work
) -> EightBit:
    """Quantises the trained model and runs it.

    Args:
        trained: the model.
        shapes: of its values, for one sample.
        axes: where the samples of each lie.
        calibration: samples that ranges follow from.
        samples: those to measure on.
        work: of the spiking model, for what the trained one takes.
    """
    changing = depending_on_inputs(trained.graph)
    entering = _entering(trained, changing.__contains__)
    ranges = _ranges(trained, list(entering), calibration)
    quantised = _quantised(trained, ranges)
    score, used = _run(trained, quantised, samples, axes)

    def shape_of(value: ir.Value) -> tuple[int, ...] | None:
        return shapes.get(str(value.name))

    dense, skipping, rescaled = (
        number * picojoule
        for number, picojoule in zip(
            _counted(shape_of, entering, used),
            (PICOJOULE_PER_MULTIPLY_ADD_8, PICOJOULE_PER_MULTIPLY_ADD_8, PICOJOULE_PER_RESCALING),
            strict=True,
        )
    )
    between = functions_of(trained, shape_of, changing.__contains__, PICOJOULE_8)
    result = score.result(0, 1)
    whole = work.multiply_adds * PICOJOULE_PER_MULTIPLY_ADD
    everything = whole + work.trained_functions

    def share(picojoule: float, of: float) -> float | None:
        return picojoule / of if whole else None

    return EightBit(
        result.accuracy,
        result.agreement,
        result.relative_error,
        share(dense, whole),
        share(skipping, whole),
        share(dense + rescaled + between, everything),
        share(skipping + rescaled + between, everything),
    )


@dataclass(frozen=True)
class _Quantised:
    """The model, and names of the integers that its activations become, by the name of the activation."""

    model: ir.Model
    integers: Mapping[str, str]


def _entering(model: ir.Model, changes: Callable[[ir.Value], bool]) -> dict[ir.Value, list[tuple[ir.Node, int]]]:
    """The values that enter layers, and where."""
    found: dict[ir.Value, list[tuple[ir.Node, int]]] = {}
    for node in model.graph:
        for index in layer_signals(node, changes):
            value = node.inputs[index]
            assert value is not None
            found.setdefault(value, []).append((node, index))
    return found


def _ranges(model: ir.Model, values: list[ir.Value], samples: Samples) -> dict[str, tuple[float, float]]:
    """Smallest and largest number of each value."""
    copy = model.clone()
    by_name = {str(v.name): v for v in (*copy.graph.inputs, *(v for node in copy.graph for v in node.outputs))}
    outputs = []
    for value in values:
        for op_type in ("ReduceMin", "ReduceMax"):
            given = by_name[str(value.name)]
            node = ir.node(op_type, [given], {"keepdims": 0}, name=f"{value.name}_{op_type}")
            node.outputs[0].name, node.outputs[0].type = f"{value.name}{MARK}{op_type}", given.type
            copy.graph.append(node)
            outputs.append(node.outputs[0])
    probe = Probe(copy, outputs)
    found = {str(value.name): (0.0, 0.0) for value in values}
    for feed in batches(samples.feed, ROWS):
        numbers = probe.run(feed)
        for name, (low, high) in found.items():
            least, most = float(numbers[f"{name}{MARK}ReduceMin"]), float(numbers[f"{name}{MARK}ReduceMax"])
            found[name] = min(low, least), max(high, most)
    return found


def _quantised(model: ir.Model, ranges: Mapping[str, tuple[float, float]]) -> _Quantised:
    """A copy whose layers get rounded activations and have rounded weights."""
    copy = model.clone()
    graph = copy.graph
    by_name = {str(v.name): v for v in (*graph.inputs, *(v for node in graph for v in node.outputs))}
    changing = depending_on_inputs(graph)
    places = _entering(copy, changing.__contains__)
    integers = {}
    for name, (low, high) in ranges.items():
        value = by_name[name]
        levels = 2**BITS - 1
        unit = (high - low) / levels or 1.0
        zero = round(-low / unit)
        assert value.dtype is not None
        element = value.dtype.numpy()

        def number(what: str, given: float, name: str = name, element: np.dtype = element) -> ir.Value:
            return constant(graph, f"{name}_8_bit_{what}", np.asarray(given, element))

        scale = number("unit", unit)
        nodes = [ir.node("Div", [value, scale], name=f"{name}_8_bit_in_units")]
        nodes.append(ir.node("Round", [nodes[-1].outputs[0]], name=f"{name}_8_bit_round"))
        bounds = [number("least", -zero), number("most", levels - zero)]
        nodes.append(ir.node("Clip", [nodes[-1].outputs[0], *bounds], name=f"{name}_8_bit"))
        nodes[-1].outputs[0].name = integers[name] = f"{name}{MARK}8_bit"
        nodes.append(ir.node("Mul", [nodes[-1].outputs[0], scale], name=f"{name}_8_bit_value"))
        for node in nodes:
            node.outputs[0].type = value.type
        producer = value.producer()
        if producer is None:
            graph.insert_before(graph[0], nodes)
        else:
            graph.insert_after(producer, nodes)
        for user, index in places[value]:
            user.replace_input_with(index, nodes[-1].outputs[0])
    for node in graph:
        if is_layer(node):
            for index in range(1, 3) if facts(node).recurrent else range(min(2, len(node.inputs))):
                array = constant_of(node.inputs[index])
                if array is not None and array.dtype.kind == "f":
                    node.replace_input_with(
                        index, constant(graph, f"{node.name}_weights_8_bit", _rounded(node, index, array))
                    )
    return _Quantised(copy, integers)


def _rounded(node: ir.Node, index: int, weights: np.ndarray) -> np.ndarray:
    """Weights as integers times the unit of their output channel."""
    others = tuple(axis for axis in range(weights.ndim) if axis != _output_axis(node, index, weights.ndim))
    unit = np.abs(weights).max(axis=others, keepdims=True) / (2 ** (BITS - 1) - 1)
    unit = np.where(unit > 0, unit, 1)
    return np.asarray(np.round(weights / unit) * unit, weights.dtype)


def _output_axis(node: ir.Node, index: int, rank: int) -> int:
    """The axis of weights along which outputs differ."""
    if node.op_type == "ConvTranspose" or facts(node).recurrent:
        return 1
    if node.op_type == "Conv":
        return 0
    turned = node.op_type == "Gemm" and "transB" in node.attributes and node.attributes["transB"].as_int()
    return max(rank - 2, 0) if turned or index == 0 else rank - 1


def _run(
    trained: ir.Model, quantised: _Quantised, samples: Samples, axes: BatchAxes
) -> tuple[Score, dict[str, np.ndarray]]:
    """Outputs against the trained model's, and how often each activation of a sample is not 0."""
    outputs = [str(value.name) for value in trained.graph.outputs]
    graph = quantised.model.graph
    by_name = {str(v.name): v for v in (*graph.inputs, *(v for node in graph for v in node.outputs))}
    wanted = {name: by_name[name] for name in outputs}
    for name, integer in quantised.integers.items():
        nodes = [ir.node("Cast", [by_name[integer]], {"to": int(ir.DataType.BOOL)}, name=f"{integer}_bool")]
        nodes.append(ir.node("Cast", [nodes[-1].outputs[0]], {"to": int(ir.DataType.FLOAT)}, name=f"{integer}_float"))
        axis = constant(graph, f"{integer}_axis", np.asarray([axes.place(by_name[name])], np.int64))
        nodes.append(ir.node("ReduceMean", [nodes[-1].outputs[0], axis], {"keepdims": 1}, name=f"{integer}_used"))
        nodes[-1].outputs[0].name, nodes[-1].outputs[0].type = f"{integer}_used", ir.TensorType(ir.DataType.FLOAT)
        graph.extend(nodes)
        wanted[name + USED] = nodes[-1].outputs[0]
    reference = Probe(trained, list(trained.graph.outputs))
    probe = Probe(quantised.model, list(dict.fromkeys(wanted.values())))
    score = Score(1, samples.labels is not None, against=True)
    used: dict[str, np.ndarray] = {}
    done = 0
    for feed in batches(samples.feed, ROWS):
        count = len(next(iter(feed.values())))
        found, expected = probe.run(feed), reference.run(feed)
        labels = None if samples.labels is None else samples.labels[done : done + count]
        score.add({name: found[name][None] for name in outputs}, [expected[name] for name in outputs], labels)
        for name in quantised.integers:
            used[name] = used.get(name, np.zeros(())) + found[str(wanted[name + USED].name)] * float(count)
        done += count
    return score, {name: total / done for name, total in used.items()}


def _counted(
    shape_of: ShapeOf,
    entering: Mapping[ir.Value, Sequence[tuple[ir.Node, int]]],
    used: Mapping[str, np.ndarray],
) -> tuple[float, float, float]:
    """Products, products whose activation is not 0, activations that are rescaled; of one sample."""
    by_layer: dict[ir.Node, list[tuple[ir.Value, int]]] = {}
    for value, places in entering.items():
        for node, index in places:
            by_layer.setdefault(node, []).append((value, index))
    dense = skipping = 0.0
    for node, operands in by_layer.items():
        value, index = operands[0]
        total, again = total_fan_out(node, index, shape_of), recurrence(node, shape_of)
        each = fan_out(node, index, shape_of) * used[str(value.name)]
        left = float(np.broadcast_to(each, shape_of(value) or ()).sum())
        for other, _ in operands[1:]:
            left *= float(used[str(other.name)].mean())
        dense += total + again
        skipping += left + again
    return dense, skipping, float(sum(math.prod(shape_of(value) or ()) for value in entering))
