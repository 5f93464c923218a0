"""A conversion to report on."""

from __future__ import annotations

import pytest

from converter import Conversion, convert
from tests.models import samples, save, text_model


@pytest.fixture(scope="package")
def conversion(tmp_path_factory) -> Conversion:
    model = text_model(
        """m (float[N,8] x) => (float[N,4] y) <float[8,16] W, float[8,16] Z, float[16,12] V, float[12,4] U> {
          h = MatMul(x, W)  a = Relu(h)  g = MatMul(x, Z)  c = Relu(g)  s = Max(a, c)
          k = MatMul(s, V)  b = Relu(k)  y = MatMul(b, U) }"""
    )
    return convert(
        save(model, tmp_path_factory.mktemp("report") / "<m>.onnx"),
        samples(model, 32),
        n_steps=8,
        code="rate",
        traces=True,
    )
