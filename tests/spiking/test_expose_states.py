"""The state of a run as inputs and outputs of the model."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.graph.build import add_functions, to_proto
from converter.spiking.expose_states import expose_states
from converter.spiking.place_time import place_time
from snn_ops.format import Metadata
from snn_ops.ops import OPERATORS
from snn_ops.single import operator_model
from tests.models import mlp, samples, save, text_model
from tests.ops.provider import provider_of
from tests.spiking.neurons import spiking

BACKENDS = ("native", "functions")
QUICK = {"method": "percentile", "correction": "none"}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op_type", [name for name, o in OPERATORS.items() if len(o.outputs) > 1])
def test_every_operator_with_a_state(op_type, backend) -> None:
    """The pass on each operator by itself, also those that the converter does not place by default."""
    model = ir.from_proto(one_neuron_layer(op_type))
    add_functions(model)
    expose_states(model)
    proto = to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    session = snn_ops.Session(proto, backend=backend, provider=provider_of(backend))
    pairs = Metadata.read(model.metadata_props).states
    assert len(pairs) == len(OPERATORS[op_type].outputs) - 1
    assert any(i.name == "first_sample" for i in proto.graph.input) == (
        op_type in ("StochasticSpiking", "PoissonSpiking")
    )
    x = np.random.default_rng(0).uniform(0, 900 if "Spiking" in op_type else 3, (3, 7)).astype(np.float32)
    whole = session.stream()
    whole.run(x, 20)
    parts = session.stream()
    for steps in (1, 8, 11):
        parts.run(x, steps)
    for name, value in whole.save().items():
        np.testing.assert_array_equal(parts.save()[name], value)
    assert parts.save().keys() == {pair["input"] for pair in pairs}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op_type", ["StochasticSpiking", "PoissonSpiking"])
def test_random_neurons_do_not_depend_on_batches(op_type, backend) -> None:
    """Of samples and of steps: a session numbers its samples, several streams are told where they begin."""
    model = ir.from_proto(one_neuron_layer(op_type))
    add_functions(model)
    expose_states(model)
    proto = to_proto(model)
    x = np.random.default_rng(0).uniform(0, 900, (5, 7)).astype(np.float32)
    options = {"backend": backend, "provider": provider_of(backend), "n_steps": 1}
    (whole,) = snn_ops.Session(proto, batch_size=5, **options).run(x)
    for size in (1, 2, 3):
        session = snn_ops.Session(proto, batch_size=size, **options)
        np.testing.assert_array_equal(session.run(x)[0], whole)
    first, second = session.stream(), session.stream(first_sample=2)
    np.testing.assert_array_equal(np.concatenate([first.run(x[:2])[0], second.run(x[2:])[0]]), whole)


def one_neuron_layer(op_type: str) -> onnx.ModelProto:
    """x -> TimeRepeat or constant_current -> the operator."""
    constant = "constant_current" in OPERATORS[op_type].defaults
    attributes = {"constant_current": 1} if constant else {}
    if op_type == "IF":
        attributes["signed"] = 1
    operator = OPERATORS[op_type]
    single = operator_model(
        op_type, np.float32, [2, *(0 for _ in operator.inputs[1:])], with_function=False, **attributes
    )
    graph = single.graph

    def given(name: str) -> str:
        """An initialiser's name: as in a converted model, not the bare name of a state."""
        return name if name == "n_steps" else f"layer_{name}"

    first = operator.inputs[0].name
    for value in graph.input:
        if value.name == first:
            value.type.tensor_type.shape.dim[1].dim_value = 7
        else:
            kind = np.int64 if value.type.tensor_type.elem_type == onnx.TensorProto.INT64 else np.float32
            is_parameter = value.name in ("threshold", "amplitude", "scale", "n_steps")
            graph.initializer.append(
                onnx.numpy_helper.from_array(np.asarray(int(is_parameter), kind), given(value.name))
            )
    graph.node[0].input[1:] = [given(name) for name in graph.node[0].input[1:]]
    kept = [value for value in graph.input if value.name in (first, "n_steps")]
    del graph.input[:], graph.output[1:]
    graph.input.extend(kept)
    for name in [output.name for output in operator.outputs[1:]]:
        graph.node[0].output[list(graph.node[0].output).index(name)] = ""
    if not constant:
        graph.node[0].input[0] = "through_time"
        repeat = onnx.helper.make_node("TimeRepeat", [first, "n_steps"], ["through_time"], domain=snn_ops.DOMAIN)
        graph.node.insert(0, repeat)
    return single


