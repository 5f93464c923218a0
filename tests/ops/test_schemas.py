"""Schemas: the checker knows the operators, and shapes are inferred through them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from snn_ops.library import register
from snn_ops.ops import OPERATORS, Kind
from snn_ops.single import operator_model


def model_of(op_type: str, *, with_function: bool = False, element=np.float32) -> onnx.ModelProto:
    ranks = [3] + [0] * (len(OPERATORS[op_type].inputs) - 1)
    return operator_model(op_type, element, ranks, with_function=with_function)


@pytest.mark.parametrize("with_function", [False, True])
@pytest.mark.parametrize("op_type", OPERATORS)
def test_checker_accepts(op_type, with_function) -> None:
    onnx.checker.check_model(model_of(op_type, with_function=with_function), full_check=True)


@pytest.mark.parametrize("op_type", [name for name, op in OPERATORS.items() if op.attributes])
def test_checker_names_a_misspelt_attribute(op_type) -> None:
    model = model_of(op_type)
    model.graph.node[0].attribute[0].name += "x"
    with pytest.raises(
        onnx.checker.ValidationError, match=f"Unrecognized attribute: {model.graph.node[0].attribute[0].name}"
    ):
        onnx.checker.check_model(model)


@pytest.mark.parametrize("op_type", OPERATORS)
def test_reference_names_a_misspelt_attribute(op_type) -> None:
    with pytest.raises(TypeError, match="has no attribute 'tau_rcc'"):
        OPERATORS[op_type].run(tau_rcc=1.0)


@pytest.mark.parametrize(("element", "state"), [(np.float16, "FLOAT"), (np.float32, "FLOAT"), (np.float64, "DOUBLE")])
def test_onnx_infers_shapes_and_types(element, state) -> None:
    model = operator_model("LIF", element, [3, 0, 0, 0, 0], with_function=False, constant_current=0)
    for value, dim in zip(model.graph.input[0].type.tensor_type.shape.dim, ("rows", 5, 7), strict=False):
        value.dim_param, value.dim_value = (dim, 0) if isinstance(dim, str) else ("", dim)
    for dim, length in zip(model.graph.input[0].type.tensor_type.shape.dim, ("rows", 5, 7), strict=True):
        dim.Clear()
        if isinstance(length, str):
            dim.dim_param = length
        else:
            dim.dim_value = length
    names = [output.name for output in model.graph.output]
    del model.graph.output[:]
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    found = {value.name: value.type.tensor_type for value in inferred.graph.value_info}
    spikes, voltage = found[names[0]], found[names[1]]
    assert [d.dim_param or d.dim_value for d in spikes.shape.dim] == ["rows", 5, 7]
    assert spikes.elem_type == onnx.helper.np_dtype_to_tensor_dtype(np.dtype(element))
    assert [d.dim_value for d in voltage.shape.dim[1:]] == [5, 7]
    assert voltage.elem_type == getattr(onnx.TensorProto, state)


@pytest.mark.parametrize("op_type", OPERATORS)
def test_onnxruntime_infers_rank_and_type(op_type) -> None:
    """With the outputs' declared shapes removed, ONNX Runtime finds them by the library's own inference."""
    if len(OPERATORS[op_type].outputs) > 1 and tuple(map(int, ort.__version__.split(".")[:2])) < (1, 28):
        pytest.skip("before ONNX Runtime 1.28 a library cannot infer outputs that a node may leave out")
    model = model_of(op_type)
    for output in model.graph.output:
        output.type.Clear()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(register(options) and model.SerializeToString(), options)
    for output, tensor in zip(session.get_outputs(), OPERATORS[op_type].outputs, strict=True):
        assert output.type == ("tensor(int64)" if tensor.kind is Kind.INTEGER else "tensor(float)")
        assert len(output.shape) == (0 if tensor.kind is Kind.INTEGER else 3)


def test_attribute_defaults_match_the_native_library() -> None:
    """A node without attributes computes what one with the documented defaults computes."""
    rng = np.random.default_rng(0)
    for op_type in ("IF", "LIF", "SigmaDelta"):
        explicit = operator_model(op_type, np.float32, [2, 0, 0, 0, 0], with_function=False)
        bare = onnx.ModelProto()
        bare.CopyFrom(explicit)
        del bare.graph.node[0].attribute[:]
        feed = {"n_steps": np.asarray(8)}
        for tensor in OPERATORS[op_type].inputs:
            if tensor.kind is Kind.CURRENT:
                feed[tensor.name] = rng.uniform(-1, 4, (40, 6)).astype(np.float32)
            elif tensor.name not in feed:
                number = 0 if tensor.kind is Kind.INTEGER else 0.5
                feed[tensor.name] = np.asarray(number, tensor.kind.dtype(np.float32))
        results = [
            ort.InferenceSession(model.SerializeToString(), register(ort.SessionOptions())).run(None, feed)
            for model in (explicit, bare)
        ]
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)
