"""Backend "cupy" on a GPU: every operator, and a whole model. The kernels' compilation and the calls are tested without one in
test_cupy_kernels.py."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from snn_ops import cupy_ops
from snn_ops.ops import OPERATORS
from tests.ops.cases import CALLS, IDS, Shape, random_inputs


@pytest.fixture(scope="module")
def device() -> cupy_ops.CupyDevice:
    try:
        return cupy_ops.CupyDevice()
    except Exception as error:  # CuPy has many words for a missing driver
        pytest.skip(f"no GPU through CuPy: {error}")


@pytest.mark.parametrize("element", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
def test_every_operator(op_type, attributes, element, device) -> None:
    operator, rng = OPERATORS[op_type], np.random.default_rng(0)
    given = {**operator.defaults, **attributes}
    differing = total = 0
    for shape in (Shape(30, 3, (5, 7, 11)), Shape(100, 1, (1021,)), Shape(1, 17, (4, 3)), Shape(7, 0, (4,))):
        inputs = random_inputs(op_type, shape, element, rng)
        found, expected = cupy_ops.run(device, operator, inputs, given), operator.run(*inputs, **given)
        for tensor, got, want in zip(operator.outputs, found, expected, strict=True):
            assert (got.shape, got.dtype) == (want.shape, want.dtype)
            if tensor.name == "spikes":
                differing += int((got != want).sum())
                total += got.size
            elif element is np.float64:
                np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12, err_msg=tensor.name)
    assert differing <= total / (10_000_000 if element is np.float64 else 10_000)


MODEL = """
import sys
import numpy as np, snn_ops
from converter.conversion.main import convert
from tests.models import convnet, samples, save
path, x = save(convnet(), sys.argv[1] + "/m.onnx"), samples(convnet())
model = convert(path, x, neuron="if", method="percentile", correction="none", streaming=True).proto()
expected = snn_ops.Session(model).run(x[:9])[0]
session = snn_ops.Session(model, backend="cupy")
np.testing.assert_allclose(session.run(x[:9])[0], expected, rtol=1e-4, atol=1e-5)
try: session.run(x[:9, :1])
except Exception as error: print(type(error).__name__)
print("good")
"""


def test_whole_model(device, tmp_path) -> None:
    """In a process of its own: one process runs one Python backend."""
    pytest.importorskip("onnxruntime_extensions")
    done = subprocess.run([sys.executable, "-c", MODEL, tmp_path], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["good"], done.stderr
