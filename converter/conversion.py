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
from converter.calibration.lif_fit import fit_lif
from converter.calibration.percentile import percentile_thresholds
from converter.calibration.statistics import ChannelHistogram, Observed, channel_rows, observe
from converter.data import InputSpec, Samples, check_samples
from converter.errors import RefusedError
from converter.graph import add_functions, operand, set_constant, set_operand, to_proto
from converter.model import Ann, load_ann, prove_batch, write_model
from converter.neurons import IFNeuron, LIFNeuron, Neuron, Placed, SigmaDeltaNeuron
from converter.passes.analog_islands import AnalogIslandsPass, Island
from converter.passes.batch_axis import BatchAxes
from converter.passes.expose_states import ExposeStatesPass
from converter.passes.local_shapes import LocalShapesPass
from converter.passes.place_time import PlaceTimePass
from converter.passes.pool_before_activation import PoolBeforeActivationPass
from converter.rules import Rejected, Site, find_sites
from converter.runtime import Probe
from snn_ops.session import N_STEPS, Session

FIT_BYTES = 64 << 20
"""Currents of one layer held while a LIF layer is fitted; the number of samples follows from it."""

Progress = Callable[[str, int, int], None]
"""(what, done, of)"""


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        neuron: "auto" or "if": the neuron each activation's rule prefers; "lif": LIF everywhere.
        n_steps: T, for which the model is calibrated and which the file has as its default.
        percentile: share of a channel's activations that its threshold covers, in per cent.
        tau_rc, dt: of LIF neurons, in seconds.
        tau_ref: refractory time of LIF neurons in seconds; None: one or two steps, whichever fits a layer better.
        min_voltage: lowest membrane potential of LIF neurons.
        streaming: make the neurons' states inputs and outputs of the model, so that it can run in chunks of time.
    """

    neuron: str = "auto"
    n_steps: int = 32
    percentile: float = 99.9
    tau_rc: float = 0.02
    tau_ref: float | None = None
    min_voltage: float = -1.0
    dt: float = 0.001
    streaming: bool = False

    def __post_init__(self) -> None:
        if self.neuron not in NEURON_CHOICES:
            raise RefusedError(f"there is no neuron {self.neuron!r}; choose one of {', '.join(NEURON_CHOICES)}")
        if self.n_steps < 1:
            raise RefusedError(f"the number of steps must be at least 1, it is {self.n_steps}")
        if not 0 < self.percentile <= 100:
            raise RefusedError(f"the percentile must be above 0 and at most 100, it is {self.percentile}")
        for name in ("tau_rc", "dt"):
            if getattr(self, name) <= 0:
                raise RefusedError(f"{name} must be above 0, it is {getattr(self, name)}")
        if self.tau_ref is not None and self.tau_ref < 0:
            raise RefusedError(f"tau_ref must not be negative, it is {self.tau_ref}")
        if self.min_voltage > 0:
            raise RefusedError(f"min_voltage must not be above 0, it is {self.min_voltage}")


NEURON_CHOICES = ("auto", "if", "lif", "sigma-delta")


@dataclass(frozen=True)
class Layer:
    """A layer of spiking neurons, as reports show it."""

    name: str
    activation: str
    neuron: str
    channels: int
    threshold: tuple[float, float, float]
    """Smallest, median and largest height of a spike."""


@dataclass
class Conversion:
    """A spiking model and what was done to get it."""

    ann: Ann
    model: ir.Model
    options: Options
    layers: list[Layer]
    islands: list[Island]
    rejected: list[Rejected]
    calibration_samples: int
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
            "calibration_samples": self.calibration_samples,
            "layers": [asdict(layer) for layer in self.layers],
            "islands": [asdict(island) for island in self.islands],
            "rejected": [asdict(rejected) for rejected in self.rejected],
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


class _Converter:
    """One conversion, step by step."""

    def __init__(self, ann: Ann, samples: Samples, options: Options, progress: Progress) -> None:
        self.ann, self.samples, self.options, self.progress = ann, samples, options, progress

    def run(self) -> Conversion:
        self._refuse_recurrence(self.ann.model)
        axes, shapes = prove_batch(self.ann, self.samples.feed)
        trained = self.ann.model.clone()
        LocalShapesPass(axes, shapes)(trained)
        common_passes.RemoveUnusedNodesPass()(trained)
        PoolBeforeActivationPass()(trained)
        _annotate(trained)
        sites, rejected = find_sites(trained)
        if not sites:
            known = "; ".join(f"{r.node}: {r.reason}" for r in rejected)
            raise RefusedError(f"it has no activation that a neuron could replace{f' ({known})' if known else ''}")
        histograms = self._observe(trained, sites)
        spiking = trained.clone()
        neurons, islands = self._insert_neurons(spiking, axes)
        self._calibrate(trained, spiking, sites, neurons, histograms)
        layers = [_describe(site, placed.node) for site, placed in zip(sites, neurons, strict=True)]
        conversion = Conversion(self.ann, spiking, self.options, layers, islands, rejected, len(self.samples))
        _finish(conversion)
        return conversion

    def _refuse_recurrence(self, model: ir.Model) -> None:
        for node in model.graph:
            if node.op_type in ("LSTM", "GRU", "RNN") and not node.domain:
                raise RefusedError(
                    f"{node.op_type} keeps a state of its own over a sequence; recurrent layers are not converted",
                    node=node.name,
                )

    def _observe(self, trained: ir.Model, sites: list[Site]) -> dict[str, ChannelHistogram]:
        wanted = {str(v.name): Observed(v, s.channel_axis) for s in sites for v in (s.y, s.x)}
        done = 0

        def advance(samples: int) -> None:
            nonlocal done
            done += samples
            self.progress("calibrating", min(done, len(self.samples)), len(self.samples))

        return observe(trained, list(wanted.values()), self.samples.feed, progress=advance)

    def _insert_neurons(self, spiking: ir.Model, axes: BatchAxes) -> tuple[list[Placed], list[Island]]:
        n_steps = _add_n_steps(spiking, self.options.n_steps)
        neurons: list[Placed] = []
        functions: set[str] = set()
        for site in find_sites(spiking)[0]:
            neuron = self._neuron(site)
            neurons.append(neuron.insert(spiking.graph, site, n_steps))
            if isinstance(neuron, SigmaDeltaNeuron):
                functions.update(str(node.name) for node in site.nodes)
        islands_pass = AnalogIslandsPass(n_steps)
        islands_pass(spiking)
        PlaceTimePass(n_steps, axes)(spiking)
        return neurons, [island for island in islands_pass.islands if not set(island.nodes) <= functions]

    def _neuron(self, site: Site) -> Neuron:
        wanted = self.options.neuron
        name = wanted if wanted in site.rule.neurons else site.rule.neurons[0]
        if name == "lif":
            return LIFNeuron(self.options.tau_rc, self.options.min_voltage, self.options.dt)
        return IFNeuron() if name == "if" else SigmaDeltaNeuron()

    def _calibrate(
        self,
        trained: ir.Model,
        spiking: ir.Model,
        sites: list[Site],
        neurons: list[Placed],
        histograms: dict[str, ChannelHistogram],
    ) -> None:
        for index, (site, placed) in enumerate(zip(sites, neurons, strict=True)):
            if placed.node.op_type == "LIF":
                self._fit_lif(trained, spiking, site, placed, histograms)
                self.progress("fitting LIF layers", index + 1, len(sites))
                continue
            threshold = site.per_channel(percentile_thresholds(histograms[str(site.y.name)], self.options.percentile))
            set_operand(placed.node, "threshold", threshold)
            if placed.node.op_type == "IF":
                set_operand(placed.node, "voltage", threshold / 2)

    def _fit_lif(
        self, trained: ir.Model, spiking: ir.Model, site: Site, placed: Placed, histograms: dict[str, ChannelHistogram]
    ) -> None:
        steps, node = self.options.n_steps, placed.node
        constant = bool(node.attributes["constant_current"].as_int())
        of_one = Probe(trained, [site.y]).run(self.samples.first(1).feed)[str(site.y.name)]
        samples = self.samples.first(max(8, FIT_BYTES // (of_one.size * 4 * steps)))
        fit = fit_lif(
            _spiking_values(spiking, placed.x, samples, steps, constant),
            Probe(trained, [site.y]).run(samples.feed)[str(site.y.name)],
            self._scale(site, histograms),
            steps,
            channel_axis=site.channel_axis,
            constant_current=constant,
            with_offset="offset" in placed.constants,
            tau_refs=(self.options.dt, 2 * self.options.dt)
            if self.options.tau_ref is None
            else (self.options.tau_ref,),
            attributes={name: node.attributes[name].value for name in ("tau_rc", "min_voltage", "dt")},
        )
        for name, value in placed.constants.items():
            set_constant(value, site.per_channel(getattr(fit, name)))
        set_operand(node, "amplitude", site.per_channel(fit.amplitude))
        node.attributes["tau_ref"] = ir.AttrFloat32("tau_ref", fit.tau_ref)

    def _scale(self, site: Site, histograms: dict[str, ChannelHistogram]) -> np.ndarray:
        """How large an activation's input is where the activation still changes."""
        if site.rule.saturates_at is None:
            return percentile_thresholds(histograms[str(site.y.name)], self.options.percentile)
        scale = percentile_thresholds(histograms[str(site.x.name)], self.options.percentile)
        return scale.clip(max=site.rule.saturates_at)


