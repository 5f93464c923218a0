"""What the page of a report draws, as plain numbers and texts: `data/report.js` hands them to Plotly.

Texts come from strangers' files. They are shown as they are, without what a screen would obey; the page's script escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from converter.conversion.result import Conversion, Front, Layer, Point
from converter.measure.cost import PICOJOULE_PER_ADDITION, PICOJOULE_PER_MULTIPLY_ADD, PICOJOULE_PER_UPDATE, Work
from converter.measure.eight_bit import PICOJOULE_PER_MULTIPLY_ADD_8
from converter.measure.traces import Density, Firing, Histogram, LayerTrace, Shown
from converter.report.console import printable
from converter.report.network import network_of

DIGITS = 4
"""Significant ones of every number."""
LONGEST_NAME = 200
ASSUMED = {
    "multiply_add": PICOJOULE_PER_MULTIPLY_ADD,
    "addition": PICOJOULE_PER_ADDITION,
    "eight_bit": round(PICOJOULE_PER_MULTIPLY_ADD_8, 3),
    "update": round(PICOJOULE_PER_UPDATE, 3),
}
"""What each operation takes in pJ, unless a reader puts in something else."""


def page_data(conversion: Conversion) -> dict[str, Any]:
    """All that is drawn, ready for JSON."""
    return {
        "front": _front(conversion.front),
        "outputs": _outputs(conversion),
        "network": _network(conversion),
        "layers": [_layer(conversion, index) for index in range(len(conversion.layers))],
        "energy": _energy(conversion),
        "samples": [] if conversion.traces is None else [_sample(shown) for shown in conversion.traces.samples],
        "code": conversion.options.code,
        "steps": conversion.options.n_steps,
    }


def name_of(text: str) -> str:
    """A name of a file, as it may stand on a page: nothing that hides or turns what is beside it, and not endless."""
    clean = printable(text)
    return clean if len(clean) <= LONGEST_NAME else f"{clean[: LONGEST_NAME - 1]}…"


def family_name(point: Point) -> str:
    """How points are called that differ in T or J alone."""
    neuron = "" if point.code == "delta" else f", {point.neuron}"
    return f"{point.code} code, {point.schedule}{neuron}"


def _number(value: float | None) -> float | None:
    """To `DIGITS` significant digits; None where it is no finite number."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.{DIGITS}g}")


def _numbers(values: Sequence[float] | np.ndarray) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _percent(share: float | None) -> float | None:
    return None if share is None else _number(100 * share)


def _front(front: Front | None) -> dict[str, Any] | None:
    if front is None:
        return None
    by_class = front.min_agreement is not None
    families: dict[str, list[dict[str, Any]]] = {}
    for point in front.points:
        families.setdefault(family_name(point), []).append(_point(point, by_class))
    found = front.eight_bit
    other = None
    if found is not None:
        other = _spot("8-bit network", found.agreement, found.relative_error, found.energy_ratio, by_class)
    return {
        "families": [{"name": name, "points": points} for name, points in families.items()],
        "taken": _point(front.chosen, by_class),
        "eight_bit": other,
        "by_class": by_class,
        "limit": _percent(None if front.min_agreement is None else 1 - front.min_agreement)
        if by_class
        else _percent(front.max_error),
        "samples": front.samples,
    }


def _point(point: Point, by_class: bool) -> dict[str, Any]:
    name = f"T = {point.n_steps}" if point.exponent is None else f"J = {point.exponent}"
    return {
        **_spot(name, point.agreement, point.relative_error, point.energy_ratio, by_class),
        "T": point.n_steps,
        "J": point.exponent,
        "accuracy": _percent(point.accuracy),
        "answer": point.steps_to_answer,
    }


def _spot(
    name: str, agreement: float | None, error: float | None, energy: float | None, by_class: bool
) -> dict[str, Any]:
    lost = (None if agreement is None else 1 - agreement) if by_class else error
    return {
        "name": name,
        "lost": _percent(lost),
        "agreement": _percent(agreement),
        "error": _percent(error),
        "energy": _percent(energy),
    }


def _outputs(conversion: Conversion) -> dict[str, Any] | None:
    """The answers over T, or over J, of the code and schedule that were taken."""
    front, traces = conversion.front, conversion.traces
    if front is not None:
        chosen = front.chosen
        points = [point for point in front.points if point.family == chosen.family]
        over = "T" if chosen.exponent is None else "J"
        x = [point.n_steps if point.exponent is None else point.exponent for point in points]
        mark = chosen.n_steps if chosen.exponent is None else chosen.exponent
        rows: Sequence[Any] = points
        samples, trained = front.samples, front.ann_accuracy
    elif traces is not None and traces.outputs:
        rows, over, mark = traces.outputs, "T", conversion.options.steps_of_file
        x = [row.n_steps for row in traces.outputs]
        samples, trained = traces.counted, conversion.measured.ann_accuracy
    else:
        return None
    return {
        "over": over,
        "x": x,
        "mark": mark,
        "accuracy": _percents(row.accuracy for row in rows),
        "agreement": _percents(row.agreement for row in rows),
        "error": _percents(row.relative_error for row in rows),
        "trained": _percent(trained),
        "samples": samples,
    }


def _percents(shares: Any) -> list[float | None] | None:
    percents = [_percent(share) for share in shares]
    return None if all(each is None for each in percents) else percents