def test_a_name_that_is_taken_is_refused(tmp_path) -> None:
    model = text_model(
        """m (float[N,6] step) => (float[N,3] y) <float[6,5] W, float[5,3] V> {
          h = MatMul(step, W)  r = Relu(h)  y = MatMul(r, V) }"""
    )
    path = save(model, tmp_path / "m.onnx")
    with pytest.raises(RefusedError, match="already has a value named 'step'"):
        convert(path, samples(model), streaming=True, neuron="if", **QUICK)


def test_what_is_reported() -> None:
    """Of an IF neuron that takes no spikes back, nothing depends on the net count. Bases go with their states."""
    made = spiking(
        "m (float[N,4] x) => (float[N,4] y) { [first] a = Relu(x)  b = Neg(a)  y = Identity(b) }", neuron="if"
    )
    place_time(made.model, made.n_steps, made.axes)
    add_functions(made.model)
    report = expose_states(made.model)
    assert report.changed == (
        "IF 'first': its voltage is the input 'first.voltage' and the output 'first.voltage_out'",
        "TimeMean 'a_TimeMean': its sum is the input 'a_TimeMean.sum' and the output 'a_TimeMean.sum_out'",
    )
    assert report.declined == ("IF 'first': nothing depends on its net_count, which stays inside",)
    pairs = Metadata.read(made.model.metadata_props).states
    assert [dict(pair) for pair in pairs] == [
        {"input": name, "output": f"{name}_out"}
        for name in ("first.voltage", "step", "first.voltage_base", "a_TimeMean.sum", "a_TimeMean.sum_base")
    ]
    signed = spiking("m (float[N,4] x) => (float[N,4] y) { [first] a = Relu(x)  y = Neg(a) }", neuron="if-signed")
    place_time(signed.model, signed.n_steps, signed.axes)
    assert not expose_states(signed.model).declined


@pytest.mark.parametrize("long_streams", [False, True])
def test_sums_have_bases(long_streams, tmp_path) -> None:
    """By default; a file without streaming has none. Before anything is rebased, both give the same bits."""
    model = mlp("Tanh")
    path, x = save(model, tmp_path / "m.onnx"), samples(model)
    options = {"neuron": "if", "method": "percentile", "correction": "none"}
    proto = convert(path, x, streaming=True, long_streams=long_streams, **{"code": "rate", **options}).proto()
    (version,) = [opset.version for opset in proto.opset_import if opset.domain == snn_ops.DOMAIN]
    assert version == (2 if long_streams else 1)
    states = [value.name for value in proto.graph.input if value.name.endswith("_base")]
    assert bool(states) == long_streams
    stream = snn_ops.Session(proto).stream()
    stream.run(x, 3)
    plain = convert(path, x, **{"code": "rate", **options}).proto()
    assert [opset.version for opset in plain.opset_import if opset.domain == snn_ops.DOMAIN] == [1]
    np.testing.assert_array_equal(stream.run(x, 61)[0], snn_ops.Session(plain).run(x, n_steps=64)[0])


@pytest.mark.parametrize("long_streams", [False, True])
def test_states_that_decay_become_0(long_streams, tmp_path) -> None:
    """A stream at rest keeps its speed. Release 0.1.0 does not know the attribute."""
    model = mlp("Relu")
    path = save(model, tmp_path / "m.onnx")
    proto = convert(path, samples(model), streaming=True, neuron="lif", long_streams=long_streams, **QUICK).proto()
    nodes = [node for node in proto.graph.node if node.op_type == "LIF"]
    assert nodes
    for node in nodes:
        (smallest,) = [attribute.f for attribute in node.attribute if attribute.name == "smallest"]
        assert smallest == (pytest.approx(1e-30) if long_streams else 0)