def _spiking_values(spiking: ir.Model, value: ir.Value, samples: Samples, steps: int, constant: bool) -> np.ndarray:
    """A value of the spiking model on the samples: ``[T*n, ...]``, or ``[n, ...]`` where it does not change."""
    model = spiking.clone()
    add_functions(model)
    proto = to_proto(model)
    del proto.graph.output[:]
    proto.graph.output.append(onnx.ValueInfoProto(name=value.name))
    session = Session(proto, n_steps=steps)
    parts = []
    size = max(1, 256 // steps)
    for start in range(0, len(samples), size):
        feed = {name: array[start : start + size] for name, array in samples.feed.items()}
        (array,) = session.run_batch(feed, steps)
        parts.append(array if constant else array.reshape(steps, -1, *array.shape[1:]))
    joined: np.ndarray = np.concatenate(parts, axis=0 if constant else 1)
    return joined if constant else np.reshape(joined, (-1, *joined.shape[2:]))


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


def _describe(site: Site, node: ir.Node) -> Layer:
    name = "amplitude" if node.op_type == "LIF" else "threshold"
    value = operand(node, name).const_value
    assert value is not None
    heights = np.abs(value.numpy().astype(np.float64))
    if node.op_type == "LIF":
        heights = heights / node.attributes["dt"].as_float()
    quantiles = tuple(float(q) for q in np.quantile(heights, (0, 0.5, 1)))
    return Layer(site.name, site.rule.activation, node.op_type, int(heights.size), quantiles)  # type: ignore[arg-type]


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
            "onnx_snn.neuron": options.neuron,
            "onnx_snn.n_steps": str(options.n_steps),
            "onnx_snn.calibration_samples": str(conversion.calibration_samples),
            "onnx_snn.options": json.dumps(asdict(options), sort_keys=True),
            "onnx_snn.layers": json.dumps([asdict(layer) for layer in conversion.layers]),
            "onnx_snn.islands": json.dumps([asdict(island) for island in conversion.islands]),
        }
    )
    onnx.checker.check_model(conversion.proto(), full_check=False)


__all__ = ["NEURON_CHOICES", "Conversion", "Layer", "Options", "channel_rows", "convert"]
