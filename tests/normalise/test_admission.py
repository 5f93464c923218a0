"""What cannot be converted, whatever is done with it, is refused in one line."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from converter.errors import RefusedError
from converter.normalise.ann import load_ann
from tests.models import mlp, save, text_model


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


@pytest.mark.parametrize(
    ("opset", "body"),
    [
        (17, "[drop] d = Dropout(r, HALF, YES)"),
        (12, "[drop] d = Dropout(r, HALF, YES)"),
        (
            17,
            "yes = Constant<value = bool {1}>()  half = Constant<value_float = 0.5>()  [drop] d = Dropout(r, half, yes)",
        ),
        (17, "s = ReduceSum<keepdims = 0>(r)  yes = Cast<to = 9>(s)  [drop] d = Dropout(r, HALF, yes)"),
        (17, "yes = Identity(YES)  [drop] d = local.noisy(r, HALF, yes)"),
    ],
)
def test_dropout_as_in_training(opset, body, tmp_path) -> None:
    """Also where a function does it."""
    model = text_model(
        f"m (float[N,4] x) => (float[N,3] y) <float[] HALF, float[4,3] B> {{ r = Relu(x)  {body}  y = MatMul(d, B) }}",
        opset=opset,
        HALF=np.asarray(0.5),
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(True), "YES"))
    if "local" in body:
        inside = onnx.helper.make_node("Dropout", ["a", "p", "t"], ["b"], name="inside")
        imports = [onnx.helper.make_opsetid("", opset)]
        model.functions.append(onnx.helper.make_function("local", "noisy", ["a", "p", "t"], ["b"], [inside], imports))
        model.opset_import.append(onnx.helper.make_opsetid("local", 1))
    reason = r"node '.*(drop|inside).*': Dropout drops numbers at random, as in training; export .* model\.eval\(\)"
    with pytest.raises(RefusedError, match=reason):
        load_ann(save(model, tmp_path / "m.onnx"))


@pytest.mark.parametrize("dropout", ["Dropout(r)", "Dropout(r, HALF)", "Dropout(r, HALF, NO)", "Dropout(r, ZERO, YES)"])
def test_dropout_as_in_inference(dropout, tmp_path) -> None:
    model = text_model(
        f"m (float[N,4] x) => (float[N,3] y) <float[] HALF, float[] ZERO, float[4,3] B> {{ r = Relu(x)  d = {dropout}"
        "  y = MatMul(d, B) }",
        HALF=np.asarray(0.5),
        ZERO=np.asarray(0),
    )
    for name, value in (("YES", True), ("NO", False)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    assert [node.op_type for node in load_ann(save(model, tmp_path / "m.onnx")).model.graph] == ["Relu", "MatMul"]


def test_noise_in_a_function_and_in_a_branch(tmp_path) -> None:
    model = text_model("m (float[N,4] x) => (float[N,4] y) { r = Relu(x)  [call] y = local.noisy(r) }")
    nodes = [onnx.helper.make_node("RandomNormalLike", ["a"], ["n"]), onnx.helper.make_node("Add", ["a", "n"], ["b"])]
    imports = [onnx.helper.make_opsetid("", 17)]
    model.functions.append(onnx.helper.make_function("local", "noisy", ["a"], ["b"], nodes, imports))
    model.opset_import.append(onnx.helper.make_opsetid("local", 1))
    with pytest.raises(RefusedError, match="RandomNormalLike draws other numbers in every run"):
        load_ann(save(model, tmp_path / "m.onnx"))
    model = text_model(
        """m (float[N,4] x) => (float[N,4] y) <float[] LIMIT> {
          s = ReduceMax<keepdims = 0>(x)  c = Greater(s, LIMIT)
          y = If(c) <
            then_branch = g1 () => (float[N,4] b) { [noise] n = RandomNormalLike(x)  b = Add(x, n) },
            else_branch = g2 () => (float[N,4] d) { d = Relu(x) }
          > }"""
    )
    with pytest.raises(RefusedError, match="node 'noise': RandomNormalLike draws other numbers in every run"):
        load_ann(save(model, tmp_path / "m.onnx"))


def test_old_opset(tmp_path) -> None:
    model = text_model("m (float[N,4] x) => (float[N,4] y) { y = Relu(x) }", opset=6)
    with pytest.raises(RefusedError, match="opset 6 is older than 7"):
        load_ann(save(model, tmp_path / "m.onnx"))


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
