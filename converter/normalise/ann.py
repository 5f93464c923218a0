"""Trained models in files: loaded, checked and normalised."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.passes import common as common_passes
from onnxscript import optimizer, version_converter
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.rules.common import (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)

from converter.errors import RefusedError, concerning
from converter.graph.build import constant, name_nodes, quiet
from converter.graph.run import start_quietly
from converter.graph.shapes import infer_shapes
from converter.io.onnx_files import read_proto
from converter.io.samples import InputSpec
from converter.normalise.admission import check_usable
from converter.normalise.dequantise import DequantisePass
from converter.normalise.frameworks import export_to_onnx, framework_of
from converter.normalise.free_batch import fixed_batch_size, free_batch, open_batch
from converter.normalise.gather_by_sample import GatherBySamplePass
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
    def input_specs(self) -> list[InputSpec]:
        """What samples for the model must look like."""
        return [InputSpec.of(value) for value in self.inputs]

    @property
    def outputs(self) -> list[ir.Value]:
        """The normalised model's outputs."""
        return list(self.model.graph.outputs)


def load_ann(path: str | Path, *, sample_shape: Sequence[int] | None = None) -> Ann:
    """Loads a trained model and normalises it.

    Args:
        path: an ONNX file, or one of a framework that is installed; see `converter.normalise.frameworks`.
        sample_shape: of the input without the batch axis, for TorchScript, which does not say it.

    Raises:
        RefusedError: the file is unusable, uses an opset below 7 or an operator nobody knows, or its batch cannot be freed.
    """
    path = Path(path)
    framework = framework_of(path)
    proto = export_to_onnx(path, framework, sample_shape) if framework else read_proto(path)
    with concerning(path):
        check_usable(proto)
        start_quietly(proto if framework else str(path))  # whatever else is wrong with the model, ONNX Runtime says it
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
