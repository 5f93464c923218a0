"""A network that spikes already is told from one with ordinary activations."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from converter.errors import RefusedError
from converter.normalise.ann import load_ann
from tests.models import batchnorm_net, convnet, mlp, save, scaled_gemms, text_model

STEPS = 3
NUMBERS = "float[] BETA, float[] THRESHOLD, float[] ONE, float[] NOUGHT, float[] LEVEL"
VALUES = {"BETA": 0.9, "THRESHOLD": 1.0, "ONE": 1.0, "NOUGHT": 0.0, "LEVEL": 0.5}
NEURONS = {
    "reset before the step": """  {p}w_{t} = Sub({v}, THRESHOLD)  {p}c_{t} = Greater({p}w_{t}, NOUGHT)
      {p}r_{t} = Cast<to = 1>({p}c_{t})  {p}d_{t} = Mul({v}, BETA)  {p}e_{t} = Add({p}d_{t}, {i})
      {p}f_{t} = Mul({p}r_{t}, THRESHOLD)  {p}v_{t} = Sub({p}e_{t}, {p}f_{t})  {p}m_{t} = Sub({p}v_{t}, THRESHOLD)
      {p}g_{t} = Greater({p}m_{t}, NOUGHT)  {p}s_{t} = Cast<to = 1>({p}g_{t})""",
    "reset by subtraction": """  {p}d_{t} = Mul({v}, BETA)  {p}e_{t} = Add({p}d_{t}, {i})
      {p}g_{t} = GreaterOrEqual({p}e_{t}, THRESHOLD)  {p}s_{t} = Cast<to = 1>({p}g_{t})
      {p}f_{t} = Mul({p}s_{t}, THRESHOLD)  {p}v_{t} = Sub({p}e_{t}, {p}f_{t})""",
    "reset to 0": """  {p}d_{t} = Mul({v}, BETA)  {p}e_{t} = Add({p}d_{t}, {i})
      {p}g_{t} = Less(THRESHOLD, {p}e_{t})
      {p}s_{t} = Where({p}g_{t}, ONE, NOUGHT)  {p}v_{t} = Where({p}g_{t}, NOUGHT, {p}e_{t})""",
    "reset by a factor": """  {p}d_{t} = Sub({i}, {v})  {p}h_{t} = Mul({p}d_{t}, BETA)  {p}e_{t} = Add({v}, {p}h_{t})
      {p}g_{t} = Greater({p}e_{t}, THRESHOLD)  {p}s_{t} = Cast<to = 1>({p}g_{t})
      {p}f_{t} = Sub(ONE, {p}s_{t})  {p}v_{t} = Mul({p}f_{t}, {p}e_{t})""",
}
"""A step of a neuron {p} with the current {i} and the potential {v}: spikes {p}s_{t}, potential {p}v_{t}."""


def step(name: str, prefix: str, t: int, current: str, potential: str) -> str:
    return NEURONS[name].format(p=prefix, t=t, i=current, v=potential)


def unrolled(name: str) -> str:
    """Two layers, each step written out; the answer is the mean of the last layer's spikes."""
    text = "a = MatMul(x, W)  zero = Mul(a, NOUGHT)  z = MatMul(zero, V)  "
    potentials = "zero", "z"
    for t in range(STEPS):
        text += step(name, "one_", t, "a", potentials[0]) + f"  b_{t} = MatMul(one_s_{t}, V)  "
        text += step(name, "two_", t, f"b_{t}", potentials[1])
        potentials = f"one_v_{t}", f"two_v_{t}"
    return f"{text}  y = Mean({', '.join(f'two_s_{t}' for t in range(STEPS))})"


def with_its_states(name: str) -> onnx.ModelProto:
    """One step, which takes the potential and gives it back."""
    text = f"a = MatMul(x, W)  {step(name, '', 0, 'a', 'v')}  y = MatMul(s_0, V)"
    return model(
        f"m (float[N,8] x, float[N,6] v) => (float[N,4] y, float[N,6] v_0) <float[8,6] W, float[6,4] V, {NUMBERS}>",
        text,
    )


def steps_of(body: str) -> str:
    """Currents for each step, potentials of 0, and a body that is run for each."""
    return f"""a = MatMul(x, W)  z = ReduceSum<keepdims = 0>(a, AXIS)  last, s = {body}  y = MatMul(s, V)"""


SEQUENCE = (
    f"m (float[T,N,8] x) => (float[T,N,4] y) <float[8,6] W, float[6,4] V, int64[1] AXIS, int64[] COUNT, {NUMBERS}>"
)


def in_a_scan(name: str) -> onnx.ModelProto:
    """The body of a Scan; the weights are outside."""
    body = f"step (float[N,6] v, float[N,6] i) => (float[N,6] v_0, float[N,6] s_0) {{ {step(name, '', 0, 'i', 'v')} }}"
    return model(SEQUENCE, steps_of(f"Scan<num_scan_inputs = 1, body = {body}>(z, a)"))


