"""The first step of a conversion: what all trials share. Which activations become neurons, and what a run costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from converter.activations.encoders import Encoder, find_encoders
from converter.activations.sites import KeptAnalog, Site, find_sites
from converter.calibration.histograms import Observations, Observed
from converter.engine.local import Engine
from converter.errors import RefusedError
from converter.graph.batch_axis import BatchAxes
from converter.graph.build import captured
from converter.graph.op_facts import is_linear
from converter.graph.passes import PassReport
from converter.graph.shapes import annotate, infer_shapes
from converter.io.progress import Progress, silent
from converter.io.samples import Samples
from converter.measure.cost import multiply_adds, row_bytes
from converter.normalise.ann import Ann
from converter.normalise.proof import Trained, prove
from converter.options import FITTED, Options
from converter.spiking.batch_first import batch_first, values_batch_first
from converter.spiking.pool_before_activation import pool_before_activation
from snn_ops.session import rows_at_once

MEASURING_MULTIPLY_ADDS = 3e10
"""What measuring may cost: some seconds on two cores."""
MOST_SAMPLES = 32
"""Samples that something is measured on."""
FEW_STEPS = 16
"""Of the delta code, whose neurons fall silent: spikes of fewer steps say nothing of those of all."""
MOST_PASSES = 256
"""Samples that the 8-bit network's ranges follow from."""
OPTIMISED = ("com.microsoft", "com.ms.")
"""How the domains begin of operators that ONNX Runtime's optimisers write."""
LEAST_TO_HOLD_OUT, MANY = 8, 32
"""Samples, from which on a quarter of them, of many an eighth, is kept from calibration, to measure the result on."""


