"""Proves that axis 0 of a trained model is a batch: by following the samples through the graph, and by running them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx_ir.passes import common as common_passes

from converter.errors import RefusedError
from converter.graph.batch_axis import BatchAxes, trace_batch_axis
from converter.graph.op_facts import facts
from converter.graph.run import Feed, Probe, start_quietly
from converter.graph.shapes import Shapes, infer_shapes
from converter.io.samples import Samples
from converter.normalise.ann import MANY_SAMPLES, Ann, _shape
from converter.normalise.unmerge_rows import UnmergeRowsPass


def trace_batch(ann: Ann) -> BatchAxes:
    """Where the samples of every value lie, without running the model on any.

    Raises:
        RefusedError: samples influence each other, or do not lie in axis 0 of the outputs.
    """
    return _trace(ann, {str(value.name): _shape(value, MANY_SAMPLES) for value in ann.inputs})[0]


def _trace(ann: Ann, input_shapes: Mapping[str, tuple[int, ...]]) -> tuple[BatchAxes, Shapes]:
    """`trace_batch_axis`; where that fails for a model of a fixed batch, that may be the reason."""
    try:
        return _trace_free(ann, input_shapes)
    except RefusedError as error:
        if ann.batch is None:
            raise
        name = ann.inputs[0].name
        raise RefusedError(
            f"{error}. It was exported for a batch of {ann.batch}, which may be why: export it with a free one "
            f"(torch.onnx.export: dynamic_axes={{'{name}': {{0: 'batch'}}}})"
        ) from error


def _trace_free(ann: Ann, input_shapes: Mapping[str, tuple[int, ...]]) -> tuple[BatchAxes, Shapes]:
    shapes = infer_shapes(ann.model, input_shapes)
    if UnmergeRowsPass(shapes, MANY_SAMPLES)(ann.model).modified:
        common_passes.RemoveUnusedNodesPass()(ann.model)
        shapes = infer_shapes(ann.model, input_shapes)
    return trace_batch_axis(ann.model, shapes, MANY_SAMPLES), shapes


def prove_batch(ann: Ann, feed: Feed) -> tuple[BatchAxes, Shapes]:
    """Proves that axis 0 is a batch: statically, and by running 4 samples together and apart.

    Args:
        ann: the model.
        feed: at least one sample for each input.

    Returns:
        Where the samples of every value lie, and every value's shape for `MANY_SAMPLES` of them.

    Raises:
        RefusedError: samples influence each other, or do not lie in axis 0 of the outputs.
    """
    axes, shapes = _trace(ann, {name: (MANY_SAMPLES, *array.shape[1:]) for name, array in feed.items()})
    four = {name: np.resize(array, (4, *array.shape[1:])) for name, array in feed.items()}
    together = Probe(ann.model, ann.outputs).run(four)
    for name, apart in _run_apart(ann, four).items():
        if together[name].shape != apart.shape or not _same(together[name], apart):
            raise RefusedError(
                f"output {name!r} of 4 samples differs when they run one by one: axis 0 is not a batch of independent "
                "samples; export the model with the batch as axis 0",
                file=ann.path,
            )
    return axes, shapes


def _run_apart(ann: Ann, feed: Feed) -> dict[str, np.ndarray]:
    """Each sample by itself, through the model as it came at its own batch size (in floats, if it was quantised)."""
    size = 1 if ann.quantised else ann.batch or 1
    original = start_quietly(ann.model if ann.quantised else ann.source)
    names = [output.name for output in original.get_outputs()]
    results = []
    for index in range(4):
        sample = {name: np.repeat(array[index : index + 1], size, axis=0) for name, array in feed.items()}
        outputs = original.run(None, sample)
        results.append([output[: len(output) // size] if output.ndim else output for output in outputs])
    return {name: np.concatenate([np.atleast_1d(result[k]) for result in results]) for k, name in enumerate(names)}


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    if not np.issubdtype(a.dtype, np.floating):
        return bool(np.mean(a != b) < 1e-3)
    scale = float(np.nanmax(np.abs(b), initial=0))
    return bool(np.allclose(a, b, rtol=1e-3, atol=1e-4 * scale + 1e-12, equal_nan=True))


def _prove_batch(ann: Ann, samples: Samples) -> tuple[BatchAxes, Shapes]:
    """`prove_batch`; where it fails for a model with recurrent layers, these are named as the reason."""
    try:
        return prove_batch(ann, samples.feed)
    except RefusedError as error:
        recurrent = next((node for node in ann.model.graph if facts(node).recurrent), None)
        if recurrent is None or str(error).startswith(f"node '{recurrent.name}'"):
            raise
        raise RefusedError(
            f"{recurrent.op_type} keeps a state of its own over a sequence, and the samples cannot be told from it ({error}); "
            "recurrent layers are converted only where axis 0 is a batch and they come before the first neuron",
            node=recurrent.name,
        ) from error
