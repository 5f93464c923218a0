"""What tests of passes share: models from ONNX text, where their samples lie, and what they compute."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime as ort

from converter.graph.batch_axis import BatchAxes, trace_batch_axis
from converter.graph.build import name_nodes, to_proto
from converter.graph.shapes import MANY_SAMPLES, Shapes, infer_shapes, input_shapes
from tests.models import text_model


def from_text(text: str, *, opset: int = 18, **options) -> ir.Model:
    """As `tests.models.text_model`, for a pass."""
    model = ir.from_proto(text_model(text, opset=opset, **options))
    name_nodes(model)
    return model


def shapes_of(model: ir.Model) -> Shapes:
    """Of every value, for `MANY_SAMPLES` samples."""
    return infer_shapes(model, input_shapes(model, MANY_SAMPLES))


def axes_of(model: ir.Model) -> BatchAxes:
    return trace_batch_axis(model, shapes_of(model), MANY_SAMPLES)


def outputs(model: ir.Model, **feed: np.ndarray) -> list[np.ndarray]:
    return ort.InferenceSession(to_proto(model).SerializeToString()).run(None, feed)


def op_types(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
