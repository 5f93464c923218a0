"""Weights out of a model and into it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from converter import convert
from converter.errors import RefusedError
from converter.io.weights import import_weights, weights_of
from snn_ops.ops import OPERATORS
from snn_ops.session import Session
from tests.models import convnet, mlp, samples, save


@pytest.fixture(scope="module")
def proto(tmp_path_factory) -> onnx.ModelProto:
    model = mlp()
    path = save(model, tmp_path_factory.mktemp("weights") / "m.onnx")
    return convert(path, samples(model), neuron="if", n_steps=8).proto()


def test_the_model_that_was_given_stays(proto) -> None:
    before = proto.SerializeToString()
    changed = import_weights(proto, {"W1": np.zeros((8, 16))})
    assert proto.SerializeToString() == before
    assert not weights_of(changed)["W1"].any()
    assert weights_of(changed)["W1"].dtype == np.float32


def test_measurements_go_and_the_rest_stays(proto) -> None:
    proto = onnx.ModelProto.FromString(proto.SerializeToString())
    entry = proto.metadata_props.add()
    entry.key, entry.value = "somebody's", "own"
    before = {entry.key: entry.value for entry in proto.metadata_props}
    after = {entry.key: entry.value for entry in import_weights(proto, weights_of(proto)).metadata_props}
    assert set(before) - set(after) == {"onnx_snn.layers", "onnx_snn.work"}
    assert after == {key: before[key] for key in after}


def test_nothing_is_refused(proto) -> None:
    with pytest.raises(RefusedError, match="it holds no arrays"):
        import_weights(proto, {})


def test_many_names_are_cut_short(proto) -> None:
    with pytest.raises(RefusedError, match=r"which the model does not have; the model has .* and [0-9]+ more"):
        import_weights(proto, {"W9": np.zeros(1)})


@pytest.mark.parametrize(
    "op_type", [name for name, operator in OPERATORS.items() if any(p.above_0 for p in operator.parameters)]
)
def test_what_an_operator_divides_by_must_be_above_0(op_type) -> None:
    """As the operator's declaration says."""
    operator = OPERATORS[op_type]
    names = [tensor.name for tensor in operator.inputs]
    tensors = [onnx.numpy_helper.from_array(np.ones(1, np.float32), name) for name in names]
    outputs = [tensor.name for tensor in operator.outputs]
    node = onnx.helper.make_node(op_type, names, outputs, domain="onnx_snn", **operator.defaults)
    proto = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [], tensors))
    divisors = {parameter.name for parameter in operator.parameters if parameter.above_0}
    for name in names[1:]:
        if name in weights_of(proto):
            if name in divisors:
                with pytest.raises(RefusedError, match="must be above 0"):
                    import_weights(proto, {name: np.zeros(1)})
            else:
                import_weights(proto, {name: np.zeros(1)})


STATES = {
    "each neuron": (6, 8, 8),
    "each neuron, with a batch axis": (1, 6, 8, 8),
    "each channel": (6, 1, 1),
    "each row": (8, 1),
    "all": (),
}


@pytest.fixture(scope="module", params=[False, True], ids=["file", "stream"])
def images(request, tmp_path_factory) -> onnx.ModelProto:
    model = convnet()
    path = save(model, tmp_path_factory.mktemp("images") / "m.onnx")
    options = {"neuron": "if", "method": "percentile", "correction": "none", "n_steps": 12}
    return convert(path, samples(model), streaming=request.param, **options).proto()


def state_of(proto: onnx.ModelProto, layer: str) -> str:
    """The name of its initial voltage."""
    node = next(node for node in proto.graph.node if node.name == layer)
    return str(node.input[[tensor.name for tensor in OPERATORS["IF"].inputs].index("voltage")])


@pytest.mark.parametrize("shape", STATES.values(), ids=list(STATES))
def test_voltages_before_the_first_step(images, shape) -> None:
    """For each neuron: the spikes are those of the reference that begins with them, and the file stays a valid one."""
    rng = np.random.default_rng(0)
    name, voltage = state_of(images, "second"), rng.uniform(0, 0.5, shape).astype(np.float32)
    changed = import_weights(images, {name: voltage})
    onnx.checker.check_model(changed, full_check=True)
    x, steps = samples(convnet(), 5, seed=3), 12
    node = next(node for node in changed.graph.node if node.name == "second")
    before = next(n.name for n in changed.graph.node if node.input[0] in n.output)
    session = Session(changed, batch_size=3)
    _, recording = session.run(x, n_steps=steps, record=["second", before])
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in changed.graph.initializer}
    given = [recording[before].reshape(-1, 6, 8, 8), steps, *(tensors[n] for n in node.input[2:])]
    given[3] = voltage
    version = next(entry.version for entry in changed.opset_import if entry.domain == "onnx_snn")
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    spikes = OPERATORS["IF"].at(version).run(*given, **attributes)[0]
    np.testing.assert_array_equal(recording["second"].reshape(spikes.shape), spikes)
    assert not np.array_equal(spikes, Session(images).run(x, n_steps=steps, record=["second"])[1]["second"])
    outputs = session.run(x, n_steps=steps)
    np.testing.assert_array_equal(Session(changed, backend="functions").run(x, n_steps=steps)[0], outputs[0])
    again = import_weights(changed, {name: np.zeros(()), **weights_of(images)})  # and back
    np.testing.assert_array_equal(Session(again).run(x)[0], Session(images).run(x)[0])
    if session.output_names != [output.name for output in changed.graph.output]:
        stream = session.stream()
        for n_steps in (5, 7):
            found = stream.run(x, n_steps)
            saved, stream = stream.save(), session.stream()
            stream.restore(saved)
        np.testing.assert_array_equal(found[0], outputs[0])


@pytest.mark.parametrize("shape", [(5,), (3, 8, 8), (2, 6, 8, 8), (1, 1, 6, 8, 8), (6, 8, 7)])
def test_voltages_of_other_neurons_are_refused(images, shape) -> None:
    name = state_of(images, "second")
    with pytest.raises(RefusedError) as error:
        import_weights(images, {name: np.zeros(shape)})
    assert str(error.value).startswith(
        f"{name!r} has the shape {list(shape)}, the neurons that begin with it [6, 8, 8]; "
    )


def test_voltages_of_each_neuron_in_nengo(images) -> None:
    pytest.importorskip("nengo")
    from converter.nengo.verify import verify  # noqa: PLC0415

    if Session(images).output_names != [output.name for output in images.graph.output]:
        pytest.skip("Nengo takes no model whose states are inputs")
    voltage = np.random.default_rng(0).uniform(0, 0.5, (6, 8, 8)).astype(np.float32)
    changed = import_weights(images, {state_of(images, layer): voltage for layer in ("first", "second")})
    found = verify(changed, {"x": samples(convnet(), 3)}, 20)
    assert found.differing == 0, found.first
    assert all(layer.spikes for layer in found.layers)
