"""Operators of which files of earlier releases hold an earlier version: both run beside each other."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from snn_ops.library import register
from snn_ops.ops import OPERATORS
from snn_ops.single import operator_model
from tests.ops.cases import CALLS, Shape, name_of, random_inputs
from tests.ops.provider import SingleOperator
from tests.snn_ops.test_releases import FOLDER, recorded

CHANGED = [name for name, operator in OPERATORS.items() if operator.earlier]
CALLS_OF_CHANGED = [call for call in CALLS if call[0] in CHANGED]


def earlier_inputs(op_type: str, element: type, seed: int = 0) -> list[np.ndarray]:
    inputs = random_inputs(op_type, Shape(40, 2, (3, 50)), element, np.random.default_rng(seed))
    return inputs[: len(OPERATORS[op_type].at(1).inputs)]


def test_what_changed() -> None:
    assert snn_ops.OPSET_VERSION == 2
    assert CHANGED == ["IF", "SigmaDelta", "RunningMean", "TimeMean"]
    for operator in OPERATORS.values():
        assert [version.since_version for version in operator.versions] == ([1, 2] if operator.earlier else [1])
        assert operator.at(2) is operator.at(3) is operator
        assert operator.at(1) is operator.versions[0]


@pytest.mark.parametrize("op_type", CHANGED)
def test_what_is_new_comes_last(op_type) -> None:
    """ONNX Runtime has one schema for both: a node of version 1 is one that ends earlier."""
    before, now = OPERATORS[op_type].versions
    for a, b in ((before.inputs, now.inputs), (before.outputs, now.outputs)):
        assert [t.name for t in a] == [t.name for t in b][: len(a)]
        assert len(a) < len(b)
    assert before.attributes == now.attributes


@pytest.mark.parametrize("element", [np.float32, np.float16, np.float64], ids=["float32", "float16", "float64"])
@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(("op_type", "attributes"), CALLS_OF_CHANGED, ids=map(name_of, CALLS_OF_CHANGED))
def test_version_1_is_what_it_was(op_type, attributes, backend, element) -> None:
    """In all types, to the last bit: the reference is that of release 0.1.0."""
    inputs = earlier_inputs(op_type, element)
    found = SingleOperator(op_type, backend=backend, version=1, **attributes)(*inputs)
    expected = OPERATORS[op_type].at(1).run(*inputs, **attributes)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("op_type", CHANGED)
def test_a_schema_for_each_version(op_type, version) -> None:
    model = operator_model(
        op_type,
        np.float32,
        [2, *[0] * (len(OPERATORS[op_type].at(version).inputs) - 1)],
        with_function=True,
        version=version,
    )
    onnx.checker.check_model(model, full_check=True)
    schema = onnx.defs.get_schema(op_type, version, snn_ops.DOMAIN)
    assert (schema.since_version, len(schema.inputs)) == (version, len(OPERATORS[op_type].at(version).inputs))
    model.opset_import[1].version = 3 - version  # of the other version it has too many inputs, or too few
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(model)


def test_both_in_one_process_and_one_session() -> None:
    """A sum of version 1 stops at 2^24; that of version 2 goes on. The library takes each node for what it is."""
    model = operator_model("TimeMean", np.float32, [2, 0, 0, 0], with_function=False, version=1)
    node = onnx.NodeProto()
    node.CopyFrom(model.graph.node[0])
    node.input[2] = "rest"
    node.input.append("sum")  # of which it makes its base
    node.output[:] = ["y_2", "sum_2", "step_2", "sum_base_out"]
    node.name = "second"
    model.graph.node.append(node)
    model.graph.input.append(onnx.helper.make_tensor_value_info("rest", onnx.TensorProto.FLOAT, []))
    for name in ("sum_2", "sum_base_out"):
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, None]))
    session = ort.InferenceSession(model.SerializeToString(), register(ort.SessionOptions()))
    feed = {"x": np.ones((100, 1)), "sum": 2**24, "rest": 0, "n_steps": 100, "step": 2**24}
    inputs = {
        i.name: np.asarray(feed[i.name], np.int64 if "int64" in i.type else np.float32) for i in session.get_inputs()
    }
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))
    assert found["sum_out"] == 2**24
    assert np.float64(found["sum_2"]) + found["sum_base_out"] == 2**24 + 100


def test_python_operators_run_files_of_both() -> None:
    expected = recorded("streaming")
    session = snn_ops.Session(FOLDER / "streaming.snn.onnx", backend="numpy")
    np.testing.assert_allclose(session.run(expected["x"])[0], expected["y_8"], atol=0.2)
