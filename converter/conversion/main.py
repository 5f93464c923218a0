"""The main job: a trained model becomes a spiking one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

import snn_ops
from converter.activations.sites import Site, find_sites, sites_in_copy
from converter.calibration.correction import correct
from converter.calibration.histograms import ChannelHistogram, Observed, observe
from converter.calibration.ranges import calibrated_range
from converter.calibration.rate_fit import fit_layer
from converter.conversion.advice import advice
from converter.conversion.result import Conversion, Layer, Recipe, Trial
from converter.conversion.search import BUDGET, MOST_SAMPLES, choose, default_recipe, readout_steps
from converter.errors import RefusedError, concerning
from converter.graph.build import add_functions, add_n_steps, captured, operand, to_proto
from converter.graph.op_facts import is_linear
from converter.graph.shapes import annotate, infer_shapes
from converter.io.samples import Samples, check_samples
from converter.measure.cost import Work, count_work, multiply_adds, row_bytes
from converter.measure.evaluation import evaluate
from converter.measure.instruments import without_softmax
from converter.measure.layers import LayerError, compare_layers
from converter.neurons.choice import choose_neuron
from converter.neurons.fitted import FittedNeuron
from converter.neurons.neuron import Neuron, Placed
from converter.normalise.ann import Ann, load_ann
from converter.normalise.local_shapes import LocalShapesPass
from converter.normalise.proof import _prove_batch
from converter.options import FITTED, Options, is_open
from converter.spiking.batch_first import BatchFirstPass
from converter.spiking.expose_states import ExposeStatesPass
from converter.spiking.islands import AnalogIslandsPass, Island, find_islands
from converter.spiking.model import SpikingModel
from converter.spiking.place_time import PlaceTimePass
from converter.spiking.pool_before_activation import PoolBeforeActivationPass
from snn_ops.session import rows_at_once

Progress = Callable[[str, int, int], None]
"""(what, done, of)"""


def convert(
    model: str | Path | Ann,
    calibration: Samples | np.ndarray | Mapping[str, np.ndarray],
    *,
    options: Options | None = None,
    progress: Progress = lambda what, done, of: None,
    **changes: Any,
) -> Conversion:
    """Converts a trained model into a spiking one.

    Args:
        model: an ONNX file, or what `load_ann` made of it.
        calibration: samples as the model expects them, preprocessed, first axis = samples; some hundreds are enough.
        options: how; `changes` replace single options, e.g. ``neuron="lif"``.
        progress: called as work advances.

    Raises:
        RefusedError: the model or the samples cannot be used; the message says why and what to do.
    """
    options = replace(options or Options(), **changes)
    ann = model if isinstance(model, Ann) else load_ann(model)
    samples = calibration if isinstance(calibration, Samples) else check_samples(calibration, ann.input_specs)
    with concerning(ann.path):
        return _Converter(ann, samples, options, progress).run()


@dataclass
class _Draft:
    """A spiking model that is being made: its graph, the neurons in the order of the sites, and the islands."""

    model: ir.Model
    neurons: list[Placed]
    kinds: list[Neuron]
    islands: list[Island]


class _Converter:
    """One conversion, step by step."""

    def __init__(self, ann: Ann, samples: Samples, options: Options, progress: Progress) -> None:
        self.ann, self.samples, self.options, self.progress = ann, samples, options, progress
        self.axes, shapes = _prove_batch(ann, samples)
        self.trained = ann.model.clone()
        LocalShapesPass(self.axes, shapes)(self.trained)
        common_passes.RemoveUnusedNodesPass()(self.trained)
        sample_shapes = {name: (1, *array.shape[1:]) for name, array in samples.feed.items()}
        annotate(self.trained, sample_shapes)
        PoolBeforeActivationPass(self.axes)(self.trained)
        BatchFirstPass(self.axes)(self.trained)
        annotate(self.trained, sample_shapes)
        self.sites, self.kept_analog = find_sites(self.trained, self.axes)
        if not self.sites:
            raise RefusedError(f"it has no activation that a neuron could replace: {self._what_there_is()}")
        _check_subgraphs(self.trained, self.sites)
        unknown = options.layers.keys() - {site.name for site in self.sites}
        if unknown:
            raise RefusedError(
                f"there is no layer {min(unknown)!r}; there are {', '.join(site.name for site in self.sites)}"
            )
        shapes = infer_shapes(self.trained, sample_shapes)
        self.products = multiply_adds(self.trained, shapes, 1)
        self.row_bytes = row_bytes(self.trained, shapes)
        self.histograms: dict[str, ChannelHistogram] = {}
        self.observed = 0

    def run(self) -> Conversion:
        trials = self._choose()
        recipe = trials[-1].recipe if trials else default_recipe(self.options)
        draft = self._build(recipe, self.samples)
        self.histograms.clear()  # of a large model, as large as its weights
        few = self.samples.first(self._affordable(1))
        steps = self._steps_to_compare()
        errors = compare_layers(self.trained, draft.model, self.sites, draft.neurons, few, steps)
        rates = {str(placed.node.name): e.spike_rate for placed, e in zip(draft.neurons, errors, strict=True)}
        work = count_work(draft.model, self.products, rates, self.options.n_steps)
        layers = [_describe(*layer, work) for layer in zip(self.sites, draft.neurons, errors, strict=True)]
        islands = [replace(i, multiply_adds=sum(self.products.get(name, 0) for name in i.nodes)) for i in draft.islands]
        conversion = Conversion(
            self.ann,
            draft.model,
            self.options,
            recipe,
            layers,
            islands,
            self.kept_analog,
            work,
            len(self.samples),
            steps,
            trials,
        )
        conversion.notes.extend(advice(conversion))
        _finish(conversion)
        return conversion

    def _what_there_is(self) -> str:
        """Instead of activations, and the way out."""
        foreign = sorted({f"{node.domain}.{node.op_type}" for node in self.trained.graph if node.domain})
        if foreign:
            return f"it has {', '.join(foreign)}; convert the model before it was optimised"
        changes = self.axes.changes
        signals = [node for node in self.trained.graph if any(changes(value) for value in node.outputs)]
        other = sorted({node.op_type for node in signals if not is_linear(node, changes)})
        if other:
            return f"{', '.join(other)} are no functions of one number, such as Relu; train it with one, or run it as it is"
        return "it is linear; run it as it is"

    def _affordable(self, runs: int) -> int:
        """How many samples can be run that often for all steps."""
        cost = max(1, sum(self.products.values())) * self.options.n_steps * runs
        return int(max(1, min(MOST_SAMPLES, BUDGET // cost)))

    def _steps_to_compare(self) -> int:
        """T, or as many steps as one sample can be run for in bounded time and memory."""
        rows = rows_at_once(self.row_bytes)
        steps = min(rows, BUDGET // max(1, sum(self.products.values())), self.options.n_steps)
        return int(max(steps, min(4, self.options.n_steps)))

    def _choose(self) -> list[Trial]:
        """Trials on samples that the ranges do not follow from; none if nothing is open or it would take too long."""
        held_out = min(len(self.samples) // 4, self._affordable(len(self.sites) + 7))
        if not is_open(self.options) or held_out < 4:
            return []
        fitting, measuring = self.samples.split(len(self.samples) - held_out)
        steps = readout_steps(self.options.n_steps)
        ann = replace(self.ann, model=without_softmax(self.ann.model.clone()))
        count = 0

        def measure(recipe: Recipe) -> Trial:
            nonlocal count
            count += 1
            self.progress(f"measuring {recipe}", count, 7)
            draft = self._build(recipe, fitting, few=measuring)
            add_functions(draft.model)
            draft.model.metadata_props["onnx_snn.schedule"] = self.options.schedule
            spiking = SpikingModel(self.ann.path, to_proto(without_softmax(draft.model)))
            result = evaluate(spiking, measuring, steps, ann=ann)
            errors = {step.n_steps: step.relative_error or 0.0 for step in result.steps}
            return Trial(recipe, errors, float(np.mean(list(result.spike_rates.values()))))

        return choose(self.options, measure)

    def _build(self, recipe: Recipe, samples: Samples, *, few: Samples | None = None) -> _Draft:
        """A spiking model by that recipe, its ranges from `samples`, its corrections from at most `few` of them."""
        options = replace(self.options, **vars(recipe))
        self._observe(samples)
        draft = self._insert_neurons(options)
        self._calibrate(draft, options, samples)
        if recipe.correction != "none":
            count = min(len(few) if few else MOST_SAMPLES, self._affordable(len(self.sites)))
            correct(
                recipe.correction,
                self.trained,
                draft.model,
                self.sites,
                draft.neurons,
                samples.first(count),
                options.n_steps,
            )
        return draft

    def _observe(self, samples: Samples) -> None:
        """Histograms of all samples; those that were seen already are not run again."""
        seen = self.observed
        if len(samples) <= seen:
            return
        neurons = {self.options.neuron, *(v.get("neuron") for v in self.options.layers.values())}
        fits = not neurons.isdisjoint(FITTED)
        wanted = {
            str(v.name): Observed(v, s.channel_axis) for s in self.sites for v in ((s.y, s.x) if fits else (s.y,))
        }
        done = seen

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self.progress("calibrating", min(done, len(samples)), len(samples))

        feed = samples.split(seen)[1].feed if seen else samples.feed
        observe(self.trained, list(wanted.values()), feed, self.histograms, progress=advance)
        self.observed = len(samples)

    def _insert_neurons(self, options: Options) -> _Draft:
        spiking = self.trained.clone()
        spiking.metadata_props["onnx_snn.row_bytes"] = str(self.row_bytes)
        n_steps = add_n_steps(spiking, options.n_steps)
        neurons: list[Placed] = []
        kinds: list[Neuron] = []
        functions: set[ir.Node] = set()
        for site in sites_in_copy(self.sites, spiking):
            kind = choose_neuron(site.activation, options.of_layer(site.name))
            neurons.append(kind.insert(spiking.graph, site, n_steps))
            kinds.append(kind)
            functions.update(site.nodes)
        if options.schedule == "two-phase":
            return _Draft(spiking, neurons, kinds, find_islands(spiking, frozenset(functions)))
        islands = AnalogIslandsPass(n_steps, self.axes, frozenset(functions))
        islands(spiking)
        PlaceTimePass(n_steps, self.axes)(spiking)
        return _Draft(spiking, neurons, kinds, islands.islands)

    def _calibrate(self, draft: _Draft, options: Options, samples: Samples) -> None:
        for index, (site, placed, kind) in enumerate(zip(self.sites, draft.neurons, draft.kinds, strict=True)):
            of_layer = options.of_layer(site.name)
            if isinstance(kind, FittedNeuron):
                scale = self._scale(site, of_layer)
                fit_layer(self.trained, draft.model, site, placed, kind, samples, scale, of_layer)
                self.progress("fitting layers", index + 1, len(self.sites))
            else:
                kind.set_range(placed, site.per_channel(self._range(site.y, of_layer, kind.levels, kind.max_spikes)))

    def _range(self, value: ir.Value, options: Options, levels: int = 1, max_spikes: int = 1) -> np.ndarray:
        return calibrated_range(
            options.method,
            self.histograms[str(value.name)],
            percentile=options.percentile,
            n_steps=options.n_steps,
            levels=levels,
            max_spikes=max_spikes,
        )

    def _scale(self, site: Site, options: Options) -> np.ndarray:
        """How large an activation's input is where the activation still changes."""
        if site.activation.saturates_at is None:
            return self._range(site.y, options)
        return self._range(site.x, options).clip(max=site.activation.saturates_at)


