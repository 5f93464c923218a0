"""Likely mistakes are noticed, and what is right is not doubted."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from converter.io.samples import Samples
from converter.measure.input_check import doubts, ranges
from tests.models import text_model

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, (64, 4)).astype(np.float32)
KNOWN = ranges(Samples({"x": X}, None))
IDENTITY = text_model("m (float[N,4] x) => (float[N,4] y) { y = Identity(x) }")


@pytest.mark.parametrize(
    ("x", "doubt"),
    [
        (RNG.uniform(0, 1, (20, 4)), None),
        (RNG.uniform(-2, 3, (20, 4)), None),
        (255 * X, "divide it by 255"),
        (X / 255, "multiply it by 255"),
        (1000 * X, "divide it, or"),
        (np.full((5, 4), 0.5), "all numbers of input 'x' are 0.5"),
        (np.tile(X[:1], (5, 1)), "all samples of input 'x' are the same"),
    ],
)
def test_numbers(x, doubt) -> None:
    found = doubts(Samples({"x": x.astype(np.float32)}, None), KNOWN)
    assert len(found) == (doubt is not None)
    assert doubt is None or doubt in found[0]


def test_a_trained_model_near_chance() -> None:
    trained = ir.from_proto(IDENTITY)
    right = X.argmax(axis=1)
    assert doubts(Samples({"x": X}, right), KNOWN, trained) == []
    (doubt,) = doubts(Samples({"x": X}, (right + 1) % 4), KNOWN, trained)
    assert "chance is 25%" in doubt
    assert doubts(Samples({"x": X[:8]}, (right[:8] + 1) % 4), KNOWN, trained) == [], "too few to say"


def test_strange_metadata_raise_no_doubt() -> None:
    for known in ({}, {"x": 3}, {"x": {"low": "a", "high": 1}}, {"x": {"low": 0.0, "high": 0.0}}):
        assert doubts(Samples({"x": 255 * X}, None), known) == []