def _network(conversion: Conversion) -> dict[str, Any]:
    network = network_of(conversion)
    return {
        "blocks": [
            {"kind": block.kind, "name": name_of(block.name), "what": name_of(block.what), "layer": block.layer}
            for block in network.blocks
        ],
        "edges": [[edge.first, edge.last, edge.lane] for edge in network.edges],
    }


def _layer(conversion: Conversion, index: int) -> dict[str, Any]:
    layer = conversion.layers[index]
    fed, synapses, operations = _fed_by(conversion, layer)
    total = conversion.work.picojoule
    low, median, high = layer.threshold
    data: dict[str, Any] = {
        "name": name_of(layer.name),
        "activation": name_of(layer.activation),
        "neuron": layer.neuron,
        "channels": layer.channels,
        "error": _percent(layer.relative_error),
        "rate": _number(layer.spike_rate),
        "operations": _number(operations),
        "per_synapse": _number(operations / synapses) if synapses else None,
        "share": _percent(operations * PICOJOULE_PER_ADDITION / total) if total else None,
        "fed": [name_of(name) for name in fed],
        "height": _numbers([low, median, high]),
        "reason": name_of(layer.reason),
    }
    if conversion.traces is not None:
        data |= _trace(conversion.traces.layers[index])
    return data


def _fed_by(conversion: Conversion, layer: Layer) -> tuple[list[str], float, float]:
    """The layers with weights that its spikes reach, their multiply-adds, and the additions that its spikes cause there."""
    node = node_names(conversion).get(layer.name, "")
    reached = [work for work in conversion.work.layers if work.synaptic_operations.get(node)]
    synapses = sum(work.multiply_adds - work.analog for work in reached)
    return [work.name for work in reached], synapses, sum(work.synaptic_operations[node] for work in reached)


def node_names(conversion: Conversion) -> dict[str, str]:
    """Of the neurons' nodes, by the names of the layers."""
    names = list(conversion.work.by_layer)
    return dict(zip((layer.name for layer in conversion.layers), names, strict=False))


def _trace(trace: LayerTrace) -> dict[str, Any]:
    return {
        "thresholds": _histogram(trace.thresholds),
        "rates": _histogram(trace.rates),
        "density": None if trace.density is None else _density(trace.density),
        "errors": [_percent(error) for error in trace.errors],
        "firings": [_firing(firing) for firing in trace.firings],
        "note": name_of(trace.note),
    }


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {"edges": _numbers(histogram.edges), "counts": histogram.counts.tolist()}


def _density(density: Density) -> dict[str, Any]:
    return {
        "x": _numbers(_middles(density.activation)),
        "y": _numbers(_middles(density.sent)),
        "counts": density.counts.tolist(),
    }


def _middles(edges: np.ndarray) -> np.ndarray:
    middles: np.ndarray = (edges[1:] + edges[:-1]) / 2
    return middles


def _firing(firing: Firing) -> dict[str, Any]:
    """Spikes as [step, row, how many, what they are worth]; steps begin with 1."""
    marks = [
        [int(step) + 1, int(row), int(firing.counts[step, row]), _number(float(firing.sent[step, row]))]
        for step, row in np.argwhere(firing.counts)
    ]
    followed = []
    for place, row in enumerate(firing.followed):
        one: dict[str, Any] = {"row": int(row), "value": _numbers(firing.values[:, place])}
        if firing.voltages is not None:
            one["voltage"] = _numbers(firing.voltages[:, place])
        if firing.wanted is not None:
            one["wanted"] = _number(float(firing.wanted[row]))
        followed.append(one)
    return {
        "neurons": firing.neurons.tolist(),
        "steps": len(firing.counts),
        "marks": marks,
        "followed": followed,
        "in_thresholds": firing.in_thresholds,
        "fired": firing.fired,
        "all": firing.all_neurons,
    }


def _sample(shown: Shown) -> dict[str, Any]:
    picture = None if shown.picture is None else np.round(shown.picture, 2).tolist()
    return {"label": shown.label, "ann": shown.ann_class, "snn": shown.snn_class, "picture": picture}


def _energy(conversion: Conversion) -> dict[str, Any]:
    """Counts, and what each is assumed to take in pJ."""
    work, found = conversion.work, conversion.eight_bit
    skipping = None
    if found.energy_ratio and found.energy_ratio_skipping is not None:
        skipping = found.energy_ratio_skipping / found.energy_ratio
    return {
        "multiply_adds": work.multiply_adds,
        "executed": work.executed_multiply_adds,
        "operations": _number(work.synaptic_operations),
        "updates": _number(work.neuron_updates + work.spikes),
        "eight_bit": found.energy_ratio is not None,
        "used": _number(skipping),
        "by_layer": _work_by_layer(work, node_names(conversion)),
        "assumed": ASSUMED,
    }


def _work_by_layer(work: Work, nodes: Mapping[str, str]) -> list[dict[str, Any]]:
    names = {node: name for name, node in nodes.items()}
    return [
        {
            "name": name_of(layer.name),
            "multiply_adds": layer.multiply_adds,
            "executed": layer.executed,
            "operations": _number(sum(layer.synaptic_operations.values())),
            "sources": [name_of(names.get(node, node)) for node in layer.synaptic_operations],
        }
        for layer in work.layers
    ]