def _check_subgraphs(model: ir.Model, sites: Sequence[Site]) -> None:
    """Nothing behind a neuron reaches a subgraph other than as its node's input: it could not be taken through time.

    Raises:
        RefusedError: something does.
    """
    behind = {site.y for site in sites}
    for node in model.graph:
        taken = captured(node) & behind
        if taken:
            name = min(str(value.name) for value in taken)
            raise RefusedError(
                f"{node.op_type} has a subgraph that takes in {name!r} from outside, which lies behind a neuron; "
                "export the model without control flow (torch.onnx.export traces the branch that is taken)",
                node=node.name,
            )
        if any(value in behind for value in node.inputs):
            behind.update(node.outputs)


def _describe(site: Site, placed: Placed, error: LayerError, work: Work) -> Layer:
    node = placed.node
    heights = _spike_heights(placed)
    low, median, high = (float(q) for q in np.quantile(heights, (0, 0.5, 1)))
    return Layer(
        site.name,
        site.activation.name,
        node.op_type,
        node.attributes["max_spikes"].as_int() if "max_spikes" in node.attributes else None,
        int(heights.size),
        (low, median, high),
        error.relative_error,
        error.spike_rate,
        work.by_layer[str(node.name)],
    )


def _spike_heights(placed: Placed) -> np.ndarray:
    """One for each channel, or one for all."""
    node = placed.node
    fitted = "dt" in node.attributes
    name = {"FewSpike": "scale"}.get(node.op_type, "amplitude" if fitted else "threshold")
    factors = [operand(node, name)]
    if "amplitude" in placed.constants:
        factors.append(placed.constants["amplitude"])
    heights: np.ndarray = np.ones(())
    for factor in factors:
        assert factor.const_value is not None
        heights = heights * np.abs(factor.const_value.numpy().astype(np.float64))
    return heights / node.attributes["dt"].as_float() if fitted else heights


