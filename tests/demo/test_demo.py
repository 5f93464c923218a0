"""The embedded images, as the embedded models expect them."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from converter.demo import demo_samples
from converter.normalise.ann import load_ann


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_images_fit_the_models(activation) -> None:
    with resources.as_file(resources.files("converter.demo") / "data" / f"lenet5_{activation}.onnx") as path:
        inputs = load_ann(path).input_specs
    for which, count in (("calibration", 256), ("test", 1000)):
        samples = demo_samples(which, inputs)
        (images,) = samples.feed.values()
        assert images.shape == (count, 1, 28, 28)
        assert images.dtype == np.float32
        assert (images.min(), images.max()) == (0, 1)
        assert set(samples.labels) == set(range(10))
