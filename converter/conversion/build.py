"""Builds a spiking model by a recipe: neurons in the activations' places, calibrated and corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site, sites_in_copy
from converter.calibration.correction import correct
from converter.calibration.delta_fit import TargetValues, fit, gather
from converter.calibration.ranges import calibrated_range
from converter.calibration.rate_fit import fit_layer
from converter.calibration.readout_fit import FRAMES, candidates, fit_readout
from converter.conversion.prepare import MOST_SAMPLES, Prepared
from converter.conversion.result import Recipe
from converter.graph.build import add_n_steps
from converter.graph.passes import PassReport
from converter.io.samples import Samples
from converter.neurons.choice import choose_neuron
from converter.neurons.delta import DeltaNeuron
from converter.neurons.fitted import FittedNeuron
from converter.neurons.neuron import Placed
from converter.options import Options
from converter.spiking.codes import DELTA, FORGETTING, RATE
from converter.spiking.islands import Island, analog_islands, find_islands
from converter.spiking.place_time import place_time
from converter.spiking.readout import set_time_constants
from snn_ops.format import DOMAIN, LOWEST_OPSET_VERSION, OPSET_VERSION, Metadata


@dataclass(frozen=True)
class Draft:
    """A spiking model that is not finished: it has no functions and tells nothing about itself yet.

    Attributes:
        model: its graph.
        layers: its layers of neurons, in the order of the sites.
        islands: its parts that stay analog.
        reasons: why a layer has another neuron than the recipe names, by the layer's name.
        reports: what the passes did to the graph.
        readout_steps: how many steps a readout that forgets looks back.
    """

    model: ir.Model
    layers: Sequence[Placed]
    islands: Sequence[Island]
    reasons: Mapping[str, str]
    reports: tuple[PassReport, ...] = ()
    readout_steps: int = 0


def build(
    prepared: Prepared,
    recipe: Recipe,
    samples: Samples,
    corrections_on: Samples | None = None,
    targets: Mapping[str, TargetValues] | None = None,
) -> Draft:
    """A spiking model by a recipe.

    Args:
        prepared: what all trials share.
        recipe: the neuron, the method and the correction.
        samples: those that ranges follow from.
        corrections_on: samples to correct on, of which no more than `samples` has are used; default: `samples`.
        targets: of the delta code, what `delta_fit.gather` gave for `samples`; default: it is run.
    """
    if prepared.options.is_delta:
        if targets is None:
            targets = gather(prepared.trained, prepared.encoders, samples, prepared.progress)
        return _build_delta(prepared, targets)
    options = replace(prepared.options, **asdict(recipe))
    prepared.observations.see(samples, prepared.progress)
    draft = _insert_neurons(prepared, options)
    _calibrate(prepared, draft, options, samples)
    if recipe.correction != "none":
        most = len(corrections_on) if corrections_on else MOST_SAMPLES
        corrected_on = samples.first(min(most, prepared.affordable_samples(len(prepared.sites))))
        correct(recipe.correction, prepared.trained, draft.model, draft.layers, corrected_on, options.n_steps)
    if not options.forgets:
        return draft
    steps = _fit_readout(prepared, draft)
    set_time_constants(draft.model, options.readout, steps)
    return replace(draft, readout_steps=steps)


def _fit_readout(prepared: Prepared, draft: Draft) -> int:
    options = prepared.options
    runs = FRAMES * len(candidates(options.n_steps))
    held_out = prepared.held_out or prepared.samples
    samples = held_out.first(max(2, prepared.affordable_samples(runs)))
    return fit_readout(prepared.trained, draft.model, options.readout, samples, options.n_steps, prepared.progress)


def place_neurons(prepared: Prepared, options: Options) -> Draft:
    """What `build` begins with: the neurons in their places, whose numbers are placeholders.

    Args:
        prepared: what all trials share.
        options: with nothing open that the neurons' kinds or places depend on.
    """
    return _place_delta(prepared, options) if options.is_delta else _insert_neurons(prepared, options)


def _build_delta(prepared: Prepared, targets: Mapping[str, TargetValues]) -> Draft:
    """A model of the delta code: a neuron on every value that enters weights."""
    draft = _place_delta(prepared, prepared.options)
    numbers = fit(prepared.encoders, targets, prepared.multiply_adds, DeltaNeuron(prepared.options).exponents)
    for placed, of_layer in zip(draft.layers, numbers, strict=True):
        DeltaNeuron.set_numbers(placed.node, of_layer)
    return draft


def _place_delta(prepared: Prepared, options: Options) -> Draft:
    spiking = prepared.trained.clone()
    spiking.opset_imports[DOMAIN] = OPSET_VERSION
    at_once = int(options.schedule == "two-phase" and not options.streaming)
    Metadata(row_bytes=prepared.row_bytes, at_once=at_once).write(spiking.metadata_props)
    n_steps = add_n_steps(spiking, options.steps_of_file)
    neuron = DeltaNeuron(options)
    copies = sites_in_copy(prepared.sites, spiking)
    layers = [
        replace(neuron.insert(spiking.graph, copy, n_steps), site=site)
        for site, copy in zip(prepared.sites, copies, strict=True)
    ]
    if options.schedule == "two-phase" and not options.streaming:
        return Draft(spiking, layers, [], {})
    report, _ = place_time(spiking, n_steps, prepared.axes, DELTA)
    return Draft(spiking, layers, [], {}, (report,))


def _insert_neurons(prepared: Prepared, options: Options) -> Draft:
    spiking = prepared.trained.clone()
    spiking.opset_imports[DOMAIN] = (
        OPSET_VERSION if options.streaming and (options.long_streams or options.forgets) else LOWEST_OPSET_VERSION
    )
    at_once = int(options.schedule == "two-phase")
    metadata = Metadata(
        row_bytes=prepared.row_bytes, at_once=at_once, readout=options.readout, readout_steps=0
    )  # a readout that forgets gets its steps when it is finished
    metadata.write(spiking.metadata_props)
    n_steps = add_n_steps(spiking, options.n_steps)
    layers: list[Placed] = []
    reasons: dict[str, str] = {}
    functions: set[ir.Node] = set()
    for site, in_copy in zip(prepared.sites, sites_in_copy(prepared.sites, spiking), strict=True):
        choice = choose_neuron(site.activation, options.of_layer(site.name))
        layers.append(replace(choice.neuron.insert(spiking.graph, in_copy, n_steps), site=site))
        functions.update(in_copy.nodes)
        if choice.reason:
            reasons[site.name] = choice.reason
    if options.schedule == "two-phase":
        return Draft(spiking, layers, find_islands(spiking, frozenset(functions)), reasons)
    code = FORGETTING if options.forgets else RATE
    islands_report, axes, islands = analog_islands(spiking, n_steps, prepared.axes, frozenset(functions), code)
    time_report, _ = place_time(spiking, n_steps, axes, code)
    return Draft(spiking, layers, islands, reasons, (islands_report, time_report))


def _calibrate(prepared: Prepared, draft: Draft, options: Options, samples: Samples) -> None:
    """Gives every layer its numbers, from the first to the last."""
    for index, placed in enumerate(draft.layers):
        site, of_layer = placed.site, options.of_layer(placed.site.name)
        if isinstance(placed.neuron, FittedNeuron):
            scale = _scale(prepared, site, of_layer)
            fit_layer(prepared.trained, draft.model, placed, samples, scale, of_layer)
            prepared.progress("fitting layers", index + 1, len(draft.layers))
        else:
            levels, most = placed.neuron.levels, placed.neuron.max_spikes
            top = _range(prepared, site.y, of_layer, levels, most)
            placed.neuron.set_range(placed, site.per_channel(top))


def _range(prepared: Prepared, value: ir.Value, options: Options, levels: int = 1, max_spikes: int = 1) -> np.ndarray:
    """The magnitude of a value per channel that calibration found."""
    return calibrated_range(
        options.method,
        prepared.observations[value],
        percentile=options.percentile,
        n_steps=options.n_steps,
        levels=levels,
        max_spikes=max_spikes,
    )


def _scale(prepared: Prepared, site: Site, options: Options) -> np.ndarray:
    """How large an activation's input is where the activation still changes."""
    if site.activation.saturates_at is None:
        return _range(prepared, site.y, options)
    return _range(prepared, site.x, options).clip(max=site.activation.saturates_at)