def _finish(conversion: Conversion) -> None:
    """Functions, imports, metadata, and the checker's word that all is well."""
    model, options = conversion.model, conversion.options
    common_passes.RemoveUnusedNodesPass()(model)
    model.graph.sort()
    add_functions(model)
    if options.streaming:
        ExposeStatesPass()(model)
    model.producer_name, model.producer_version = "onnx-snn", snn_ops.__version__
    model.metadata_props.update(
        {
            "onnx_snn.version": snn_ops.__version__,
            "onnx_snn.source": conversion.ann.path.name,
            "onnx_snn.source_sha256": conversion.ann.sha256,
            "onnx_snn.neuron": conversion.recipe.neuron,
            "onnx_snn.method": conversion.recipe.method,
            "onnx_snn.correction": conversion.recipe.correction,
            "onnx_snn.schedule": options.schedule,
            "onnx_snn.n_steps": str(options.n_steps),
            "onnx_snn.calibration_samples": str(conversion.calibration_samples),
            "onnx_snn.options": json.dumps(asdict(options), sort_keys=True),
            "onnx_snn.layers": json.dumps([asdict(layer) for layer in conversion.layers]),
            "onnx_snn.work": json.dumps(conversion.work.summary()),
            "onnx_snn.islands": json.dumps([asdict(island) for island in conversion.islands]),
            "onnx_snn.kept_analog": json.dumps([asdict(kept) for kept in conversion.kept_analog]),
        }
    )
    onnx.checker.check_model(conversion.proto(), full_check=False)
