"""Proves that axis 0 of a trained model is a batch: by following the samples through the graph, and by running them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.errors import RefusedError
from converter.graph.batch_axis import BatchAxes, trace_batch_axis
from converter.graph.op_facts import facts
from converter.graph.passes import PassReport, library_pass
from converter.graph.run import Feed, Probe, start_quietly
from converter.graph.shapes import MANY_SAMPLES, Shapes, annotate, infer_shapes, input_shapes
from converter.normalise.ann import Ann, Interface
from converter.normalise.local_shapes import local_shapes
from converter.normalise.unmerge_rows import unmerge_rows

_remove_unused_nodes = library_pass(
    "remove unused nodes", common_passes.RemoveUnusedNodesPass(), "removed: nothing needs it"
)


@dataclass(frozen=True)
class Trained:
    """A trained model of which it is known where the samples lie.

    Attributes:
        ann: the model as it was loaded.
        model: a copy of `ann.model` in which every node works for any number of samples.
        axes: where the samples of each value of `model` lie.
        shapes: of each value for `MANY_SAMPLES` samples, as `axes` were found with them.
        reports: what the passes did, those of `ann` before those of the proof.
    """

    ann: Ann
    model: ir.Model
    axes: BatchAxes
    shapes: Shapes
    reports: tuple[PassReport, ...]


def trace(ann: Ann) -> Trained:
    """Where the samples of every value lie, without running the model on any.

    Raises:
        RefusedError: samples influence each other, or do not lie in axis 0 of the outputs.
    """
    return _trace(ann, input_shapes(ann.model, MANY_SAMPLES))


def prove(ann: Ann, feed: Feed) -> Trained:
    """Proves that axis 0 is a batch: by following the samples, and by running 4 of them together and apart.

    Args:
        ann: the model, which stays as it is.
        feed: at least one sample for each input.

    Returns:
        A copy in which targets of Reshape do not depend on the model's batch, with types, ranks and symbolic shapes.

    Raises:
        RefusedError: samples influence each other, or do not lie in axis 0 of the outputs.
    """
    try:
        traced = _trace(ann, {name: (MANY_SAMPLES, *array.shape[1:]) for name, array in feed.items()})
        _check_by_experiment(traced, feed)
    except RefusedError as error:
        recurrent = next((node for node in ann.model.graph if facts(node).recurrent), None)
        if recurrent is None or str(error).startswith(f"node '{recurrent.name}'"):
            raise
        raise RefusedError(
            f"{recurrent.op_type} keeps a state of its own over a sequence, and the samples cannot be told from it ({error}); "
            "recurrent layers are converted only where axis 0 is a batch and they come before the first neuron",
            node=recurrent.name,
        ) from error
    reports = (local_shapes(traced.model, traced.axes, traced.shapes), _remove_unused_nodes(traced.model))
    annotate(traced.model, {name: (1, *array.shape[1:]) for name, array in feed.items()})
    return replace(traced, reports=(*traced.reports, *reports))


def _trace(ann: Ann, shapes_of_inputs: Shapes) -> Trained:
    """Follows the samples in a copy; where that fails for a model of a fixed batch, this may be the reason."""
    try:
        return _trace_copy(ann, shapes_of_inputs)
    except RefusedError as error:
        recurrent = next((node for node in ann.model.graph if facts(node).recurrent), None)
        if ann.batch is None or (recurrent is not None and str(error).startswith(f"node '{recurrent.name}'")):
            raise
        name = ann.inputs[0].name
        raise RefusedError(
            f"{error}. It was exported for a batch of {ann.batch}, which may be why: export it with a free one "
            f"(torch.onnx.export: dynamic_axes={{'{name}': {{0: 'batch'}}}})"
        ) from error


def _trace_copy(ann: Ann, shapes_of_inputs: Shapes) -> Trained:
    model = ann.model.clone()
    shapes = infer_shapes(model, shapes_of_inputs)
    reports = [unmerge_rows(model, shapes, MANY_SAMPLES)]
    if reports[0].changed:
        reports.append(_remove_unused_nodes(model))
        shapes = infer_shapes(model, shapes_of_inputs)
    axes = trace_batch_axis(model, shapes, MANY_SAMPLES)
    return Trained(ann, model, axes, shapes, (*ann.reports, *reports))


def _check_by_experiment(traced: Trained, feed: Feed) -> None:
    """Runs 4 samples together and apart.

    Raises:
        RefusedError: results differ.
    """
    four = {name: np.resize(array, (4, *array.shape[1:])) for name, array in feed.items()}
    together = Probe(traced.model, list(traced.model.graph.outputs)).run(four)
    for name, apart in _run_apart(traced.ann, four).items():
        if together[name].shape != apart.shape or not _same(together[name], apart):
            raise RefusedError(
                f"output {name!r} of 4 samples differs when they run one by one: axis 0 is not a batch of independent "
                "samples; export the model with the batch as axis 0",
                file=traced.ann.path,
            )


def _run_apart(ann: Ann, feed: Feed) -> dict[str, np.ndarray]:
    """Each sample by itself, through the model as it came at its own batch size (in floats, if it was quantised)."""
    size = 1 if ann.quantised else ann.batch or 1
    original = start_quietly(ann.model if ann.quantised else ann.source)
    names = [output.name for output in original.get_outputs()]
    interface = Interface() if ann.quantised else ann.interface
    results = []
    for index in range(4):
        sample = {name: np.repeat(array[index : index + 1], size, axis=0) for name, array in feed.items()}
        found = original.run(None, {name: interface.as_it_came(name, array) for name, array in sample.items()})
        outputs = [interface.samples_first(name, array) for name, array in zip(names, found, strict=True)]
        results.append([output[: len(output) // size] if output.ndim else output for output in outputs])
    return {name: np.concatenate([np.atleast_1d(result[k]) for result in results]) for k, name in enumerate(names)}


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    if not np.issubdtype(a.dtype, np.floating):
        return bool(np.mean(a != b) < 1e-3)
    scale = float(np.nanmax(np.abs(b), initial=0))
    return bool(np.allclose(a, b, rtol=1e-3, atol=1e-4 * scale + 1e-12, equal_nan=True))
