"""Loading and normalising: the normalised model computes what the original does."""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.graph.build import to_proto
from converter.io.files import write_whole
from converter.io.onnx_files import read_proto
from converter.normalise.ann import load_ann
from tests.models import convnet, mlp, samples, save, text_model


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize("opset", [7, 8, 9, 11, 13, 17, 18, 21])
def test_opsets(opset, tmp_path) -> None:
    model = mlp(opset=opset)
    model.ir_version = 3 if opset < 9 else 8
    if model.ir_version == 3:  # then every initialiser must also be an input
        for tensor in model.graph.initializer:
            model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    assert ann.model.opset_imports[""] >= 18
    assert [value.name for value in ann.inputs] == ["x"]
    x = samples(model)
    np.testing.assert_allclose(run(to_proto(ann.model), x), run(model, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", ["1", "10", "N"])
def test_frees_a_fixed_batch(batch, tmp_path) -> None:
    model = mlp(batch=batch)
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    assert ann.batch == (None if batch == "N" else int(batch))
    x = samples(model, 20)
    expected = run(mlp(), x)
    np.testing.assert_allclose(run(to_proto(ann.model), x), expected, rtol=1e-5, atol=1e-6)


def test_folds_batch_normalization_and_frees_reshape(tmp_path) -> None:
    model = convnet()
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    assert "BatchNormalization" not in {node.op_type for node in ann.model.graph}
    x = samples(model, 6)
    together = run(to_proto(ann.model), x)
    apart = np.concatenate([run(model, x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-5)


def test_external_data(tmp_path) -> None:
    model = mlp()
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="m.data", size_threshold=0)
    x = samples(model)
    np.testing.assert_allclose(run(to_proto(load_ann(path).model), x), run(mlp(), x), rtol=1e-5, atol=1e-6)
    (tmp_path / "m.data").unlink()
    with pytest.raises(
        RefusedError, match=r"m\.onnx: its external data cannot be read .*put those files beside the model"
    ):
        load_ann(path)


@pytest.mark.parametrize("content", [b"", b"hello, this is no model", b"\x08\x07" * 50])
def test_not_onnx(content, tmp_path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=r"m\.onnx: not an ONNX model"):
        read_proto(path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_truncated(share, tmp_path) -> None:
    data = mlp().SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(RefusedError, match=r"m\.onnx: "):
        load_ann(path)


def test_unknown_operator(tmp_path) -> None:
    model = mlp()
    model.graph.node[1].op_type = "Reluu"
    with pytest.raises(RefusedError, match=r"m\.onnx: node 'first': operator Reluu does not exist in opset 17"):
        load_ann(save(model, tmp_path / "m.onnx"))


def test_random_numbers(tmp_path) -> None:
    model = text_model(
        "m (float[N,4] x) => (float[N,4] y) { [noise] r = RandomNormalLike(x)  s = Add(x, r)  y = Relu(s) }"
    )
    with pytest.raises(RefusedError, match="node 'noise': RandomNormalLike draws other numbers in every run"):
        load_ann(save(model, tmp_path / "m.onnx"))


def test_batch_normalization_as_in_training(tmp_path) -> None:
    model = text_model(
        """m (float[N,4] x) => (float[N,4] y) <float[4] A, float[4] B, float[4] C, float[4] D> {
          [norm] n, mean, var = BatchNormalization<training_mode = 1>(x, A, B, C, D)  y = Relu(n) }"""
    )
    with pytest.raises(RefusedError, match="node 'norm': BatchNormalization takes mean and variance from the batch"):
        load_ann(save(model, tmp_path / "m.onnx"))


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


def test_old_opset(tmp_path) -> None:
    model = text_model("m (float[N,4] x) => (float[N,4] y) { y = Relu(x) }", opset=6)
    with pytest.raises(RefusedError, match="opset 6 is older than 7"):
        load_ann(save(model, tmp_path / "m.onnx"))


def test_writes_whole_or_not_at_all(tmp_path, monkeypatch) -> None:
    path = tmp_path / "result"
    write_whole(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["result"]


def test_names_of_the_spiking_models_inputs(tmp_path) -> None:
    """Inner values give them up; inputs and outputs cannot."""
    text = """m (float[N,4] {x}) => (float[N,3] {y}) <float[4,5] first_sample, float[5,3] B> {{
        h = MatMul({x}, first_sample)  n_steps = Relu(h)  step = Relu(n_steps)  {y} = MatMul(step, B) }}"""
    x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    path = save(text_model(text.format(x="x", y="y")), tmp_path / "m.onnx")
    conversion = convert(path, x, streaming=True)
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto(), n_steps=64).stream().run(x)
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)
    for names, kind in (({"x": "n_steps", "y": "y"}, "input"), ({"x": "x", "y": "n_steps"}, "output")):
        bad = text_model(text.replace("n_steps", "a").format(**names))
        with pytest.raises(RefusedError, match=f"its {kind} 'n_steps' has the name of an input"):
            load_ann(save(bad, tmp_path / "bad.onnx"))


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("x", "string", "its input 'x' takes text"),
        ("x", None, "its input 'x' has no declared shape"),
        ("y", "sequence", "its output 'y' is a sequence, not a tensor"),
        ("y", "maps", "skl2onnx leaves ZipMap out"),
    ],
)
def test_inputs_and_outputs_that_are_no_tensors_of_numbers(name, kind, reason, tmp_path) -> None:
    last = {
        "sequence": "y = SplitToSequence<axis = 1>(b)",
        "maps": "y = ai.onnx.ml.ZipMap<classlabels_int64s = [0, 1, 2]>(b)",
    }.get(kind, "y = Identity(b)")
    first = (
        'ids = ai.onnx.ml.LabelEncoder<keys_strings = ["a"], values_floats = [1.0]>(x)'
        if kind == "string"
        else "ids = Identity(x)"
    )
    model = text_model(
        f"m (float[N,4] x) => (float[N,3] y) <float[4,3] B> {{ {first}  a = Relu(ids)  b = MatMul(a, B)  {last} }}"
    )
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 2))
    value = model.graph.input[0] if name == "x" else model.graph.output[0]
    if kind is None:
        value.type.tensor_type.ClearField("shape")
    elif kind == "string":
        value.type.tensor_type.elem_type = onnx.TensorProto.STRING
    else:
        numbers = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, None)
        maps = onnx.TypeProto()
        maps.map_type.key_type = onnx.TensorProto.INT64
        maps.map_type.value_type.CopyFrom(onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, []))
        value.type.CopyFrom(onnx.helper.make_sequence_type_proto(maps if kind == "maps" else numbers))
    with pytest.raises(RefusedError, match=reason):
        load_ann(save(model, tmp_path / "m.onnx"))
