"""Converted networks spike in ONNX Runtime as they do in Nengo and NengoDL; and a planted difference is found."""

from __future__ import annotations

import importlib.util

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")

from converter import convert
from converter.errors import RefusedError
from converter.nengo.network import to_nengo
from converter.nengo.verify import verify
from tests.models import convnet, mlp, samples, save, text_model
from tests.nengo.models import delta_lenet5, images, lenet5

NEURONS = (
    ("if", "relu"),
    ("if-burst", "relu"),
    ("lif", "relu"),
    ("adaptive-lif", "relu"),
    ("izhikevich", "relu"),
    ("lif", "tanh"),
    ("sigma-delta", "tanh"),
)
IN_FLOAT32 = (("if", "relu"), ("if-burst", "relu"), ("lif", "relu"), ("adaptive-lif", "relu"))
"""Izhikevich neurons are chaotic: float32 parts from float32. Tanh targets of SigmaDelta round at ties."""
needs_nengo_dl = pytest.mark.skipif(importlib.util.find_spec("nengo_dl") is None, reason="NengoDL is not installed")


@pytest.mark.parametrize(("neuron", "activation"), NEURONS)
def test_float64_is_nengo_spike_for_spike(neuron, activation) -> None:
    found = verify(lenet5(neuron, activation), {"image": images(3)}, 40)
    assert found.differing == 0, found.first
    assert found.compared == 3 * 40 * 6508
    assert all(layer.spikes for layer in found.layers)
    assert found.output_error < 1e-9
    assert found.same_class == 1


@needs_nengo_dl
@pytest.mark.parametrize(
    ("count", "steps", "most"), [(10, 40, 1e-4), pytest.param(100, 100, 1e-5, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("neuron", "activation"), IN_FLOAT32)
def test_float32_is_nengo_dl(neuron, activation, count, steps, most) -> None:
    """A neuron that reaches its threshold to the last bit spikes in one of both, and what it drives follows it: in a short run
    one neuron may be all of the difference."""
    found = verify(lenet5(neuron, activation), {"image": images(count)}, steps, simulator="nengo-dl")
    assert found.original <= found.compared * 1e-5, found.first
    assert found.differing <= found.compared * most, found.first
    assert found.same_class == 1


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("steps", [3, 6])
def test_sums_of_the_delta_code(activation, schedule, steps) -> None:
    """The same after every step; in two phases, where one step is all, with fewer spikes than the file's too."""
    found = verify(delta_lenet5(schedule, activation), {"image": images(3)}, steps)
    assert found.differing == 0, found.first
    assert found.compared == 3 * (784 + 1176 + 400 + 120 + 84) * (steps if schedule == "stepped" else 1)
    assert all(0 < layer.spikes < layer.compared for layer in found.layers)
    assert found.output_error < 1e-9
    assert found.same_class == 1


@needs_nengo_dl
@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_sums_of_the_delta_code_in_nengo_dl(schedule) -> None:
    """A target in the middle of two heights, to the last bit, may send the one or the other."""
    found = verify(delta_lenet5(schedule), {"image": images(10)}, 6, simulator="nengo-dl")
    assert found.original <= 2, found.first
    assert found.differing <= found.compared * 1e-3, found.first
    assert found.same_class == 1


@pytest.mark.slow
@needs_nengo_dl
@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_sums_of_the_delta_code_of_100_images(activation, schedule) -> None:
    for simulator, most in (("nengo", 0), ("nengo-dl", 2e-5)):
        found = verify(delta_lenet5(schedule, activation), {"image": images(100)}, 8, simulator=simulator)
        assert found.original <= most * found.compared, found.first
        assert found.differing <= 10 * most * found.compared, found.first
        assert found.same_class == 1


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("options", [{"analog_input": True}, {"exact_skips": True}])
@pytest.mark.parametrize("model", [mlp, convnet])
def test_small_networks_of_the_delta_code(model, options, schedule, tmp_path) -> None:
    """A shortcut, poolings, a Softmax between and after the neurons."""
    made = model()
    x = samples(made)
    proto = convert(save(made, tmp_path / "m.onnx"), x, code="delta", schedule=schedule, **options).proto()
    found = verify(proto, {str(proto.graph.input[0].name): x[:5]}, 4)
    assert found.differing == 0, found.first
    assert found.output_error < 1e-12
    assert all(layer.spikes for layer in found.layers)


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_a_planted_difference_in_the_delta_code(schedule, tmp_path) -> None:
    """The finest height in one layer in Nengo is halved: what differs is as small as that."""
    x = samples(mlp())
    proto = convert(save(mlp(), tmp_path / "m.onnx"), x, code="delta", schedule=schedule).proto()
    altered = onnx.ModelProto()
    altered.CopyFrom(proto)
    tensor = next(t for t in altered.graph.initializer if t.name == "a1_finest_exponent")
    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) + 1, tensor.name))
    found = verify(proto, {"x": x[:9]}, 4, network=to_nengo(altered))
    assert [layer.differing > 0 for layer in found.layers] == [False, True, True]
    assert found.first.layer.startswith("a1")
    assert found.first.of_sums
    if schedule == "stepped":
        (_, after), (_, nengo_after) = found.first.onnx_voltage, found.first.nengo_voltage
        thresholds = next(onnx.numpy_helper.to_array(t) for t in proto.graph.initializer if t.name == "a1_threshold")
        threshold = float(np.broadcast_to(thresholds, (16,))[found.first.neuron])
        assert (nengo_after - after) * threshold == pytest.approx(found.first.nengo_spike - found.first.onnx_spike)