def in_a_loop(name: str) -> onnx.ModelProto:
    """The body of a Loop, which reads its currents from outside."""
    body = f"""step (int64 n, bool on, float[N,6] v) => (bool on_0, float[N,6] v_0, float[N,6] s_0) {{
      on_0 = Identity(on)  i = Gather<axis = 0>(a, n)  {step(name, "", 0, "i", "v")} }}"""
    return model(SEQUENCE, steps_of(f"Loop<body = {body}>(COUNT, , z)"))


def model(head: str, text: str) -> onnx.ModelProto:
    numbers = {name: np.asarray(value) for name, value in VALUES.items()}
    return text_model(f"{head} {{ {text} }}", AXIS=np.zeros(1), COUNT=np.asarray(STEPS), **numbers)


MAKE = {
    "unrolled": lambda name: model(
        f"m (float[N,8] x) => (float[N,4] y) <float[8,6] W, float[6,4] V, {NUMBERS}>", unrolled(name)
    ),
    "with its states": with_its_states,
    "in a Scan": in_a_scan,
    "in a Loop": in_a_loop,
}


@pytest.mark.parametrize("made", MAKE)
@pytest.mark.parametrize("name", NEURONS)
def test_a_spiking_network_is_told(name, made, tmp_path) -> None:
    path = save(MAKE[made](name), tmp_path / "m.onnx")
    with pytest.raises(RefusedError) as refused:
        load_ann(path)
    message = str(refused.value)
    assert "this is a spiking network already. Run it as it is" in message and "\n" not in message
    assert "such as Relu" in message and path in message and "node '" in message


ORDINARY = {
    "Relu as a product": "h = MatMul(x, W)  c = Greater(h, NOUGHT)  f = Cast<to = 1>(c)  a = Mul(h, f)  y = MatMul(a, V)",
    "LeakyRelu as Where": "h = MatMul(x, W)  c = Greater(h, NOUGHT)  l = Mul(h, BETA)  a = Where(c, h, l)  y = MatMul(a, V)",
    "a binary network": """h = MatMul(x, W)  c = Greater(h, NOUGHT)  f = Cast<to = 1>(c)  g = MatMul(f, U)  d = Greater(g, ONE)
      a = Cast<to = 1>(d)  k = MatMul(a, V)  y = Relu(k)""",
    "a binary network with skips": """h = MatMul(x, W)  c = Greater(h, NOUGHT)  f = Cast<to = 1>(c)  g = MatMul(f, U)
      k = Add(g, h)  d = Greater(k, NOUGHT)  a = Cast<to = 1>(d)  y = MatMul(a, V)""",
    "levels of a quantised value": """h = MatMul(x, W)  c = Greater(h, NOUGHT)  d = Greater(h, LEVEL)  e = Greater(h, ONE)
      i = Cast<to = 1>(c)  j = Cast<to = 1>(d)  k = Cast<to = 1>(e)  a = Sum(i, j, k)  y = MatMul(a, V)""",
    "pieces, one after the other": """h = MatMul(x, W)  c = Greater(h, NOUGHT)  f = Cast<to = 1>(c)  a = Mul(h, f)
      d = Greater(a, ONE)  g = Cast<to = 1>(d)  n = Sub(ONE, g)  b = Mul(a, n)  s = Add(b, g)  y = MatMul(s, V)""",
    "a mask beside what it masks": """c = Greater(x, NOUGHT)  f = Cast<to = 1>(c)  h = Mul(x, f)  a = MatMul(h, W)  r = Relu(a)
      m = MatMul(f, W)  s = Add(r, m)  y = MatMul(s, V)""",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_network_is_none(name, tmp_path) -> None:
    head = f"m (float[N,8] x) => (float[N,4] y) <float[8,6] W, float[6,6] U, float[6,4] V, {NUMBERS}>"
    load_ann(save(model(head, ORDINARY[name]), tmp_path / "m.onnx"))


@pytest.mark.parametrize("make", [mlp, convnet, batchnorm_net, scaled_gemms])
def test_the_models_of_other_tests_are_none(make, tmp_path) -> None:
    load_ann(save(make(), tmp_path / "m.onnx"))


def test_a_recurrence_written_as_a_scan_is_none(tmp_path) -> None:
    """Its state is a Relu written with a comparison."""
    body = """step (float[N,6] v, float[N,6] i) => (float[N,6] n, float[N,6] o) {
      u = Add(v, i)  c = Greater(u, NOUGHT)  f = Cast<to = 1>(c)  n = Mul(u, f)  o = Identity(n) }"""
    load_ann(save(model(SEQUENCE, steps_of(f"Scan<num_scan_inputs = 1, body = {body}>(z, a)")), tmp_path / "m.onnx"))
