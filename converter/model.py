"""Models in files: trained ones loaded, checked and normalised; any one written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError
from onnx_ir.passes import common as common_passes
from onnxscript import optimizer, version_converter
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.rules.common import (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)

from converter.errors import RefusedError, concerning
from converter.files import write_whole
from converter.frameworks import export_to_onnx, framework_of
from converter.graph import constant, name_nodes, quiet, to_proto
from converter.passes.batch_axis import BatchAxes, trace_batch_axis
from converter.passes.dequantise import DequantisePass
from converter.passes.free_batch import fixed_batch_size, free_batch, open_batch
from converter.passes.gather_by_sample import GatherBySamplePass
from converter.passes.unmerge_rows import UnmergeRowsPass
from converter.runtime import Feed, Probe, session
from converter.shapes import Shapes, infer_shapes
from converter.usable import check_usable
from snn_ops.format import FIRST_SAMPLE, LOWEST_IR_VERSION, LOWEST_ONNX_OPSET, N_STEPS, STEP

_FOLD_BATCH_NORMALIZATION = (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)
RESERVED = frozenset({N_STEPS, FIRST_SAMPLE, STEP})
"""Inputs of spiking models."""
MANY_SAMPLES = 11
"""A batch for shape questions; a prime, so that few other axes are multiples of it."""


@dataclass
class Ann:
    """A trained model, checked and normalised.

    Attributes:
        path: the file it came from.
        sha256: of that file.
        source: the model as it was.
        model: normalised: opset 18 or later, constants as initialisers, batch axis free, BatchNormalization folded.
        batch: the batch size it was exported with, None if that was free.
        quantised: it was a quantised model; `model` is what it stands for in floats, with the weights' quantised values.
    """

    path: Path
    sha256: str
    source: onnx.ModelProto
    model: ir.Model
    batch: int | None
    quantised: bool = False

    @property
    def inputs(self) -> list[ir.Value]:
        """The normalised model's inputs."""
        return list(self.model.graph.inputs)

    @property
    def outputs(self) -> list[ir.Value]:
        """The normalised model's outputs."""
        return list(self.model.graph.outputs)


def read_proto(path: str | Path) -> onnx.ModelProto:
    """Reads an ONNX file, with its external data.

    Raises:
        RefusedError: no file, not an ONNX model, truncated, or external data missing.
    """
    path = Path(path)
    if not path.is_file():
        what = (
            "this is a folder, but no SavedModel: it has no saved_model.pb"
            if path.is_dir()
            else "there is no such file"
        )
        raise RefusedError(what, file=path)
    try:
        proto = onnx.load(path, load_external_data=False)
    except DecodeError:
        raise RefusedError("not an ONNX model, or the file is truncated; export it again", file=path) from None
    if not proto.ir_version or not proto.graph.node:
        raise RefusedError("not an ONNX model: it holds no graph", file=path)
    try:
        onnx.load_external_data_for_model(proto, str(path.parent))
    except (FileNotFoundError, onnx.checker.ValidationError, ValueError, OSError) as error:
        raise RefusedError(
            f"its external data cannot be read ({error}); put those files beside the model", file=path
        ) from None
    return proto


def load_ann(path: str | Path, *, sample_shape: Sequence[int] | None = None) -> Ann:
    """Loads a trained model and normalises it.

    Args:
        path: an ONNX file, or one of a framework that is installed; see `converter.frameworks`.
        sample_shape: of the input without the batch axis, for TorchScript, which does not say it.

    Raises:
        RefusedError: the file is unusable, uses an opset below 7 or an operator nobody knows, or its batch cannot be freed.
    """
    path = Path(path)
    framework = framework_of(path)
    proto = export_to_onnx(path, framework, sample_shape) if framework else read_proto(path)
    with concerning(path):
        check_usable(proto)
        session(proto if framework else str(path))  # whatever else is wrong with the model, ONNX Runtime says it
        return _normalise(path, proto)


def _normalise(path: Path, proto: onnx.ModelProto) -> Ann:
    with quiet():
        model = ir.from_proto(proto)
        name_nodes(model)
        model.ir_version = max(model.ir_version or 0, LOWEST_IR_VERSION)
        common_passes.RemoveInitializersFromInputsPass()(model)
        common_passes.InlinePass()(model)
        if model.opset_imports[""] < LOWEST_ONNX_OPSET:
            _raise_opset(model)
        common_passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        common_passes.NameFixPass()(model)
        _free_names(model)
        quantised = bool(DequantisePass()(model).modified)
        batch = fixed_batch_size(model)
        open_batch(model)
        optimizer.fold_constants(model, onnx_shape_inference=False)
        input_shapes = {str(v.name): _shape(v, batch or MANY_SAMPLES) for v in model.graph.inputs}
        if batch:
            free_batch(model, infer_shapes(model, input_shapes), batch)
        else:
            GatherBySamplePass(input_shapes, MANY_SAMPLES)(model)
        rewrite(model, pattern_rewrite_rules=_FOLD_BATCH_NORMALIZATION)
        for cleanup in (common_passes.IdentityEliminationPass(), common_passes.RemoveUnusedNodesPass()):
            cleanup(model)
        name_nodes(model)
    content = path.read_bytes() if path.is_file() else proto.SerializeToString(deterministic=True)
    return Ann(path, hashlib.sha256(content).hexdigest(), proto, model, batch, quantised)


def _raise_opset(model: ir.Model) -> None:
    before = model.opset_imports[""]
    try:
        version_converter.convert_version(model, LOWEST_ONNX_OPSET, fallback=True)
    except Exception as error:
        raise RefusedError(
            f"its opset {model.opset_imports['']} cannot be raised to {LOWEST_ONNX_OPSET} ({error}); "
            f"export the model with opset {LOWEST_ONNX_OPSET} or later"
        ) from error
    if model.opset_imports[""] < LOWEST_ONNX_OPSET:
        raise RefusedError(
            f"its opset cannot be raised to {LOWEST_ONNX_OPSET}; export it with that opset or a later one"
        )
    if before < 11:  # what Upsample and the first Resize computed has a name since then, which is not the default
        for node in model.graph.all_nodes():
            if node.op_type == "Resize":
                node.attributes["coordinate_transformation_mode"] = ir.AttrString(
                    "coordinate_transformation_mode", "asymmetric"
                )
                node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", "floor")


def _shape(value: ir.Value, samples: int) -> tuple[int, ...]:
    """An input's shape for that many samples; free axes other than the batch take the length 64."""
    assert value.shape is not None
    return (samples, *(length if isinstance(length, int) and length > 0 else 64 for length in list(value.shape)[1:]))


def _free_names(model: ir.Model) -> None:
    """Inner values called like an input that the spiking model will have get another name."""
    graph = model.graph
    for name in RESERVED & graph.initializers.keys():
        value = graph.initializers.pop(name)
        assert value.const_value is not None
        value.replace_all_uses_with(constant(graph, f"{name}_of_model", value.const_value.numpy()))
    for value in [value for node in model.graph.all_nodes() for value in node.outputs]:
        if value.name in RESERVED and not value.is_graph_output():
            value.name = f"{value.name}_of_model"


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
    original = session(ann.model if ann.quantised else ann.source)
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


def write_model(model: ir.Model | onnx.ModelProto, path: str | Path) -> None:
    """Writes an ONNX file, whole or not at all.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    proto = model if isinstance(model, onnx.ModelProto) else to_proto(model)
    write_whole(path, proto.SerializeToString())


__all__ = [
    "Ann",
    "Shapes",
    "load_ann",
    "prove_batch",
    "read_proto",
    "trace_batch",
    "write_model",
]
