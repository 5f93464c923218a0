"""`check` on one model and on a folder: what is printed, exit codes, and files that are no models."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.models import mlp, save, text_model


def test_a_model_that_converts(command, folder) -> None:
    done = command("check", "m.onnx", "--neuron", "lif", "--tau-n", "2", "--json", "c.json")
    assert done.code == 0, done.err
    for text in (
        "m.onnx will convert: rate code, stepped",
        "multiply-adds that will spike",
        "the model's input",
        "LIF",
    ):
        assert text in done.out
    assert "--tau-n 2.0 changes nothing: no neuron of this model is an AdaptiveLIF" in " ".join(done.err.split())
    found = json.loads(Path("c.json").read_text())
    assert (found["converts"], found["batch"], [layer["operator"] for layer in found["layers"]]) == (
        True,
        None,
        ["Gemm"] * 3,
    )
    assert found["inputs"] == [{"name": "x", "type": "float32", "shape": [None, 8]}]
    assert found["spiking_share"] == pytest.approx(1 - 8 * 16 / (8 * 16 + 16 * 12 + 12 * 4))
    assert [idle["option"] for idle in found["idle_options"]] == ["tau_n"]
    done = command("check", "m.onnx", "--json", "-", "-v")
    found = json.loads(done.out)
    assert (found["spiking_share"], found["energy"]["models"]) == (1.0, 27)
    told = [line.split(":")[0] for line in done.err.splitlines() if line.startswith("pass ")]
    assert [f"pass {report['name']}" for report in found["passes"]] == told


def test_what_is_refused(command, folder) -> None:
    """As `convert` refuses it, in a line; as JSON, with the node."""
    model = (
        "m (float[N,8] x) => (float[N,4] y) <float[8,4] W> { h = MatMul(x, W)  [sum] s = CumSum(h, Z)  y = Relu(s) }"
    )
    save(text_model(model.replace("W>", "W, int64[1] Z>"), Z=[0]), "bad.onnx")
    converted = command("convert", "bad.onnx", "--calibration", "calibration.npz")
    checked = command("check", "bad.onnx", "--json", "c.json")
    assert (checked.code, checked.out, checked.err) == (1, "", converted.err)
    found = json.loads(Path("c.json").read_text())
    assert (found["converts"], found["node"]) == (False, "sum")
    assert checked.err == f"onnx-snn: bad.onnx: {found['reason']}\n"


def test_a_folder(command, folder) -> None:
    """At any depth; spiking models are left out, and what is no model does not stop the others."""
    inside = Path("models")
    (inside / "deep").mkdir(parents=True)
    (inside / "a_folder.onnx").mkdir()
    shutil.copy("m.onnx", inside / "good.onnx")
    save(mlp("Tanh"), inside / "deep" / "tanh.onnx")
    assert command("check", inside).code == 0
    (inside / "broken.onnx").write_bytes(Path("m.onnx").read_bytes()[:200])
    (inside / "empty.onnx").touch()
    os.mkfifo(inside / "pipe.onnx")
    (inside / "lost.onnx").symlink_to("nowhere")
    (inside / "deep" / "circle").symlink_to(inside.resolve())
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--neuron", "if", "-o", inside / "s.snn.onnx")
    done = command("check", inside, "--json", "c.json")
    assert done.code == 1
    assert "models: 2 of 4 models convert" in done.out
    assert "left out: 1 of the .onnx files, which spike already" in done.err
    found = {entry["model"]: entry for entry in json.loads(Path("c.json").read_text())}
    assert {name: entry["converts"] for name, entry in found.items()} == {
        "models/broken.onnx": False,
        "models/deep/tanh.onnx": True,
        "models/empty.onnx": False,
        "models/good.onnx": True,
    }
    assert found["models/empty.onnx"]["reason"] == "not an ONNX model: it holds no graph"
    assert found["models/empty.onnx"]["reason"] in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("lost.onnx",), 1, "lost.onnx: there is no such file"),
        (("nothing",), 1, "nothing: there is no trained model (.onnx) in this folder"),
        (("calibration.npz",), 1, "calibration.npz: not an ONNX model, or the file is truncated; export it again"),
        (("m.onnx", "--json", "lost/c.json"), 1, "lost/c.json: the folder lost does not exist; create it first"),
        (("m.onnx", "--shape", "3"), 1, "m.onnx: input 'x' has samples of the shape 8, not 3"),
        (("m.onnx", "--shape", "z=8"), 1, "m.onnx: it has no input 'z'; there are x"),
        (("m.onnx", "--shape", "8,-1"), 2, "--shape"),
        (("m.onnx", "--shape", "wide"), 2, "--shape"),
        (("m.onnx", "--shape", "9" * 60), 2, "--shape"),
        (("m.onnx", "--neuron", "snail"), 1, "there is no neuron 'snail'"),
        ((), 2, "model"),
    ],
)
def test_bad_input(command, folder, arguments, code, line) -> None:
    Path("nothing").mkdir()
    done = command("check", *arguments)
    assert (done.code, done.out) == (code, "")
    assert line in done.err
    assert code == 2 or done.err.count("\n") == 1
