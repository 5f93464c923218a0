"""The documentation says what the code does."""

from __future__ import annotations

from snn_ops.ops import OPERATORS
from tools.operator_table import PAGE, kernels, page


def test_operator_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_operator_has_kernels_for_both_devices() -> None:
    for op_type in OPERATORS:
        assert kernels(op_type) == {"CPU": ["float32", "float16", "float64"], "CUDA": ["float32", "float16"]}