def test_other_types_than_float32(tmp_path) -> None:
    """Images as bytes, and models in float64, which NengoDL does not compute in."""
    model = text_model(
        """
        net (uint8[N,8] x) => (double[N,4] y)
        <double[8,16] W, double[16,4] V>
        {
          f = Cast<to = 11>(x)
          h = MatMul(f, W)
          [first] a = Relu(h)
          y = MatMul(a, V)
        }
        """
    )
    x = np.random.default_rng(0).integers(0, 256, (64, 8)).astype(np.uint8)
    proto = convert(save(model, tmp_path / "m.onnx"), x, code="rate").proto()
    found = verify(proto, {"x": x[:4]}, 16)
    assert found.differing == 0, found.first
    assert sum(layer.spikes for layer in found.layers) > 0
    with pytest.raises(RefusedError, match="it does not compute in float32, as NengoDL does"):
        verify(proto, {"x": x[:4]}, 16, simulator="nengo-dl")


def test_nodes_without_names(tmp_path) -> None:
    """They are called as their outputs, also in the float64 copy, and differences are located in them."""
    model = convnet()
    x = samples(model)
    proto = convert(save(model, tmp_path / "m.onnx"), x, code="rate").proto()
    altered = onnx.ModelProto()
    altered.CopyFrom(proto)
    for tensor in altered.graph.initializer:
        if tensor.name == "second_threshold":
            tensor.CopyFrom(onnx.numpy_helper.from_array(1.5 * onnx.numpy_helper.to_array(tensor), tensor.name))
    for node in (*proto.graph.node, *altered.graph.node):
        node.ClearField("name")
    found = verify(proto, {"x": x[:2]}, 8)
    assert found.differing == 0, found.first
    assert [layer.node for layer in found.layers] == ["a1", "a2"]
    located = verify(proto, {"x": x[:2]}, 8, network=to_nengo(altered)).first
    assert located.layer == "a2"
    assert located.onnx_voltage != located.nengo_voltage


@pytest.mark.parametrize("readout", ["window", "leaky"])
@pytest.mark.parametrize("neuron", ["if-burst", "lif"])
def test_a_stream_that_forgets(neuron, readout, tmp_path) -> None:
    """In float64 too, where what a window keeps is float64."""
    path, x = save(mlp(), tmp_path / "m.onnx"), samples(mlp())
    options = {"code": "rate", "neuron": neuron, "readout": readout, "streaming": True, "n_steps": 8}
    found = verify(convert(path, x, **options).proto(), {"x": x[:4]}, 12)
    assert found.differing == 0, found.first
    assert all(layer.spikes for layer in found.layers)
    assert found.output_error < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("neuron", "activation"), NEURONS)
def test_float64_100_steps_of_100_images(neuron, activation) -> None:
    found = verify(lenet5(neuron, activation), {"image": images(100)}, 100)
    assert found.differing == 0, found.first
    assert found.compared == 100 * 100 * 6508


def test_a_planted_difference_is_located() -> None:
    """One threshold in Nengo is a little higher: its neuron is the first to differ, and the voltages say why."""
    proto = lenet5("if")
    altered = onnx.ModelProto()
    altered.CopyFrom(proto)
    node = next(node for node in altered.graph.node if node.name == "node_relu_2")
    tensor = next(t for t in altered.graph.initializer if t.name == node.input[2])
    thresholds = onnx.numpy_helper.to_array(tensor).copy()
    spiking = verify(proto, {"image": images(1)}, 20)
    assert spiking.first is None
    thresholds[17] *= 1.5
    tensor.CopyFrom(onnx.numpy_helper.from_array(thresholds, tensor.name))
    found = verify(proto, {"image": images(8)}, 20, network=to_nengo(altered))
    assert found.first is not None
    assert (found.first.layer, found.first.neuron) == ("node_relu_2", (17,))
    assert found.first.onnx_spike == pytest.approx(thresholds[17] / 1.5)
    (before, after), (nengo_before, nengo_after) = found.first.onnx_voltage, found.first.nengo_voltage
    assert before is None if found.first.step == 0 else before == pytest.approx(nengo_before)
    assert nengo_after - after == pytest.approx(found.first.onnx_spike - found.first.nengo_spike)
    assert [layer.differing > 0 for layer in found.layers] == [False, False, True, True]
    originals = [layer.original for layer in found.layers]
    assert originals[:2] == [0, 0]
    assert 1 <= originals[2] <= 8  # one neuron in each image, where it spikes
    assert originals[3] == 0  # what follows has a cause
    assert found.outputs_differing
    assert np.isfinite(found.output_error)
    assert found.output_error > 1e-3
