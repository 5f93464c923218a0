"""What a conversion would do, before there are samples: the first steps of one, on numbers that are made up.

`check` runs what `convert` runs, `prepare` and the placing of neurons, and counts what the neurons' spikes would reach. So it
refuses what a conversion refuses, in the same words, but for what only samples can tell: values that are not finite, too few
samples, a budget that nothing keeps.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from converter.activations.sites import KeptAnalog
from converter.conversion.build import Draft, place_neurons
from converter.conversion.describe import finish_graph
from converter.conversion.effects import Idle, idle_options
from converter.conversion.front import leaves_open
from converter.conversion.prepare import Prepared, prepare
from converter.conversion.search import default_recipe
from converter.errors import RefusedError, concerning, retold
from converter.graph.build import to_proto
from converter.graph.op_facts import Cost, facts, takes
from converter.graph.passes import PassReport
from converter.graph.run import CANNOT_RUN
from converter.graph.shapes import FREE_LENGTH, infer_shapes
from converter.io.samples import InputSpec, Samples, check_takes_samples
from converter.measure.cost import (
    PICOJOULE_PER_ADDITION,
    PICOJOULE_PER_MULTIPLY_ADD,
    LayerWork,
    Work,
    count_work,
    layer_signals,
)
from converter.measure.eight_bit import PICOJOULE_PER_MULTIPLY_ADD_8
from converter.measure.instruments import emits_spikes
from converter.measure.layers import Spikes
from converter.measure.routes import Routes
from converter.measure.typical import Typical, typical
from converter.normalise.ann import Ann, load_ann
from converter.options import Options
from snn_ops.format import DOMAIN

MADE_UP = 4
"""Samples: as many as the proof that they do not influence each other takes."""

MOST_NUMBERS = 2**28
"""Of a sample of one input."""
FEW = 0.5
"""Of the multiply-adds, below which another code is worth a look."""


@dataclass(frozen=True)
class CheckedLayer:
    """A layer with weights, and what becomes of it.

    Attributes:
        name: of its node.
        operator: of it.
        multiply_adds: of the trained model, for one sample.
        share: of all of them.
        analog: those that stay multiply-adds.
        becomes: "spikes", "analog", or "partly" spikes.
        neurons: the operators whose spikes enter it.
        reason: why it, or a part, stays analog; "" where it does not.
    """

    name: str
    operator: str
    multiply_adds: int
    share: float
    analog: int
    becomes: str
    neurons: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class CheckedNeurons:
    """A layer of neurons.

    Attributes:
        name: as a conversion calls it.
        activation: whose place they take; "Identity": of none, they send a value.
        neuron: the operator.
        reason: why it is another one than was asked for.
    """

    name: str
    activation: str
    neuron: str
    reason: str


@dataclass(frozen=True)
class Estimate:
    """Energy of a conversion as a share of the trained model's, by what others took (docs/energy.md has the rules).

    Attributes:
        low, median, high: quartiles: a quarter of conversions would take less than `low`, a quarter more than `high`.
        models: how many were measured.
        eight_bit: of the same network in 8-bit integers, every product counted.
    """

    low: float
    median: float
    high: float
    models: int
    eight_bit: float = PICOJOULE_PER_MULTIPLY_ADD_8 / PICOJOULE_PER_MULTIPLY_ADD


@dataclass(frozen=True)
class Check:
    """What a conversion would do.

    Attributes:
        ann: the trained model.
        options: with nothing open.
        layers: with weights, in the order of the graph.
        neurons: layers of neurons.
        functions: operators that are computed as in the trained model, and how many; with the rate code those between
            neurons, which are the analog islands.
        kept_analog: activations, or layers, that stay as they are, with the reason.
        multiply_adds: of the trained model, for one sample.
        analog: those that stay.
        estimate: of the energy; None where nothing like it was measured.
        assumed: inputs whose lengths the model leaves open and nobody named, with those that were taken.
        idle: options that change nothing.
    """

    ann: Ann
    options: Options
    layers: list[CheckedLayer]
    neurons: list[CheckedNeurons]
    functions: dict[str, int]
    kept_analog: list[KeptAnalog]
    multiply_adds: int
    analog: int
    estimate: Estimate | None
    assumed: dict[str, list[int]]
    idle: list[Idle] = field(default_factory=list)
    reports: tuple[PassReport, ...] = ()
    """What the passes over the graph did."""

    @property
    def spiking_share(self) -> float:
        """Of the multiply-adds, those that spikes take the place of."""
        return 1 - self.analog / self.multiply_adds if self.multiply_adds else 0.0

    def notes(self) -> list[str]:
        """What a user should know beside the numbers."""
        notes = [idle.text for idle in self.idle]
        for name, lengths in self.assumed.items():
            shape = " x ".join(map(str, lengths))
            notes.append(f"the model leaves lengths of input {name!r} open; {shape} was taken, --shape says otherwise")
        if not self.options.is_delta and self.spiking_share < FEW:
            share = f"{100 * self.spiking_share:.0f} %"
            notes.append(f"with the rate code {share} of the multiply-adds will spike; look at --code delta")
        if self.ann.quantised:
            notes.append("the model was quantised; what its integers stand for in floats is converted")
        return notes

    def summary(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "model": str(self.ann.path),
            "converts": True,
            "inputs": [
                {"name": spec.name, "type": str(spec.dtype), "shape": list(spec.shape)} for spec in self.ann.input_specs
            ],
            "batch": self.ann.batch,
            "options": asdict(self.options),
            "multiply_adds": self.multiply_adds,
            "analog_multiply_adds": self.analog,
            "spiking_share": self.spiking_share,
            "energy": None if self.estimate is None else asdict(self.estimate),
            "layers": [asdict(layer) for layer in self.layers],
            "neurons": [asdict(neurons) for neurons in self.neurons],
            "functions": self.functions,
            "kept_analog": [asdict(kept) for kept in self.kept_analog],
            "assumed": self.assumed,
            "idle_options": [asdict(idle) for idle in self.idle],
            "notes": self.notes(),
        }


def check(
    model: str | Path | Ann,
    *,
    options: Options | None = None,
    lengths: Mapping[str, Sequence[int]] | None = None,
    **changes: Any,
) -> Check:
    """Tells what a conversion would do with a trained model, without samples.

    Args:
        model: an ONNX file, or what `load_ann` made of it.
        options: of the conversion; `changes` replace single ones.
        lengths: of a sample, by the input's name, where the model leaves them open; default: 64 each.

    Raises:
        RefusedError: it cannot be converted; the message says why and what to do, as a conversion's would.
    """
    asked = replace(options, **changes) if options else Options(**changes)
    ann = model if isinstance(model, Ann) else load_ann(model)
    with concerning(ann.path):
        samples, assumed = _made_up(ann.input_specs, lengths or {})
        try:
            prepared = prepare(ann, samples, asked.settled())
        except RefusedError as error:
            raise _with_doubt(error, assumed) from error
        recipe = default_recipe(prepared.options)
        built = prepared.options if prepared.options.is_delta else replace(prepared.options, **asdict(recipe))
        draft = place_neurons(prepared, built)
        routes = Routes(draft.model, prepared.sample_shapes)
        work = _work(prepared, draft, routes)
        layers = _layers(routes, work)
        functions = _functions(draft, prepared)
        idle = idle_options(prepared, recipe, chooses=asked.has_budget or leaves_open(asked, prepared.options))
        finish_graph(draft.model, streaming=asked.streaming)
        onnx.checker.check_model(to_proto(draft.model), full_check=False)
    return Check(
        ann,
        prepared.options,
        layers,
        [_neurons(placed.site.name, draft, placed.site.activation.name, placed.node) for placed in draft.layers],
        functions,
        list(prepared.kept_analog),
        work.multiply_adds,
        work.analog_multiply_adds,
        _estimate(work, typical(asked)),
        assumed,
        idle,
        (*prepared.reports, *draft.reports),
    )


def _made_up(inputs: Sequence[InputSpec], lengths: Mapping[str, Sequence[int]]) -> tuple[Samples, dict[str, list[int]]]:
    """Samples from 0 to 1, 0 and 1 for integers, and the lengths that had to be assumed."""
    check_takes_samples(inputs)
    unknown = lengths.keys() - {spec.name for spec in inputs}
    if unknown:
        raise RefusedError(f"it has no input {min(unknown)!r}; there are {', '.join(spec.name for spec in inputs)}")
    rng = np.random.default_rng(0)
    feed, assumed = {}, {}
    for spec in inputs:
        declared, named = list(spec.shape[1:]), lengths.get(spec.name)
        if named is not None and (
            len(named) != len(declared)
            or any(isinstance(d, int) and d != n for d, n in zip(declared, named, strict=True))
            or min(named, default=1) < 1
        ):
            wanted = ",".join(str(d) if isinstance(d, int) else "N" for d in declared)
            raise RefusedError(
                f"input {spec.name!r} has samples of the shape {wanted}, not {','.join(map(str, named))}"
            )
        shape = list(named) if named is not None else [d if isinstance(d, int) else FREE_LENGTH for d in declared]
        if math.prod(shape) > MOST_NUMBERS:
            raise RefusedError(
                f"a sample of input {spec.name!r} has {math.prod(shape):,} numbers, too many to make some up"
            )
        if shape != declared and named is None:
            assumed[spec.name] = shape
        numbers = rng.random((MADE_UP, *shape))
        feed[spec.name] = (numbers if spec.dtype.kind == "f" else numbers < 0.5).astype(spec.dtype)
    return Samples(feed, None), assumed


def _with_doubt(error: RefusedError, assumed: Mapping[str, Sequence[int]]) -> RefusedError:
    """The refusal. Where it may be the made-up samples' fault, it says so."""
    text = str(error)
    if CANNOT_RUN in text:
        text += "; the samples were made up, of numbers from 0 to 1, and it may run on others: convert it with yours"
    for name, shape in assumed.items():
        text += (
            f" (input {name!r} was taken to be {' x '.join(map(str, shape))}, as the model leaves that open; --shape says "
            "other lengths)"
        )
    return error if text == str(error) else retold(error, text)


