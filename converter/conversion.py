"""The main job: a trained model becomes a spiking one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

import snn_ops
from converter.calibration import calibrated_range
from converter.calibration.correction import correct
from converter.calibration.lif_fit import fit_lif
from converter.calibration.statistics import ChannelHistogram, Observed, observe
from converter.comparison import LayerError, compare_layers
from converter.data import InputSpec, Samples, check_samples
from converter.errors import RefusedError
from converter.evaluation import SpikingModel, evaluate
from converter.graph import add_functions, operand, set_constant, set_operand, to_proto
from converter.model import Ann, load_ann, prove_batch, write_model
from converter.neurons import (
    CountIFNeuron,
    FewSpikeNeuron,
    IFNeuron,
    LIFNeuron,
    Neuron,
    Placed,
    SigmaDeltaNeuron,
)
from converter.options import Options
from converter.passes.analog_islands import AnalogIslandsPass, Island, find_islands
from converter.passes.batch_axis import BatchAxes
from converter.passes.batch_first import BatchFirstPass
from converter.passes.expose_states import ExposeStatesPass
from converter.passes.local_shapes import LocalShapesPass
from converter.passes.place_time import PlaceTimePass
from converter.passes.pool_before_activation import PoolBeforeActivationPass
from converter.recipes import (
    BUDGET,
    MOST_SAMPLES,
    Recipe,
    Trial,
    choose,
    default_recipe,
    is_open,
    readout_steps,
)
from converter.rules import RECURRENT, Site, find_sites
from converter.runtime import Probe
from converter.shapes import Shapes, infer_shapes
from converter.work import Work, count_work, multiply_adds
from snn_ops.session import N_STEPS, Session, rows_at_once

FIT_BYTES = 64 << 20
"""Currents of one layer held while a LIF layer is fitted; the number of samples follows from it."""

Progress = Callable[[str, int, int], None]
"""(what, done, of)"""


@dataclass(frozen=True)
class Layer:
    """A layer of spiking neurons, as reports show it."""

    name: str
    activation: str
    neuron: str
    max_spikes: int | None
    """In one step; None for neurons without such a limit."""
    channels: int
    threshold: tuple[float, float, float]
    """Smallest, median and largest height of a spike."""
    relative_error: float
    """||snn - ann|| / ||ann|| of the layer's mean over `Conversion.compared_steps`, on calibration samples."""
    spike_rate: float
    """Spikes per neuron and step, each of a burst counted and those taken back as well."""
    synaptic_operations: float
    """Additions that its spikes cause, per sample in T steps."""


