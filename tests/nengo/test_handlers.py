"""What each operator is in Nengo computes what the model computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")


from converter import RefusedError, convert
from converter.nengo.export import make_script
from converter.nengo.network import to_nengo
from converter.nengo.simulator import CoreSimulator
from converter.nengo.verify import verify
from snn_ops import Session
from tests.models import mlp, samples, save, scaled_gemms, text_model
from tests.nengo.models import OPERATIONS, operation

LAYERS = {
    "Conv, uneven pads": "z = Conv<pads = [0, 1, 2, 1], strides = [2, 1]>(a, K, C)",
    "Conv, groups": "z = Conv<group = 2, pads = [1, 1, 1, 1]>(a, G)",
    "Conv, SAME_LOWER": 'z = Conv<auto_pad = "SAME_LOWER", strides = [2, 2]>(a, K)',
    "ConvTranspose": "z = ConvTranspose<strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]>(a, T, C)",
    "ConvTranspose, SAME_UPPER": 'z = ConvTranspose<strides = [2, 2], auto_pad = "SAME_UPPER">(a, T, C)',
    "ConvTranspose, SAME_LOWER": 'z = ConvTranspose<strides = [2, 2], auto_pad = "SAME_LOWER">(a, T, C)',
    "ConvTranspose, shape": "z = ConvTranspose<strides = [2, 2], output_shape = [12, 10]>(a, T, C)",
    "ConvTranspose, valid": "z = ConvTranspose<strides = [3, 2]>(a, T)",
    "AveragePool, pads": "z = AveragePool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(a)",
    "AveragePool, pads counted": (
        "z = AveragePool<kernel_shape = [3, 2], strides = [1, 2], pads = [1, 1, 1, 0], count_include_pad = 1>(a)"
    ),
    "AveragePool, ceil": "z = AveragePool<kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1>(a)",
    "GlobalAveragePool": "z = GlobalAveragePool(a)",
    "ReduceMean": "z = ReduceMean(a, AXES)",
    "MaxPool": "m = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 0, 0]>(a)\n z = Mul(m, W)",
    "GlobalMaxPool": "z = GlobalMaxPool(a)",
    "BatchNormalization": "m = MaxPool<kernel_shape = [2, 2]>(a)\n z = BatchNormalization(m, V, D, D, V)",
    "Transpose": "z = Transpose<perm = [0, 2, 3, 1]>(a)",
    "Pad": "z = Pad(a, PADS)",
    "Slice": "z = Slice(a, START, END, AXES2)",
    "Concat": "n = Neg(a)\n z = Concat<axis = 2>(a, n)",
    "Concat of the same": "n = Neg(a)\n z = Concat<axis = 1>(a, n, a)",
    "Split": "b, c = Split<axis = 1, num_outputs = 2>(a)\n z = Sub(b, c)",
    "DepthToSpace": "z = DepthToSpace<blocksize = 2>(a)",
    "Gather": "z = Gather<axis = 1>(a, INDEX)",
    "Add, broadcast": "p = GlobalAveragePool(a)\n z = Add(a, p)",
    "Mul, factors": "z = Mul(a, W)",
    "Mul, factors of one sample": "z = Mul(a, W1)",
    "Div": "z = Div(a, W)",
    "Div, factors of one sample": "z = Div(a, W1)",
    "Add, a sample": "z = Add(W1, a)",
    "Sub, constant": "z = Sub(a, W)",
    "Mul of signals": "s = Sigmoid(a)\n z = Mul(a, s)",
    "MatMul, positions": "z = MatMul(a, M)",
    **{
        name: f"z = {name}(a)"
        for name in ("Tanh", "Sigmoid", "Elu", "LeakyRelu", "Softplus", "HardSigmoid", "HardSwish", "Gelu", "Exp")
    },
}
"""What follows a neuron, [4, 6, 5]."""
NOT_IN_FLOAT64 = ("Softplus", "HardSigmoid", "HardSwish", "Gelu")
"""Operators that ONNX Runtime has for float32 only."""


def layer_model(layer: str) -> onnx.ModelProto:
    return text_model(
        f"""
        net (float[N,2,6,5] x) => (float[N,q] y)
        <float[4,2,3,3] W0, float[3,4,3,3] K, float[4,2,3,3] G, float[4,3,3,3] T, float[3] C, float[4] D, float[4] V,
         float[4,1,1] W, float[1,4,1,1] W1, float[5,7] M, int64[1] AXES, int64[8] PADS, int64[2] START, int64[2] END,
         int64[2] AXES2, int64[3] INDEX, int64[2] FLAT>
        {{
          h = Conv<pads = [1, 1, 1, 1]>(x, W0)
          a = Relu(h)
          {layer}
          [last] r = Relu(z)
          y = Reshape(r, FLAT)
        }}
        """,
        opset=20,
        C=np.linspace(-0.5, 0.5, 3),
        D=np.linspace(-0.5, 0.5, 4),
        V=np.linspace(0.5, 1.5, 4),
        W=np.asarray([0.5, -1, 2, 1.5]),
        W1=np.asarray([0.3, -0.7, 1.1, 2.3]),
        AXES=np.asarray([2]),
        PADS=np.asarray([0, 0, 1, 0, 0, 0, 2, 1]),
        START=np.asarray([1, 0]),
        END=np.asarray([3, 2]),
        AXES2=np.asarray([1, 3]),
        INDEX=np.asarray([3, 0, 3]),
        FLAT=np.asarray([0, -1]),
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer(layer, tmp_path) -> None:
    model = layer_model(LAYERS[layer])
    path = save(model, tmp_path / "m.onnx")
    x = samples(model)
    proto = convert(path, x, n_steps=8, code="rate").proto()
    network = to_nengo(proto)
    (expected,) = Session(proto, n_steps=12).run(x[:4])
    with CoreSimulator(network) as simulator:
        outputs, _ = simulator.run({"x": x[:4]}, 12)
    scale = np.abs(expected).max()
    assert scale > 0
    # one spike more or less of one neuron is the price of float32 against float64
    off = np.abs(outputs["y"][:, -1] - expected) > 1e-4 * scale
    assert off.mean() < 0.01
    if layer in NOT_IN_FLOAT64:
        with pytest.raises(
            RefusedError, match=r"not find an implementation for .*; compare in float32: --simulator nengo-dl"
        ):
            verify(proto, {"x": x[:2]}, 12)
        return
    found = verify(proto, {"x": x[:2]}, 12)
    assert found.differing == 0, found.first
    assert found.output_error < 1e-9


@pytest.mark.parametrize("bias", ["float[4] C", "float[1,4] C", "float[1] C", "float[1,1] C", "float[] C"])
def test_gemm_with_factors(bias, tmp_path) -> None:
    """alpha and beta, and every shape of a bias, against ONNX Runtime in float64."""
    model = scaled_gemms(bias)
    x = samples(model)
    proto = convert(save(model, tmp_path / "m.onnx"), x, code="rate").proto()
    found = verify(proto, {"x": x[:4]}, 16)
    assert found.differing == 0, found.first
    assert found.output_error < 1e-12
    assert sorted(make_script(proto).parameters) == ["B", "C", "V", "W"]


def test_gemm_adds_a_signal(tmp_path) -> None:
    model = text_model(
        """
        net (float[N,8] x) => (float[N,6] y)
        <float[8,6] W, float[6,6] V>
        {
          h = Gemm(x, W)
          [first] a = Relu(h)
          y = Gemm<beta = 0.5>(a, V, a)
        }
        """
    )
    x = samples(model)
    proto = convert(save(model, tmp_path / "m.onnx"), x, code="rate").proto()
    found = verify(proto, {"x": x[:4]}, 16)
    assert found.differing == 0, found.first
    assert found.output_error < 1e-12


@pytest.mark.parametrize("case", OPERATIONS)
def test_operators_by_themselves(case) -> None:
    model, x, steps = operation(case, np.float64)
    (expected,) = Session(model).run_batch({"x": x}, steps)
    with CoreSimulator(to_nengo(model)) as simulator:
        outputs, _ = simulator.run({"x": x}, steps)
    assert expected.any()
    found, scale = outputs["y"].swapaxes(0, 1).reshape(expected.shape), np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * scale)


def test_layers_without_counterpart_are_refused(tmp_path) -> None:
    model = layer_model("z = Conv<dilations = [2, 2]>(a, K)")
    proto = convert(save(model, tmp_path / "m.onnx"), samples(model), code="rate").proto()
    with pytest.raises(RefusedError, match=r"node 'z': Conv: Nengo has no dilated convolution"):
        make_script(proto)
    with pytest.raises(RefusedError, match="not a spiking model"):
        make_script(model)


def test_looking_up_numbers_is_refused(tmp_path) -> None:
    model = text_model(
        """
        net (int64[N,3] x) => (float[N,2] y)
        <float[9,4] E, int64[2] S, float[12,6] W, float[6,2] V>
        {
          [table] e = Gather(E, x)
          f = Reshape(e, S)
          h = MatMul(f, W)
          [first] a = Relu(h)
          y = MatMul(a, V)
        }
        """,
        S=np.asarray([0, 12]),
    )
    x = np.random.default_rng(0).integers(0, 9, (40, 3))
    proto = convert(save(model, tmp_path / "m.onnx"), x, code="rate").proto()
    with pytest.raises(
        RefusedError, match=r"node 'table': Gather: 'E' is a constant; only values that depend on the input"
    ):
        make_script(proto)


def test_what_the_delta_code_leaves_without_a_counterpart_is_refused(tmp_path) -> None:
    """Functions stand between its neurons as they are; with the rate code IF takes the place of this one."""
    model = text_model(
        """
        net (float[N,8] x) => (float[N,4] y)
        <float[8,16] W, float[16,4] V, float[1] ZERO>
        {
          h = MatMul(x, W)
          [largest] a = Max(h, ZERO)
          y = MatMul(a, V)
        }
        """,
        ZERO=np.zeros(1),
    )
    path, x = save(model, tmp_path / "m.onnx"), samples(model)
    with pytest.raises(
        RefusedError, match=r"node 'largest': Max has no counterpart in Nengo; with --code rate a neuron may take its"
    ):
        make_script(convert(path, x, code="delta").proto())
    assert make_script(convert(path, x, code="rate").proto()).populations


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_nengos_own_neurons_have_no_delta_code(schedule, tmp_path) -> None:
    proto = convert(save(mlp(), tmp_path / "m.onnx"), samples(mlp()), code="delta", schedule=schedule).proto()
    with pytest.raises(RefusedError, match=r"node 'x_Multi.*no neuron of the delta code; convert with --code rate"):
        make_script(proto, core_neurons=True)
    assert make_script(proto).populations