@dataclass(frozen=True)
class Prepared:
    """A trained model on its way to a spiking one, before any neuron is placed.

    Attributes:
        ann: the trained model as it was loaded.
        samples: for calibration.
        held_out: those that calibration does not see; None where there are too few.
        options: what the user chose.
        progress: called as work advances.
        trained: a copy of the trained model, in which neurons can take the activations' places.
        axes: where the samples of each of its values lie.
        sites: the activations that become neurons, in the order of the graph.
        kept_analog: the other activations, with the reason.
        multiply_adds: per sample, by the name of a layer with weights.
        row_bytes: about how many bytes one sample needs for one step.
        observations: histograms of the activations, filled by `build`.
        encoders: of the delta code: the values that neurons send; `sites` are theirs.
        reports: what the passes did so far.
    """

    ann: Ann
    samples: Samples
    held_out: Samples | None
    options: Options
    progress: Progress
    trained: ir.Model
    axes: BatchAxes
    sites: Sequence[Site]
    kept_analog: Sequence[KeptAnalog]
    multiply_adds: Mapping[str, int]
    row_bytes: int
    observations: Observations
    encoders: Sequence[Encoder] = ()
    reports: tuple[PassReport, ...] = ()
    proven: Trained | None = None
    """The trained model before places for neurons were sought in it."""

    @property
    def sample_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the inputs, for one sample."""
        return self.samples.shapes_of_one

    def all_samples(self) -> Samples:
        """Those for calibration and those held out, as the user gave them."""
        return self.samples if self.held_out is None else self.samples.joined(self.held_out)

    def affordable_samples(self, runs: int) -> int:
        """How many samples the budget allows for `runs` runs of T steps."""
        cost = max(1, sum(self.multiply_adds.values())) * self.options.n_steps * runs
        return int(max(1, min(MOST_SAMPLES, MEASURING_MULTIPLY_ADDS // cost)))

    def affordable_passes(self) -> int:
        """How many samples the budget allows to run the trained model on once more."""
        cost = max(1, sum(self.multiply_adds.values()))
        return int(max(1, min(MOST_PASSES, MEASURING_MULTIPLY_ADDS / 4 // cost)))

    def affordable_steps(self) -> int:
        """T, or as many steps as one sample can be run for in bounded time and memory."""
        in_time = MEASURING_MULTIPLY_ADDS // max(1, sum(self.multiply_adds.values()))
        steps = min(rows_at_once(self.row_bytes), in_time, self.options.n_steps)
        least = FEW_STEPS if self.options.is_delta else 4
        return int(max(steps, min(least, self.options.n_steps)))


def prepare(
    ann: Ann, samples: Samples, options: Options, progress: Progress = silent, engine: Engine | None = None
) -> Prepared:
    """Proves that the model treats samples one by one, and finds the activations that become neurons.

    `engine` is where statistics of the calibration samples are gathered; default: here.

    Raises:
        RefusedError: samples influence each other, there is nothing that a neuron could replace, an option names a layer that
            does not exist, or control flow uses what comes after a neuron.
    """
    samples, held_out = _hold_out(samples)
    return _with_places(prove(ann, samples.feed), samples, held_out, options, progress, engine)


def prepared_for(prepared: Prepared, options: Options) -> Prepared:
    """The same model with other options, which is not proven again.

    Raises:
        RefusedError: as for `prepare`.
    """
    assert prepared.proven is not None
    engine = prepared.observations.engine
    return _with_places(prepared.proven, prepared.samples, prepared.held_out, options, prepared.progress, engine)


def _with_places(
    proven: Trained,
    samples: Samples,
    held_out: Samples | None,
    options: Options,
    progress: Progress,
    engine: Engine | None,
) -> Prepared:
    """Finds where neurons go, in a copy of the model."""
    trained = proven.model.clone()
    sample_shapes = samples.shapes_of_one
    encoders: list[Encoder] = []
    if options.is_delta:
        annotate(trained, sample_shapes)
        encoders, kept_analog = find_encoders(trained, proven.axes, analog_input=options.analog_input)
        turned, axes = values_batch_first(trained, proven.axes, encoders)
        reports, sites = (*proven.reports, turned), [encoder.site for encoder in encoders]
        if not sites:
            what = _foreign(trained) or "run it as it is"
            raise RefusedError(f"it has no layer with weights that neurons could send a value to; {what}")
    else:
        pooled = pool_before_activation(trained, proven.axes)
        turned, axes = batch_first(trained, proven.axes)
        annotate(trained, sample_shapes)
        reports = (*proven.reports, pooled, turned)
        sites, kept_analog = find_sites(trained, axes)
        if not sites:
            raise RefusedError(f"it has no activation that a neuron could replace: {_what_there_is(trained, axes)}")
    _check_subgraphs(trained, sites)
    _check_layers(options, sites)
    shapes = infer_shapes(trained, sample_shapes)
    return Prepared(
        proven.ann,
        samples,
        held_out,
        options,
        progress,
        trained,
        axes,
        sites,
        kept_analog,
        multiply_adds(trained, shapes, 1),
        row_bytes(trained, shapes),
        Observations(trained, [] if encoders else _observed(sites, options), engine),
        encoders,
        reports,
        proven,
    )


def _hold_out(samples: Samples) -> tuple[Samples, Samples | None]:
    """Samples to calibrate on, and some to measure on: of few a larger part, as one or two would say nothing."""
    if len(samples) < LEAST_TO_HOLD_OUT:
        return samples, None
    part = len(samples) // (4 if len(samples) < MANY else 8)
    return samples.split(len(samples) - min(MOST_SAMPLES, part))


def _observed(sites: Sequence[Site], options: Options) -> list[Observed]:
    """The values whose histograms are needed: activations, and what they are applied to where rates are fitted to them."""
    neurons = {options.neuron, *(settings.get("neuron") for settings in options.layers.values())}
    fits = not neurons.isdisjoint(FITTED)
    return [Observed(v, site.channel_axis) for site in sites for v in ((site.y, site.x) if fits else (site.y,))]


def _what_there_is(model: ir.Model, axes: BatchAxes) -> str:
    """Instead of activations, and what to do."""
    foreign = _foreign(model)
    if foreign:
        return foreign
    signals = [node for node in model.graph if any(axes.changes(value) for value in node.outputs)]
    other = sorted({node.op_type for node in signals if not is_linear(node, axes.changes)})
    if other:
        return f"{', '.join(other)} are no functions of one number, such as Relu; train it with one, or run it as it is"
    return "it is linear; run it as it is"


def _foreign(model: ir.Model) -> str:
    """What to say of operators that are not ONNX's own; empty: there are none."""
    domains = {node.domain for node in model.graph} - {""}
    names = ", ".join(sorted({f"{node.domain}.{node.op_type}" for node in model.graph if node.domain}))
    if domains and all(domain.startswith(OPTIMISED) for domain in domains):
        return f"it has {names}; convert the model before it was optimised"
    return f"it has {names}, of which nothing is known; export the model with ONNX's own operators" if domains else ""


def _check_layers(options: Options, sites: Sequence[Site]) -> None:
    """Options name layers that exist.

    Raises:
        RefusedError: one does not.
    """
    unknown = options.layers.keys() - {site.name for site in sites}
    if unknown:
        raise RefusedError(f"there is no layer {min(unknown)!r}; there are {', '.join(site.name for site in sites)}")


def _check_subgraphs(model: ir.Model, sites: Sequence[Site]) -> None:
    """Nothing after a neuron reaches a subgraph other than as its node's input: it could not be taken through time.

    Raises:
        RefusedError: something does.
    """
    after = {site.y for site in sites}
    for node in model.graph:
        reached = captured(node) & after
        if reached:
            name = min(str(value.name) for value in reached)
            raise RefusedError(
                f"{node.op_type} has a subgraph that uses {name!r} from outside, which comes after a neuron; "
                "export the model without control flow (torch.onnx.export traces the branch that is taken)",
                node=node.name,
            )
        if any(value in after for value in node.inputs):
            after.update(node.outputs)
