"""The last step of a conversion: the draft is measured, finished as a model, and says what was done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

import snn_ops
from converter.conversion.advice import advice
from converter.conversion.build import Draft
from converter.conversion.front import Taken, steps_to_answer
from converter.conversion.prepare import Prepared
from converter.conversion.result import Conversion, Layer, Trial
from converter.graph.build import add_functions, to_proto
from converter.graph.passes import PassReport
from converter.graph.shapes import infer_shapes
from converter.io.samples import Samples
from converter.measure.cost import Work, analog_layers, count_work
from converter.measure.eight_bit import eight_bit
from converter.measure.input_check import ranges
from converter.measure.layers import LayerError, compare
from converter.measure.routes import Routes
from converter.measure.sequence import FRAMES, follow
from converter.measure.steps import Reference, after_steps
from converter.measure.totals import Following, Measured
from converter.measure.traces import Traces, Watch, trace
from converter.neurons.neuron import Placed
from converter.options import AUTO
from converter.spiking.expose_states import expose_states
from converter.spiking.readout import finish_readout
from snn_ops.format import FORMAT_VERSION, Metadata

LEAST_STREAMS = 2
"""Streams to follow samples in, however large the model is: with one, a sample would follow itself."""

MOST_TRACED = 8
"""Samples, whose error is followed from step to step."""
FEWER_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
"""After which the outputs are read off."""


def describe(taken: Taken, trials: Sequence[Trial], draft: Draft, *, traces: bool = False) -> Conversion:
    """Measures every layer, counts the work, and finishes the model: functions, states, metadata.

    Args:
        taken: what was chosen.
        trials: those that were measured, the chosen one last.
        draft: the model by that recipe; it becomes the conversion's.
        traces: also keep what neurons do over time, for a report.
    """
    prepared, recipe = taken.prepared, taken.recipe
    n_steps = prepared.options.steps_of_file
    steps = min(prepared.affordable_steps(), n_steps)
    samples = (prepared.held_out or prepared.samples).first(prepared.affordable_samples(1))
    shapes = infer_shapes(prepared.trained, prepared.sample_shapes)
    routes = Routes(draft.model, prepared.sample_shapes)
    watch = Watch(len(draft.layers), len(samples)) if traces else None
    found = compare(
        prepared.trained,
        draft.model,
        draft.layers,
        samples,
        steps,
        analog_layers(routes),
        None if watch is None else watch.add,
    )
    measured = list(zip(draft.layers, found.errors, strict=True))
    spikes = {name: each.scaled(n_steps / steps) for name, each in found.spikes.items()}
    work = count_work(prepared.trained, shapes, routes, spikes, found.densities, n_steps)
    products = {layer.name: layer.multiply_adds for layer in work.layers}
    reasons = _reasons(prepared, draft)
    layers = [_layer(placed, error, work, reasons.get(placed.site.name, "")) for placed, error in measured]
    if prepared.options.forgets:  # measured with the mean that a window takes the place of
        finish_readout(draft.model, prepared.options.readout, draft.readout_steps)
    finishing = finish_graph(draft.model, streaming=prepared.options.streaming)
    following = _follow(prepared, draft.model, samples) if prepared.options.streaming else None
    conversion = Conversion(
        ann=prepared.ann,
        model=draft.model,
        options=prepared.options,
        recipe=recipe,
        layers=layers,
        islands=[replace(i, multiply_adds=sum(products.get(name, 0) for name in i.nodes)) for i in draft.islands],
        kept_analog=list(prepared.kept_analog),
        work=work,
        measured=Measured(
            len(samples),
            prepared.held_out is not None,
            steps,
            found.ann_accuracy,
            found.outputs.accuracy,
            found.outputs.agreement,
            found.outputs.relative_error,
            following,
        ),
        eight_bit=eight_bit(
            prepared.trained, shapes, prepared.axes, prepared.samples.first(prepared.affordable_passes()), samples, work
        ),
        calibration_samples=len(prepared.samples),
        steps_to_answer=steps_to_answer(draft.model, prepared.options),
        compared_steps=steps,
        front=taken.front,
        is_unchosen=taken.too_few,
        trials=list(trials),
        reports=(*prepared.reports, *draft.reports, *finishing),
    )
    _write_metadata(conversion, prepared.all_samples())
    onnx.checker.check_model(conversion.proto(), full_check=False)
    if watch is not None:
        rates = {name: each.count / steps for name, each in found.spikes.items()}
        conversion = replace(conversion, traces=_traces(conversion, taken, draft, samples, rates, watch))
    return replace(conversion, notes=advice(conversion, taken, samples))


def _traces(
    conversion: Conversion,
    taken: Taken,
    draft: Draft,
    samples: Samples,
    rates: Mapping[str, np.ndarray],
    watch: Watch,
) -> Traces:
    """What neurons do over time, and the outputs after fewer steps, unless the front has them."""
    prepared, options, proto = taken.prepared, taken.prepared.options, to_proto(conversion.model)
    few = samples.first(min(MOST_TRACED, prepared.affordable_samples(1)))
    traces = trace(proto, prepared.trained, draft.layers, few, rates, watch, steps=conversion.compared_steps)
    if taken.front is not None:
        return traces
    reference = Reference(prepared.ann, samples)
    steps = [n for n in FEWER_STEPS if n < options.steps_of_file] + [options.steps_of_file]
    if options.schedule == "stepped":
        runs = after_steps(proto, options.schedule, reference, steps)
    elif options.is_delta:  # the number of its slots is no choice
        runs = []
    else:
        runs = [run for n in steps for run in after_steps(proto, options.schedule, reference, [n])]
    return replace(traces, outputs=tuple(run.result for run in runs))


def _reasons(prepared: Prepared, draft: Draft) -> dict[str, str]:
    """Why a layer has another neuron than the user named for it; where the user named none, there is nothing to explain."""
    return {name: reason for name, reason in draft.reasons.items() if prepared.options.of_layer(name).neuron != AUTO}


def _layer(placed: Placed, error: LayerError, work: Work, reason: str) -> Layer:
    node, heights = placed.node, placed.spike_heights()
    low, median, high = (float(q) for q in np.quantile(heights, (0, 0.5, 1)))
    return Layer(
        name=placed.site.name,
        activation=placed.site.activation.name,
        neuron=node.op_type,
        max_spikes=node.attributes["max_spikes"].as_int() if "max_spikes" in node.attributes else None,
        channels=int(heights.size),
        threshold=(low, median, high),
        relative_error=error.relative_error,
        spike_rate=error.spike_rate,
        synaptic_operations=work.by_layer[str(node.name)],
        reason=reason,
    )


def finish_graph(model: ir.Model, *, streaming: bool) -> tuple[PassReport, ...]:
    """Nodes in order, functions, and states as inputs and outputs; what the passes did."""
    common_passes.RemoveUnusedNodesPass()(model)
    model.graph.sort()
    add_functions(model)
    return (expose_states(model),) if streaming else ()


def _follow(prepared: Prepared, model: ir.Model, samples: Samples) -> Following:
    """How the finished stream follows these samples, one after the other."""
    few = samples.first(max(LEAST_STREAMS, prepared.affordable_samples(FRAMES)))
    return follow(to_proto(model), prepared.trained, few, prepared.options.steps_of_file)


def _write_metadata(conversion: Conversion, samples: Samples) -> None:
    """What the file says about itself; the samples are those of the user."""
    model, options = conversion.model, conversion.options
    model.producer_name, model.producer_version = "onnx-snn", snn_ops.__version__
    metadata = Metadata.read(model.metadata_props) | Metadata(
        format=FORMAT_VERSION,
        version=snn_ops.__version__,
        source=conversion.ann.path.name,
        source_sha256=conversion.ann.sha256,
        code=options.code,
        neuron=conversion.recipe.neuron,
        method=conversion.recipe.method,
        correction=conversion.recipe.correction,
        schedule=options.schedule,
        n_steps=options.steps_of_file,
        calibration_samples=conversion.calibration_samples,
        options=asdict(options),
        layers=[asdict(layer) for layer in conversion.layers],
        work=asdict(conversion.totals()),
        front=None if conversion.front is None else asdict(conversion.front),
        islands=[asdict(island) for island in conversion.islands],
        kept_analog=[asdict(kept) for kept in conversion.kept_analog],
        preprocess=None if samples.preprocess is None else samples.preprocess.stored(),
        input_ranges=ranges(samples),
    )
    metadata.write(model.metadata_props)
