"""Scripts run by themselves, and no text in a model becomes a statement."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("nengo")


from converter import convert
from converter.nengo.double_precision import as_float64
from converter.nengo.export import make_script, write_script
from converter.nengo.verify import verify
from snn_ops import Session
from tests.models import mlp, samples, save, text_model
from tests.nengo.models import delta_lenet5, images, lenet5


@pytest.mark.parametrize(
    "proto",
    [
        pytest.param(lambda: lenet5("if"), id="if"),
        pytest.param(lambda: lenet5("lif", "tanh"), id="lif, tanh"),
        pytest.param(lambda: lenet5("sigma-delta", "tanh"), id="sigma-delta, tanh"),
        pytest.param(lambda: delta_lenet5("stepped"), id="delta"),
    ],
)
def test_the_script_runs_by_itself(proto, tmp_path) -> None:
    proto = proto()
    write_script(make_script(proto), tmp_path / "lenet.py")
    x = images(3)
    np.savez(tmp_path / "x.npz", x=x)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-W", "error::RuntimeWarning", "lenet.py", "x.npz", "--steps", "8", "-o", "y.npz"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    text = (tmp_path / "lenet.py").read_text()
    assert "import converter" not in text
    assert "from converter" not in text
    (expected,) = Session(as_float64(proto), n_steps=8).run(x.astype(np.float64))
    with np.load(tmp_path / "y.npz") as archive:
        np.testing.assert_allclose(archive["logits"], expected, rtol=0, atol=1e-9)


def test_the_script_of_a_model_without_a_time_axis(tmp_path) -> None:
    """One step gives all, and more give the same."""
    proto = delta_lenet5("two-phase")
    write_script(make_script(proto), tmp_path / "lenet.py")
    x = images(2)
    np.savez(tmp_path / "x.npz", x=x)
    (expected,) = Session(as_float64(proto)).run(x.astype(np.float64))
    for steps in ((), ("--steps", "3")):
        command = [sys.executable, "lenet.py", "x.npz", *steps, "-o", "y.npz"]
        subprocess.run(command, cwd=tmp_path, check=True)
        with np.load(tmp_path / "y.npz") as archive:
            np.testing.assert_allclose(archive["logits"], expected, rtol=0, atol=1e-9)


def test_what_a_file_says_never_becomes_statements(tmp_path) -> None:
    """Names of nodes, values and files are anything; two values that are one word to Python stay two."""
    model = mlp()
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "h²"
    model.graph.node[1].name = "one\nraise SystemExit('a node')\n#"
    model.graph.node[2].output[0] = model.graph.node[3].input[0] = "a1_neurons"
    proto = convert(save(model, tmp_path / "m.onnx"), samples(model), neuron="if").proto()
    source = next(entry for entry in proto.metadata_props if entry.key == "onnx_snn.source")
    source.value = 'C:\\Users\n"""\nraise SystemExit("a file")\n"""'
    x = samples(model)[:3]
    assert verify(proto, {"x": x}, 8).differing == 0
    write_script(make_script(proto), tmp_path / "m.py")
    np.savez(tmp_path / "x.npz", x=x)
    subprocess.run([sys.executable, "m.py", "x.npz"], cwd=tmp_path, check=True)


def test_shared_weights_are_said_once_not_to_be_trained(tmp_path) -> None:
    model = text_model(
        """
        net (float[N,8] x) => (float[N,8] y)
        <float[8,8] W>
        {
          h = MatMul(x, W)
          [first] a = Relu(h)
          y = MatMul(a, W)
        }
        """
    )
    script = make_script(convert(save(model, tmp_path / "m.onnx"), samples(model), code="rate").proto())
    assert (script.notes, list(script.parameters)) == (["'W' is used 2 times: it is not trained"], [])
