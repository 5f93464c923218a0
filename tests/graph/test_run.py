"""ONNX Runtime, quietly, and what it says."""

from __future__ import annotations

import re

import numpy as np
import pytest

from converter.conversion.main import convert
from converter.errors import RefusedError
from tests.models import save, text_model


def test_what_onnx_runtime_says_is_for_users(tmp_path) -> None:
    """Its message has a position in its source, a signature and a condition in front of what is wrong."""
    model = text_model(
        """m (float[N,4] x) => (float[N,3] y) <float[2,3] A, float[3,3] B, int64[2] ROWS> {
          [rows] r = Reshape(x, ROWS)  h = MatMul(r, A)  a = Relu(h)  y = MatMul(a, B) }""",
        ROWS=np.asarray([5, 2]),
    )
    with pytest.raises(RefusedError) as refused:
        convert(save(model, tmp_path / "m.onnx"), np.ones((8, 4), np.float32))
    assert "node 'rows', Reshape: The input tensor cannot be reshaped to the requested shape" in str(refused.value)
    assert not re.search(r"\.h:|\.cc:|::| was false", str(refused.value))
