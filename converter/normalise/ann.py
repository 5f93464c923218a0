"""Trained models in files: loaded, checked and normalised."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as common_passes
from onnxscript import optimizer
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.rules.common import (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)

from converter.errors import concerning
from converter.graph.build import name_nodes, without_library_warnings
from converter.graph.passes import Pass, PassReport, library_pass
from converter.graph.run import start_quietly
from converter.io.onnx_files import read_proto
from converter.io.samples import InputSpec
from converter.normalise.add_batch import add_batch
from converter.normalise.admission import check_inference, check_usable
from converter.normalise.already_spiking import check_not_spiking
from converter.normalise.dequantise import DEQUANTISE, dequantise
from converter.normalise.eliminate_identity import eliminate_identity
from converter.normalise.flush_subnormals import flush_subnormals
from converter.normalise.frameworks import export_to_onnx, framework_of
from converter.normalise.free_batch import free_batch
from converter.normalise.gather_by_sample import gather_by_sample
from converter.normalise.move_batch import move_batch
from converter.normalise.open_batch import fixed_batch_size, open_batch
from converter.normalise.plain_form import plain_form
from converter.normalise.raise_opset import raise_opset
from converter.normalise.reserved_names import free_reserved_names

_FOLD_BATCH_NORMALIZATION = (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)


@dataclass(frozen=True)
class Interface:
    """How a model as it came takes its samples.

    Attributes:
        batch: the number of them that it was exported for, None if that was free.
        added: inputs and outputs that have no axis for them.
        moved: inputs and outputs that have them in another axis than 0: which.
    """

    batch: int | None = None
    added: frozenset[str] = frozenset()
    moved: Mapping[str, int] = field(default_factory=dict)

    def as_it_came(self, name: str, array: np.ndarray) -> np.ndarray:
        """An input with the samples in axis 0, one of them where it has no axis for them, as the model takes it."""
        if name in self.added:
            return np.asarray(array[0])
        return np.ascontiguousarray(np.moveaxis(array, 0, self.moved.get(name, 0)))

    def samples_first(self, name: str, array: np.ndarray) -> np.ndarray:
        """What the model gives as an output, with the samples in axis 0."""
        if name in self.added:
            return array[None]
        return np.moveaxis(array, self.moved[name], 0) if name in self.moved else array


@dataclass(frozen=True)
class Ann:
    """A trained model, checked and normalised.

    Attributes:
        path: the file it came from.
        sha256: of that file.
        source: the model as it was.
        model: normalised: opset 18 or later, constants as initialisers, batch axis free, BatchNormalization folded.
        interface: how `source` takes its samples; `model` has them in axis 0 everywhere.
        quantised: it was a quantised model; `model` is what it stands for in floats, with the weights' quantised values.
        reports: what the passes of the pipeline did, in their order.
    """

    path: Path
    sha256: str
    source: onnx.ModelProto
    model: ir.Model
    interface: Interface = Interface()
    quantised: bool = False
    reports: tuple[PassReport, ...] = ()

    @property
    def batch(self) -> int | None:
        """The batch size it was exported with, None if that was free."""
        return self.interface.batch

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


def load_ann(path: str | Path, *, sample_shape: Sequence[int] | None = None, trust: bool = False) -> Ann:
    """Loads a trained model and normalises it.

    Args:
        path: an ONNX file, or one of a framework that is installed; see `converter.normalise.frameworks`.
        sample_shape: of the input without the batch axis, for TorchScript, which does not say it.
        trust: load a file of a framework that can run code of its author; see SECURITY.md.

    Raises:
        RefusedError: the file is unusable, uses an opset below 7 or an operator nobody knows, or its batch cannot be freed.
    """
    path = Path(path)
    framework = framework_of(path)
    proto = export_to_onnx(path, framework, sample_shape, trust=trust) if framework else read_proto(path)
    with concerning(path):
        check_usable(proto)
        start_quietly(proto if framework else str(path))  # whatever else is wrong with the model, ONNX Runtime says it
        return _normalise(path, proto)


def _fold_constants(model: ir.Model) -> None:
    optimizer.fold_constants(model, onnx_shape_inference=False)


def _fold_batch_normalization(model: ir.Model) -> None:
    rewrite(model, pattern_rewrite_rules=_FOLD_BATCH_NORMALIZATION)


TO_PLAIN_GRAPH: tuple[Pass, ...] = (
    plain_form,
    library_pass("name nodes", name_nodes),
    library_pass("inputs without defaults", common_passes.RemoveInitializersFromInputsPass()),
    library_pass("inline functions", common_passes.InlinePass(), "replaced by the nodes of its function"),
    check_inference,
    raise_opset,
    library_pass(
        "lift constants",
        common_passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        "an initialiser now",
    ),
    library_pass("unique names", common_passes.NameFixPass()),
    check_not_spiking,
    free_reserved_names,
    dequantise,
)
"""The pipeline up to the question whether the exporter fixed the batch."""


def to_free_batch(batch: int | None) -> tuple[Pass, ...]:
    """The pipeline from there on.

    Args:
        batch: the size that the exporter fixed, None if it is free.
    """
    return (
        open_batch,
        library_pass("fold constants", _fold_constants, "computed: a constant now"),
        partial(free_batch, size=batch) if batch else gather_by_sample,
        library_pass("fold BatchNormalization", _fold_batch_normalization, "folded into a layer, or not needed"),
        flush_subnormals,
        eliminate_identity,
        library_pass("remove unused nodes", common_passes.RemoveUnusedNodesPass(), "removed: nothing needs it"),
        library_pass("name nodes", name_nodes),
    )


def run_pipeline(model: ir.Model) -> tuple[tuple[PassReport, ...], Interface]:
    """Normalises a model in place; what the passes did, and how the model took its samples.

    Raises:
        RefusedError: a pass cannot do with the model what it has to.
    """
    reports = [run(model) for run in TO_PLAIN_GRAPH]
    moving, moved = move_batch(model)
    adding, added = add_batch(model)
    reports += [moving, adding]
    batch = fixed_batch_size(model)
    reports.extend(run(model) for run in to_free_batch(batch))
    return tuple(reports), Interface(batch, added, moved)


def _normalise(path: Path, proto: onnx.ModelProto) -> Ann:
    with without_library_warnings():
        model = ir.from_proto(proto)
        reports, interface = run_pipeline(model)
    quantised = any(report for report in reports if report.name == DEQUANTISE)
    content = path.read_bytes() if path.is_file() else proto.SerializeToString(deterministic=True)
    return Ann(path, hashlib.sha256(content).hexdigest(), proto, model, interface, quantised, reports)
