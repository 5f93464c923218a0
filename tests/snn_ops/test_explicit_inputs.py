"""``convert --explicit-inputs``: no input has a default, and everything gives the bits of the file whose inputs have them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from snn_ops.explicit_inputs import has_explicit_inputs, with_defaults, with_explicit_inputs
from snn_ops.format import PREFIX, FormatError, Metadata
from tests.models import mlp, samples, save, text_model

PAGE = Path(__file__).parents[2] / "docs" / "other-languages.md"
CASES = {
    "delta stream": {"code": "delta", "n_steps": 4, "streaming": True},
    "delta": {"code": "delta", "n_steps": 4},
    "if-signed stream": {
        "neuron": "if-signed",
        "n_steps": 8,
        "streaming": True,
        "method": "mse",
        "correction": "potential",
    },
    "lif stream": {"neuron": "lif", "n_steps": 8, "streaming": True, "long_streams": False},
    "window": {"neuron": "if", "n_steps": 8, "streaming": True, "readout": "window"},
    "two-phase": {"neuron": "few-spike", "n_steps": 4},
}
RANDOM = """
random (float[batch,3] x, int64 n_steps, int64 first_sample) => (float[batch,3] y)
<float[] T, float[] Z, int64[] n_steps, int64[] first_sample, int64[] step>
{
  [layer] s = onnx_snn.PoissonSpiking<seed = 3, dt = 0.001, constant_current = 1>(x, n_steps, T, step, first_sample)
  y, "", "" = onnx_snn.TimeMean(s, n_steps, Z, step)
}
"""


@pytest.fixture(scope="module", params=list(CASES))
def both(request, tmp_path_factory) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """A model whose inputs have no defaults, and the same with them."""
    path = save(mlp("Tanh" if "delta" in request.param else "Relu"), tmp_path_factory.mktemp("explicit") / "m.onnx")
    explicit, usual = (
        convert(path, samples(mlp()), explicit_inputs=flag, **CASES[request.param]).proto() for flag in (True, False)
    )
    return explicit, usual


def sessions(both, **options) -> list[snn_ops.Session]:
    return [snn_ops.Session(model, **options) for model in both]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def test_no_input_has_a_default(both) -> None:
    explicit, usual = both
    plain, optional = (
        ort.InferenceSession(m.SerializeToString(), snn_ops.register(ort.SessionOptions())) for m in both
    )
    assert not plain.get_overridable_initializers()
    names = {i.name for i in optional.get_overridable_initializers()}
    assert "n_steps" in names
    assert {i.name for i in plain.get_inputs()} == {"x"} | names
    assert has_explicit_inputs(explicit) and not has_explicit_inputs(usual)


@pytest.mark.parametrize("backend", ["native", "functions"])
def test_runs_have_the_same_bits(both, backend) -> None:
    x = samples(mlp(), 11)
    a, b = sessions(both, backend=backend, batch_size=4)
    assert (a.input_names, a.output_names, a.n_steps) == (b.input_names, b.output_names, b.n_steps)
    for steps in (None, 3):
        same(a.run(x, n_steps=steps), b.run(x, n_steps=steps))
    same(a.run_batch({"x": x}, 5), b.run_batch({"x": x}, 5))
    same(pickle.loads(pickle.dumps(a)).run(x), b.run(x))


def test_streams_have_the_same_bits(both, monkeypatch) -> None:
    x = samples(mlp(), 6)
    a, b = sessions(both)
    if not Metadata.read({p.key: p.value for p in both[0].metadata_props}).states:
        with pytest.raises(ValueError, match="convert --streaming"):
            a.stream()
        return
    monkeypatch.setattr(snn_ops.Session, "rows", 12)  # of 5 steps in one call, several chunks
    streams = [session.stream() for session in (a, b)]
    for steps, array in ((1, x), (5, x[::-1].copy()), (2, x)):
        same(*(stream.run(array, steps) for stream in streams))
    saved, expected = (stream.save() for stream in streams)
    assert saved.keys() == expected.keys()
    same(list(saved.values()), list(expected.values()))
    again = a.stream()
    again.restore(saved)
    same(again.run(x, 3), streams[1].run(x, 3))
    streams[0].reset()
    same(streams[0].run(x[:2], 4), b.stream().run(x[:2], 4))
    same(a.run_sequence(np.stack([x, -x]), n_steps=2), b.run_sequence(np.stack([x, -x]), n_steps=2))


def test_recordings_have_the_same_bits(both) -> None:
    x = samples(mlp(), 5)
    found = [session.run(x, n_steps=4, record=["first"]) for session in sessions(both, batch_size=2)]
    same(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1]["first"], found[1][1]["first"])


def test_the_first_sample_is_fed() -> None:
    """Random numbers depend on the sample, not on its batch."""
    zero = np.zeros((), np.int64)
    model = text_model(
        RANDOM, opset=18, T=np.ones(()), Z=np.zeros(()), n_steps=np.asarray(7), first_sample=zero, step=zero
    )
    model.opset_import.append(onnx.helper.make_opsetid("onnx_snn", 1))
    model.ir_version = 9
    onnx.helper.set_model_props(model, {f"{PREFIX}n_steps": "7"})
    explicit = with_explicit_inputs(model)
    x = np.random.default_rng(0).uniform(0, 3, (9, 3)).astype(np.float32)
    assert not ort.InferenceSession(
        explicit.SerializeToString(), snn_ops.register(ort.SessionOptions())
    ).get_overridable_initializers()
    same(snn_ops.Session(explicit, batch_size=2).run(x), snn_ops.Session(model).run(x))


def test_there_and_back(both) -> None:
    """The defaults come back to the last bit, of every type; a model without them stays."""
    explicit, usual = both
    back = with_defaults(explicit)
    assert not has_explicit_inputs(back)
    found, expected = ({t.name: t for t in m.graph.initializer} for m in (back, usual))
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        a, b = onnx.numpy_helper.to_array(tensor), onnx.numpy_helper.to_array(expected[name])
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    assert with_explicit_inputs(explicit) == explicit
    assert with_defaults(usual) == usual


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_numbers_of_any_type_come_back(dtype) -> None:
    array = (np.random.default_rng(0).normal(size=(1, 3, 4)) * 100).astype(dtype)
    back = Metadata.read({f"{PREFIX}defaults": Metadata(defaults={"a": array}).texts()["defaults"]}).defaults["a"]
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_what_json_does_not_have_is_not_written() -> None:
    for bad in (np.asarray([np.inf], np.float32), np.asarray(["a"]), np.asarray([1j])):
        with pytest.raises(ValueError):
            Metadata(defaults={"a": bad})


@pytest.mark.parametrize(
    "default",
    [{"z": np.ones(1, np.float32)}, {"n_steps": np.ones((), np.float32)}],
)
def test_defaults_of_what_is_no_input_are_refused(both, default) -> None:
    explicit = onnx.ModelProto()
    explicit.CopyFrom(both[0])
    properties = {p.key: p.value for p in explicit.metadata_props}
    metadata = Metadata.read(properties)
    (metadata | Metadata(defaults={**metadata.defaults, **default})).write(properties)
    onnx.helper.set_model_props(explicit, properties)
    with pytest.raises(ValueError, match=r"a default for an input '(z|n_steps)'"):
        snn_ops.Session(explicit)
    with pytest.raises(FormatError, match=r"onnx_snn\.defaults: the model has no input '(z|n_steps)'"):
        with_defaults(explicit)