def _work(prepared: Prepared, draft: Draft, routes: Routes) -> Work:
    """Of neurons that are silent: the multiply-adds that spikes take the place of, and those that stay."""
    shapes = infer_shapes(prepared.trained, prepared.sample_shapes)
    nothing = {str(each.node.name): np.zeros(shapes[str(each.site.y.name)]) for each in draft.layers}
    spikes = {name: Spikes(zeros, zeros, zeros[:0]) for name, zeros in nothing.items()}
    return count_work(prepared.trained, shapes, routes, spikes, {}, prepared.options.steps_of_file)


def _layers(routes: Routes, work: Work) -> list[CheckedLayer]:
    nodes = {str(node.name): node for node in routes.model.graph}
    return [_layer(routes, nodes[each.name], each, work.multiply_adds) for each in work.layers]


def _layer(routes: Routes, node: ir.Node, work: LayerWork, total: int) -> CheckedLayer:
    signals = [value for i in layer_signals(node, routes.changes) if (value := node.inputs[i]) is not None]
    sources = sorted({source for value in signals for source in routes.sources(value)}, key=lambda v: str(v.name))
    producers = [source.producer() for source in sources]
    neurons = tuple(dict.fromkeys(p.op_type for p in producers if p is not None and emits_spikes(p)))
    becomes = "spikes" if not work.analog else "analog" if work.analog == work.multiply_adds else "partly"
    return CheckedLayer(
        work.name,
        node.op_type,
        work.multiply_adds,
        work.multiply_adds / max(1, total),
        work.analog,
        becomes,
        neurons if becomes != "analog" else (),
        _reason(routes, node, signals, sources) if work.analog else "",
    )


