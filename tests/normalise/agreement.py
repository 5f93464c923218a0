"""Whether a spiking model agrees with the trained one that was exported for a fixed number of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

import snn_ops
from converter.conversion.main import convert
from tests.models import save


def check_agreement(
    model: onnx.ModelProto, batch: int, folder: Path, *, count: int = 24, tolerance: float = 0.02
) -> None:
    """The spiking model, of all samples at once, against the trained one, `batch` at a time."""
    path = save(model, folder / "m.onnx")
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    samples = np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)
    calibration = np.concatenate([samples, samples])  # some are held out, all are to be seen
    (found,) = snn_ops.Session(convert(path, calibration, code="rate").proto(), n_steps=64).run(samples)
    session = ort.InferenceSession(path)
    expected = np.concatenate([session.run(None, {"x": samples[i : i + batch]})[0] for i in range(0, count, batch)])
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) < tolerance * np.linalg.norm(expected)
