"""The embedded LeNet-5 and MNIST images of `onnx-snn demo`, made by ``examples/train_lenet5.py``.

MNIST: Y. LeCun, C. Cortes, C. Burges, the MNIST database of handwritten digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

import numpy as np

from converter.io.samples import InputSpec, Samples, check_samples


def demo_samples(which: str, inputs: Sequence[InputSpec]) -> Samples:
    """The embedded "calibration" or "test" images, as LeNet-5 expects them: pixels / 255."""
    with (
        resources.as_file(resources.files("converter.demo") / "data" / f"mnist_{which}.npz") as path,
        np.load(path) as file,
    ):
        arrays = {"x": file["x"].astype(np.float32) / 255, "y": file["y"].astype(np.int64)}
    return check_samples(arrays, inputs)