def _reason(routes: Routes, node: ir.Node, signals: Sequence[ir.Value], sources: Sequence[ir.Value]) -> str:
    """Why numbers are multiplied."""
    makers = [_maker(source) for source in sources if not _is_neuron(source)]
    names = ", ".join(dict.fromkeys(maker.op_type for maker in makers if maker is not None))
    if facts(node).recurrent:
        return "its recurrence is computed in every step, from whole values"
    if len(signals) > 1:
        return "a product of two signals" + (f"; {names} gives no spikes" if names else "")
    parts = [*(["the model's input"] if None in makers else []), *([f"what {names} gives"] if names else [])]
    often = "in every step" if routes.runs_in_time(node) else "once"
    return f"{' and '.join(parts) or 'what is before it'}, as numbers, {often}"


def _is_neuron(source: ir.Value) -> bool:
    maker = source.producer()
    return maker is not None and emits_spikes(maker)


def _maker(value: ir.Value) -> ir.Node | None:
    """The node of the trained model whose numbers these are; None: they are the model's input."""
    maker = value.producer()
    while maker is not None and maker.domain == DOMAIN and maker.inputs[0] is not None:
        maker = maker.inputs[0].producer()
    return maker


def _functions(draft: Draft, prepared: Prepared) -> dict[str, int]:
    """What is computed as in the trained model, between layers with weights."""
    if not prepared.options.is_delta:
        return dict(Counter(op_type for island in draft.islands for op_type in island.op_types).most_common())
    axes = prepared.axes
    return dict(
        Counter(
            node.op_type
            for node in prepared.trained.graph
            if not facts(node).weighted
            and not facts(node).recurrent
            and node.domain != DOMAIN
            and takes(node) is not Cost.NOTHING
            and any(value is not None and axes.changes(value) for value in node.inputs)
        ).most_common()
    )


def _neurons(name: str, draft: Draft, activation: str, node: ir.Node) -> CheckedNeurons:
    return CheckedNeurons(name, activation, node.op_type, draft.reasons.get(name, ""))


def _estimate(work: Work, expected: Typical | None) -> Estimate | None:
    if expected is None or not work.multiply_adds:
        return None

    def ratio(spikes_per_synapse: float) -> float:
        spent = spikes_per_synapse * work.synapses * PICOJOULE_PER_ADDITION
        return (spent + work.executed_multiply_adds * PICOJOULE_PER_MULTIPLY_ADD) / (
            work.multiply_adds * PICOJOULE_PER_MULTIPLY_ADD
        )

    return Estimate(ratio(expected.low), ratio(expected.median), ratio(expected.high), expected.models)
