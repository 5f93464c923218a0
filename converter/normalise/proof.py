"""Proves that axis 0 of a trained model is a batch: by following the samples through the graph, and by running them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.errors import RefusedError, retold
from converter.graph.batch_axis import NO_BATCH, BatchAxes, trace_batch_axis
from converter.graph.batch_rules import RUNS_THROUGH
from converter.graph.passes import PassReport, library_pass
from converter.graph.run import RUNTIME_ERRORS, Feed, Probe, start_quietly
from converter.graph.shapes import MANY_SAMPLES, Shapes, annotate, infer_shapes, input_shapes
from converter.normalise.ann import Ann, Interface
from converter.normalise.local_shapes import local_shapes
from converter.normalise.unmerge_rows import unmerge_rows

_remove_unused_nodes = library_pass(
    "remove unused nodes", common_passes.RemoveUnusedNodesPass(), "removed: nothing needs it"
)
_AT_ONCE = 32
"""Values of which all numbers are held at once, to find one."""


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
    traced = _trace(ann, {name: (MANY_SAMPLES, *array.shape[1:]) for name, array in feed.items()})
    _check_by_experiment(traced, feed)
    reports = (local_shapes(traced.model, traced.axes, traced.shapes), _remove_unused_nodes(traced.model))
    annotate(traced.model, {name: (1, *array.shape[1:]) for name, array in feed.items()})
    return replace(traced, reports=(*traced.reports, *reports))


def _trace(ann: Ann, shapes_of_inputs: Shapes) -> Trained:
    """Follows the samples in a copy; where that fails only because the exporter fixed the batch, this is said."""
    try:
        return _trace_copy(ann, shapes_of_inputs)
    except RefusedError as error:
        if ann.batch is None or RUNS_THROUGH in str(error) or not _holds_samples(ann, ann.batch):
            raise
        name = ann.inputs[0].name
        raise retold(
            error,
            f"{str(error).removesuffix(NO_BATCH)}. It was exported for a batch of {ann.batch}, which may be why: export it "
            f"with a free one (torch.onnx.export: dynamic_axes={{'{name}': {{0: 'batch'}}}})",
        ) from error


def _holds_samples(ann: Ann, size: int) -> bool:
    """Whether axis 0, of the fixed length `size`, holds independent samples, as the model came: no row's result changes with
    another row. For each bit of their numbers, the rows that have it are changed, then those that have it not."""
    if size == 1:
        return True
    rng = np.random.default_rng(0)

    def rows() -> Feed:
        return {
            str(v.name): rng.normal(size=shape[str(v.name)]).astype(v.dtype.numpy())
            if v.dtype is not None and v.dtype.is_floating_point()
            else rng.integers(0, 2, shape[str(v.name)]).astype(v.dtype.numpy() if v.dtype else np.int64)
            for v in ann.inputs
        }

    shape = input_shapes(ann.model, size)
    first, second, numbers = rows(), rows(), np.arange(size)
    session = start_quietly(ann.source)
    try:
        before = session.run(None, first)
        for bit in range((size - 1).bit_length()):
            for changed in ((numbers >> bit) % 2 == 0, (numbers >> bit) % 2 == 1):
                feed = {name: array.copy() for name, array in first.items()}
                for name, array in feed.items():
                    array[changed] = second[name][changed]
                for a, b in zip(before, session.run(None, feed), strict=True):
                    if a.shape[:1] != (size,) or a.shape != b.shape or not _same(a[~changed], b[~changed]):
                        return False
    except RUNTIME_ERRORS:  # whatever the numbers that it takes: they are not known
        return False
    return True


def _trace_copy(ann: Ann, shapes_of_inputs: Shapes) -> Trained:
    model = ann.model.clone()
    shapes = _shapes(model, shapes_of_inputs)
    reports = [unmerge_rows(model, shapes, MANY_SAMPLES)]
    if reports[0].changed:
        reports.append(_remove_unused_nodes(model))
        shapes = _shapes(model, shapes_of_inputs)
    axes = trace_batch_axis(model, shapes, MANY_SAMPLES)
    return Trained(ann, model, axes, shapes, (*ann.reports, *reports))


def _shapes(model: ir.Model, shapes_of_inputs: Shapes) -> Shapes:
    try:
        return infer_shapes(model, shapes_of_inputs)
    except RefusedError as error:
        raise retold(error, f"it does not run with every number of samples, such as {MANY_SAMPLES}: {error}") from error


def _check_by_experiment(traced: Trained, feed: Feed) -> None:
    """Runs 4 samples together and apart.

    Raises:
        RefusedError: results differ.
    """
    four = {name: np.resize(array, (4, *array.shape[1:])) for name, array in feed.items()}
    together = Probe(traced.model, list(traced.model.graph.outputs)).run(four)
    for name, apart in _run_apart(traced.ann, four).items():
        if together[name].shape != apart.shape or not _same(together[name], apart):
            node = _first_that_differs(traced, four)
            mixes = f": so does what {node.op_type} computes" if node else ""
            raise RefusedError(
                f"output {name!r} of 4 samples differs when they run one by one{mixes}{NO_BATCH}",
                node=None if node is None else node.name,
            )


def _first_that_differs(traced: Trained, four: Feed) -> ir.Node | None:
    """The first node whose result of 4 samples is not that of each, side by side along any axis."""
    axes = traced.axes.axis
    nodes = [node for node in traced.model.graph if axes.get(str(node.outputs[0].name)) is not None]
    for start in range(0, len(nodes), _AT_ONCE):
        part = nodes[start : start + _AT_ONCE]
        probe = Probe(traced.model, [node.outputs[0] for node in part])
        together = probe.run(four)
        apart = [probe.run({name: array[index : index + 1] for name, array in four.items()}) for index in range(4)]
        for node in part:
            name = str(node.outputs[0].name)
            whole, pieces = together[name], [result[name] for result in apart]
            if isinstance(whole, np.ndarray) and not any(
                len({piece.shape[:axis] + piece.shape[axis + 1 :] for piece in pieces}) == 1
                and (joined := np.concatenate(pieces, axis)).shape == whole.shape
                and _same(whole, joined)
                for axis in range(whole.ndim)
            ):
                return node
    return None


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
