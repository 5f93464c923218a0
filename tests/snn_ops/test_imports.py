"""What a deployment loads: ONNX Runtime and NumPy, and nothing of the converter's packages."""

from __future__ import annotations

import json
import subprocess
import sys

import onnx
import pytest

import snn_ops
from tests.snn_ops.test_format import model


def modules_after(code: str) -> set[str]:
    """Names of what a new process has imported after running the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def packages(modules: set[str]) -> set[str]:
    """Those that are not Python's own."""
    return {name.split(".")[0] for name in modules} - sys.stdlib_module_names


@pytest.mark.parametrize(
    "code",
    [
        "import snn_ops",
        "import onnxruntime, snn_ops\nsnn_ops.register(onnxruntime.SessionOptions())",
        "import snn_ops.format, snn_ops.files, snn_ops.provider",
    ],
)
def test_a_deployment_loads_nothing_of_the_converter(code) -> None:
    loaded = modules_after(code)
    assert "snn_ops.session" in loaded
    assert packages(loaded) <= packages(modules_after("import numpy, onnxruntime")) | {"snn_ops"}
    assert loaded.isdisjoint({"snn_ops.ops", "snn_ops.python_ops", "snn_ops.cupy_ops"})


def test_running_a_model_loads_nothing_of_the_converter(tmp_path) -> None:
    path = tmp_path / "m.snn.onnx"
    onnx.save(model({}), path)
    loaded = modules_after(
        f"import numpy, snn_ops\nsnn_ops.Session({str(path)!r}).run(numpy.ones((1, 2), numpy.float32))"
    )
    assert packages(loaded) <= packages(modules_after("import numpy, onnxruntime")) | {"snn_ops"}


def test_operators_come_when_they_are_asked_for() -> None:
    assert "snn_ops.ops" in modules_after("import snn_ops\nassert 'IF' in snn_ops.OPERATORS")
    with pytest.raises(AttributeError, match="module 'snn_ops' has no attribute 'nothing'"):
        snn_ops.nothing  # noqa: B018
    for name in snn_ops.__all__:
        assert getattr(snn_ops, name) is not None


@pytest.mark.parametrize(
    ("missing", "code", "message"),
    [
        ("onnxruntime", "import snn_ops", "snn_ops needs ONNX Runtime: pip install 'onnx-snn[cpu]'"),
        (
            "onnx",
            "import onnxruntime, snn_ops; snn_ops.register(onnxruntime.SessionOptions(), 'numpy')",
            "backend 'numpy' needs onnx: pip install 'onnx-snn[python-ops]'",
        ),
    ],
)
def test_a_missing_package_is_named(missing, code, message) -> None:
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
try:
    {code}
except (ImportError, RuntimeError) as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(message), done