@dataclass
class Conversion:
    """A spiking model and what was done to get it."""

    ann: Ann
    model: ir.Model
    options: Options
    recipe: Recipe
    layers: list[Layer]
    islands: list[Island]
    work: Work
    calibration_samples: int
    compared_steps: int
    """Steps after which the layers' errors and spike rates were taken; fewer than T for large models."""
    trials: list[Trial] = field(default_factory=list)
    """Recipes measured on held-out calibration samples, the chosen one last; empty if nothing was left to choose."""
    notes: list[str] = field(default_factory=list)

    def proto(self) -> onnx.ModelProto:
        """The spiking model as ONNX."""
        return to_proto(self.model)

    def save(self, path: str | Path) -> None:
        """Writes the `.snn.onnx` file, whole or not at all."""
        write_model(self.proto(), path)

    def summary(self) -> dict[str, Any]:
        """Everything that reports say, ready for JSON."""
        return {
            "source": str(self.ann.path),
            "source_sha256": self.ann.sha256,
            "options": asdict(self.options),
            "recipe": asdict(self.recipe),
            "trials": [
                {**asdict(trial.recipe), "errors": trial.errors, "spike_rate": trial.spike_rate}
                for trial in self.trials
            ],
            "calibration_samples": self.calibration_samples,
            "compared_steps": self.compared_steps,
            "layers": [asdict(layer) for layer in self.layers],
            "islands": [asdict(island) for island in self.islands],
            "work": self.work.summary(),
            "notes": self.notes,
        }


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
    samples = (
        calibration
        if isinstance(calibration, Samples)
        else check_samples(calibration, [InputSpec.of(v) for v in ann.inputs])
    )
    try:
        return _Converter(ann, samples, options, progress).run()
    except RefusedError as error:
        if error.file is None:
            raise RefusedError(str(error), file=ann.path) from error.__cause__
        raise


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
        _annotate(self.trained)
        PoolBeforeActivationPass(self.axes)(self.trained)
        BatchFirstPass(self.axes)(self.trained)
        _annotate(self.trained)
        self.sites = find_sites(self.trained, self.axes)
        if not self.sites:
            raise RefusedError("it has no activation that a neuron could replace")
        unknown = options.layers.keys() - {site.name for site in self.sites}
        if unknown:
            raise RefusedError(
                f"there is no layer {min(unknown)!r}; there are {', '.join(site.name for site in self.sites)}"
            )
        shapes = infer_shapes(self.trained, {name: (1, *a.shape[1:]) for name, a in samples.feed.items()})
        self.products = multiply_adds(self.trained, shapes, 1)
        self.row_bytes = _row_bytes(self.trained, shapes)
        self.histograms: dict[str, ChannelHistogram] = {}

    def run(self) -> Conversion:
        trials = self._choose()
        recipe = trials[-1].recipe if trials else default_recipe(self.options)
        draft = self._build(recipe, self.samples)
        few = self.samples.first(self._affordable(1))
        steps = self._steps_to_compare()
        errors = compare_layers(self.trained, draft.model, self.sites, draft.neurons, few, steps)
        rates = {str(placed.node.name): e.spike_rate for placed, e in zip(draft.neurons, errors, strict=True)}
        work = count_work(draft.model, self.products, rates, self.options.n_steps)
        layers = [_describe(*layer, work) for layer in zip(self.sites, draft.neurons, errors, strict=True)]
        islands = [replace(i, multiply_adds=sum(self.products.get(name, 0) for name in i.nodes)) for i in draft.islands]
        conversion = Conversion(
            self.ann, draft.model, self.options, recipe, layers, islands, work, len(self.samples), steps, trials
        )
        conversion.notes.extend(self._advice(conversion))
        _finish(conversion)
        return conversion

    def _affordable(self, runs: int) -> int:
        """How many samples can be run that often for all steps."""
        cost = max(1, sum(self.products.values())) * self.options.n_steps * runs
        return int(max(1, min(MOST_SAMPLES, BUDGET // cost)))

    def _steps_to_compare(self) -> int:
        """T, or as many steps as one sample can be run for in bounded time and memory."""
        rows = rows_at_once({"onnx_snn.row_bytes": str(self.row_bytes)})
        steps = min(rows, BUDGET // max(1, sum(self.products.values())), self.options.n_steps)
        return int(max(steps, min(4, self.options.n_steps)))

    def _choose(self) -> list[Trial]:
        """Trials on samples that the ranges do not follow from; none if nothing is open or it would take too long."""
        held_out = min(len(self.samples) // 4, self._affordable(len(self.sites) + 7))
        if not is_open(self.options) or held_out < 4:
            return []
        fitting, measuring = self.samples.split(len(self.samples) - held_out)
        steps = readout_steps(self.options.n_steps)
        ann = replace(self.ann, model=_without_softmax(self.ann.model.clone()))
        count = 0

        def measure(recipe: Recipe) -> Trial:
            nonlocal count
            count += 1
            self.progress(f"measuring {recipe}", count, 7)
            draft = self._build(recipe, fitting, few=measuring)
            add_functions(draft.model)
            draft.model.metadata_props["onnx_snn.schedule"] = self.options.schedule
            spiking = SpikingModel(self.ann.path, to_proto(_without_softmax(draft.model)))
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
        seen = self._seen
        if len(samples) <= seen:
            return
        fits_lif = "lif" in {self.options.neuron, *(v.get("neuron") for v in self.options.layers.values())}
        wanted = {
            str(v.name): Observed(v, s.channel_axis) for s in self.sites for v in ((s.y, s.x) if fits_lif else (s.y,))
        }
        done = seen

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self.progress("calibrating", min(done, len(samples)), len(samples))

        feed = samples.split(seen)[1].feed if seen else samples.feed
        observe(self.trained, list(wanted.values()), feed, self.histograms, progress=advance)
        self._seen = len(samples)

    _seen = 0

    def _insert_neurons(self, options: Options) -> _Draft:
        spiking = self.trained.clone()
        spiking.metadata_props["onnx_snn.row_bytes"] = str(self.row_bytes)
        n_steps = _add_n_steps(spiking, options.n_steps)
        neurons: list[Placed] = []
        kinds: list[Neuron] = []
        functions: set[ir.Node] = set()
        for site in find_sites(spiking, self.axes):
            kind = _neuron(site, options.of_layer(site.name))
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
            if isinstance(kind, LIFNeuron):
                self._fit_lif(draft.model, site, placed, of_layer, samples)
                self.progress("fitting LIF layers", index + 1, len(self.sites))
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

    def _fit_lif(self, spiking: ir.Model, site: Site, placed: Placed, options: Options, samples: Samples) -> None:
        steps, node = options.n_steps, placed.node
        constant = bool(node.attributes["constant_current"].as_int())
        of_one = Probe(self.trained, [site.y]).run(samples.first(1).feed)[str(site.y.name)]
        samples = samples.first(max(8, FIT_BYTES // (of_one.size * 4 * steps)))
        fit = fit_lif(
            _spiking_values(spiking, placed.x, samples, steps, constant),
            Probe(self.trained, [site.y]).run(samples.feed)[str(site.y.name)],
            self._scale(site, options),
            steps,
            channel_axis=site.channel_axis,
            constant_current=constant,
            with_offset="offset" in placed.constants,
            tau_refs=(options.dt, 2 * options.dt) if options.tau_ref is None else (options.tau_ref,),
            attributes={name: node.attributes[name].value for name in ("tau_rc", "min_voltage", "dt")},
        )
        for name, value in placed.constants.items():
            set_constant(value, site.per_channel(getattr(fit, name)))
        set_operand(node, "amplitude", site.per_channel(fit.amplitude))
        node.attributes["tau_ref"] = ir.AttrFloat32("tau_ref", fit.tau_ref)

    def _scale(self, site: Site, options: Options) -> np.ndarray:
        """How large an activation's input is where the activation still changes."""
        if site.rule.saturates_at is None:
            return self._range(site.y, options)
        return self._range(site.x, options).clip(max=site.rule.saturates_at)

    def _advice(self, conversion: Conversion) -> list[str]:
        """What a user should know and could do."""
        notes = []
        if self.ann.quantised:
            notes.append(
                "the model was quantised; converted, and compared with, is what its integers stand for in floats"
            )
        worst = max(conversion.layers, key=lambda layer: layer.relative_error)
        if worst.relative_error > 0.1:
            ways = ["more calibration samples", "more steps"]
            if conversion.recipe.neuron in ("if", "if-signed", "lif"):
                ways.insert(0, "--neuron if-burst")
            if self.options.schedule == "stepped" and conversion.recipe.neuron != "lif":
                ways.append("--schedule two-phase")
            notes.append(
                f"the largest error is {worst.relative_error:.0%}, in layer {worst.name!r}; try {', '.join(ways)}"
            )
        if not conversion.trials and is_open(self.options):
            notes.append(
                f"taken without measuring: {conversion.recipe} (few samples, or a model so large that it would take long)"
            )
        if (conversion.work.energy_ratio or 0) > 1:
            notes.append(
                f"{self.options.n_steps} steps of these spikes cost more additions than the trained model's multiply-adds are "
                "worth; fewer steps cost less, and so does --neuron if-signed"
            )
        if self.options.schedule == "two-phase":
            notes.append(
                "two-phase: a layer fires when all T steps have come in, so a streaming device waits T steps per layer"
            )
        return notes


def _prove_batch(ann: Ann, samples: Samples) -> tuple[BatchAxes, Shapes]:
    """`prove_batch`; where it fails for a model with recurrent layers, these are named as the reason."""
    try:
        return prove_batch(ann, samples.feed)
    except RefusedError as error:
        recurrent = next((node for node in ann.model.graph if node.op_type in RECURRENT and not node.domain), None)
        if recurrent is None or str(error).startswith(f"node '{recurrent.name}'"):
            raise
        raise RefusedError(
            f"{recurrent.op_type} keeps a state of its own over a sequence, and the samples cannot be told from it ({error}); "
            "recurrent layers are converted only where axis 0 is a batch and they come before the first neuron",
            node=recurrent.name,
        ) from error


def _neuron(site: Site, options: Options) -> Neuron:
    """The neuron for a site: the wanted one, or the rule's default where it does not fit the activation."""
    most = options.most_spikes()
    if options.schedule == "two-phase":
        few = options.neuron == "few-spike" and "few-spike" in site.rule.neurons
        return FewSpikeNeuron() if few else CountIFNeuron(most)
    name = options.neuron if options.neuron in site.rule.neurons else site.rule.neurons[0]
    if name == "lif":
        return LIFNeuron(options.tau_rc, options.min_voltage, options.dt)
    if name == "sigma-delta":
        return SigmaDeltaNeuron(most)
    return IFNeuron(most, signed=name != "if")


def _spiking_values(spiking: ir.Model, value: ir.Value, samples: Samples, steps: int, constant: bool) -> np.ndarray:
    """A value of the spiking model on the samples: ``[T*n, ...]``, or ``[n, ...]`` where it does not change."""
    model = spiking.clone()
    add_functions(model)
    proto = to_proto(model)
    del proto.graph.output[:]
    proto.graph.output.append(onnx.ValueInfoProto(name=value.name))
    session = Session(proto, n_steps=steps)
    parts = []
    size = max(1, session.rows // steps)
    for start in range(0, len(samples), size):
        feed = {name: array[start : start + size] for name, array in samples.feed.items()}
        (array,) = session.run_batch(feed, steps)
        parts.append(array if constant else array.reshape(steps, -1, *array.shape[1:]))
    joined: np.ndarray = np.concatenate(parts, axis=0 if constant else 1)
    return joined if constant else np.reshape(joined, (-1, *joined.shape[2:]))


def _without_softmax(model: ir.Model) -> ir.Model:
    """The model with what goes into a Softmax at its end as the output: behind it, errors of clear cases vanish."""
    for index, output in enumerate(model.graph.outputs):
        node = output.producer()
        if node is not None and node.op_type in ("Softmax", "LogSoftmax") and node.inputs[0] is not None:
            scores = node.inputs[0]
            scores.name = f"{output.name}_before_softmax"
            scores.type, scores.shape = output.type, output.shape
            model.graph.outputs[index] = scores
    return model


def _row_bytes(model: ir.Model, shapes: Shapes) -> int:
    """What running one sample for one step takes: bytes of the largest value, or an eighth of all if that is more."""
    sizes = [4 * int(np.prod(shapes[str(v.name)])) for n in model.graph for v in n.outputs if str(v.name) in shapes]
    return max(*sizes, sum(sizes) // 8, 1)


def _annotate(model: ir.Model) -> None:
    """Types, ranks and symbolic shapes of all values."""
    common_passes.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)


def _add_n_steps(model: ir.Model, default: int) -> ir.Value:
    """The graph input `n_steps`, with a default."""
    tensor = ir.tensor(np.asarray(default, np.int64), name=N_STEPS)
    value = ir.Value(name=N_STEPS, type=ir.TensorType(ir.DataType.INT64), shape=ir.Shape([]), const_value=tensor)
    model.graph.inputs.append(value)
    model.graph.register_initializer(value)
    return value


def _describe(site: Site, placed: Placed, error: LayerError, work: Work) -> Layer:
    node = placed.node
    name = {"LIF": "amplitude", "FewSpike": "scale"}.get(node.op_type, "threshold")
    value = operand(node, name).const_value
    assert value is not None
    heights = np.abs(value.numpy().astype(np.float64))
    if node.op_type == "LIF":
        heights = heights / node.attributes["dt"].as_float()
    low, median, high = (float(q) for q in np.quantile(heights, (0, 0.5, 1)))
    return Layer(
        site.name,
        site.rule.activation,
        node.op_type,
        node.attributes["max_spikes"].as_int() if "max_spikes" in node.attributes else None,
        int(heights.size),
        (low, median, high),
        error.relative_error,
        error.spike_rate,
        work.by_layer[str(node.name)],
    )


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
        }
    )
    onnx.checker.check_model(conversion.proto(), full_check=False)


__all__ = ["Conversion", "Layer", "Options", "convert"]
