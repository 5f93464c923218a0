"""Where tests run native kernels: the CPU, or what ONNX_SNN_TEST_PROVIDER says (tools/gpu_check.sh: "cuda")."""

from __future__ import annotations

import os

import numpy as np
import onnxruntime as ort
import pytest

from snn_ops import single

PROVIDER = os.environ.get("ONNX_SNN_TEST_PROVIDER", "cpu")


def provider_of(backend: str) -> str:
    """Function bodies and Python operators run on the CPU."""
    return PROVIDER if backend == "native" else "cpu"


class SingleOperator(single.SingleOperator):
    """The operator on that device. A GPU has no float64 kernels: such tests are skipped there."""

    def __init__(self, op_type: str, *, backend: str = "native", threads: int = 1, **attributes: float | int) -> None:
        provider = provider_of(backend)
        super().__init__(op_type, backend=backend, provider=provider, threads=threads, **attributes)
        self._skips_float64 = provider == "cuda"

    def session(self, *inputs: np.ndarray) -> ort.InferenceSession:
        if self._skips_float64 and np.asarray(inputs[0]).dtype == np.float64:
            pytest.skip("float64 kernels are for the CPU")
        return super().session(*inputs)
