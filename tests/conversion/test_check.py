"""What is said before there are samples is what a conversion then does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks import zoo_data
from converter.conversion.check import check
from converter.conversion.main import convert
from converter.conversion.prepare import prepare
from converter.conversion.result import Conversion
from converter.errors import RefusedError
from converter.io.samples import check_samples
from converter.measure.typical import BY_STEPS
from converter.normalise.ann import Ann, load_ann
from converter.options import Options
from tests.models import batchnorm_net, convnet, mlp, samples, save, scaled_gemms, text_model
from tests.refusals import case as refusal_case
from tests.refusals import conversion, files

FOLDER = zoo_data.models_folder().resolve()
QUICK = ("emclab_HAR-CNN", "silero_vad_16k_sequence")
"""Models that convert within a second or two."""
FIXED = {"n_steps": 2, "method": "percentile", "correction": "none"}
"""Options of the rate code with which nothing is searched."""

GATED = text_model("""m (float[N,8] x) => (float[N,4] y) <float[8,16] W1, float[16,12] W2, float[12,4] W3> {
  h = MatMul(x, W1)  s = Sigmoid(h)  [first] a = Mul(h, s)  g = MatMul(a, W2)  [second] b = Relu(g)  y = MatMul(b, W3) }""")
ATTENTION = text_model("""m (float[N,3,8] x) => (float[N,3,4] y) <float[8,8] Q, float[8,8] K, float[8,8] V, float[8,4] W> {
  q = MatMul(x, Q)  k = MatMul(x, K)  v = MatMul(x, V)  t = Transpose<perm = [0, 2, 1]>(k)
  [scores] s = MatMul(q, t)  p = Softmax(s)  [values] a = MatMul(p, v)  r = Relu(a)  y = MatMul(r, W) }""")
MODELS = {
    "relu": mlp, "silu": lambda: GATED, "tanh": lambda: mlp("Tanh"), "convnet": convnet, "norms": batchnorm_net,
    "gemms": scaled_gemms, "attention": lambda: ATTENTION,
}  # fmt: skip
OPTIONS = (
    {"code": "delta", "n_steps": 2},
    {"code": "delta", "n_steps": 2, "analog_input": True, "exact_skips": True},
    {"code": "delta", "schedule": "two-phase", "exponent": 4, "n_steps": 4},
    {"neuron": "if", **FIXED},
    {"neuron": "lif", "n_steps": 2, "method": "percentile"},
    {"neuron": "few-spike", **FIXED},
)


def compared(ann: Ann, x: object, **options: object) -> None:
    """A conversion has the layers, the neurons and the multiply-adds that the check foresaw."""
    said, done = check(ann, **options), convert(ann, x, **options)
    assert said.multiply_adds == done.work.multiply_adds
    assert said.analog == done.work.analog_multiply_adds
    layers = [(layer.name, layer.multiply_adds, layer.analog) for layer in done.work.layers]
    assert [(layer.name, layer.multiply_adds, layer.analog) for layer in said.layers] == layers
    assert [(n.name, n.activation, n.neuron, n.reason) for n in said.neurons] == [
        (layer.name, layer.activation, layer.neuron, layer.reason) for layer in done.layers
    ]
    assert said.kept_analog == done.kept_analog
    assert [idle.text for idle in said.idle] == [note for note in done.notes if note in {i.text for i in said.idle}]
    if not said.options.is_delta:
        assert sorted(said.functions) == sorted({name for island in done.islands for name in island.op_types})


CASES = {
    "relu": (0, 3), "silu": (0, 4), "tanh": (4, 5), "convnet": (1, 3, 5), "norms": (2,), "gemms": (1,), "attention": (0, 3),
}  # fmt: skip
"""Which of `OPTIONS` a model is converted with."""


@pytest.mark.parametrize("name", CASES)
def test_a_conversion_does_what_was_said(name, tmp_path) -> None:
    proto = MODELS[name]()
    ann = load_ann(save(proto, tmp_path / "m.onnx"))
    for options in (OPTIONS[index] for index in CASES[name]):
        compared(ann, samples(proto, 16), **options)


@pytest.mark.skipif(not (FOLDER / "models.json").is_file(), reason=f"no models in {FOLDER} (ONNX_SNN_MODELS)")
@pytest.mark.parametrize("name", [
    pytest.param(path.stem, marks=() if path.stem in QUICK else pytest.mark.slow) for path in sorted(FOLDER.glob("*.onnx"))
])  # fmt: skip
def test_real_models(name) -> None:
    path = FOLDER / f"{name}.onnx"
    refused = refusal(lambda: load_ann(path))
    if refused:
        assert refusal(lambda: check(path)) == refused
        return
    ann, rng = load_ann(path), np.random.default_rng(0)
    x = {
        spec.name: rng.random((16, *(64 if length is None else length for length in spec.shape[1:]))).astype(spec.dtype)
        for spec in ann.input_specs
    }
    for options in (OPTIONS[0], OPTIONS[3]):
        refused = refusal(
            lambda options=options: prepare(ann, check_samples(x, ann.input_specs), Options(**options).settled())
        )
        if refused:
            assert refusal(lambda options=options: check(ann, **options)).endswith(refused)
        else:
            compared(ann, x, **options)


def refusal(call: Callable[[], object]) -> str:
    """What is said where it is refused, else nothing."""
    try:
        call()
    except RefusedError as error:
        return str(error)
    return ""


BEFORE_SAMPLES = (
    "activations/",
    "conversion/prepare.py",
    "graph/batch",
    "graph/run.py",
    "io/claims.py",
    "io/onnx_files.py",
    "normalise/",
    "spiking/expose",
)
"""Where refusals are raised that need no samples."""


def test_what_a_conversion_refuses_is_refused_in_the_same_words(monkeypatch, tmp_path) -> None:
    """The models of all refusals: loaded or converted as there, and checked."""
    compared = []

    def both(path: str, x: np.ndarray, **options: object) -> Conversion:
        said, found = refusal(lambda: check(path, **options)), []
        done = refusal(lambda: found.append(convert(path, x, **options)))
        compared.append(path)
        assert said == done
        if done:
            raise RefusedError(done)
        return found[0]

    for module in (refusal_case, conversion):
        monkeypatch.setattr(module, "convert", both)
    tables = {**files.CASES, **conversion.CASES}
    cases = [case for module, table in tables.items() if module.startswith(BEFORE_SAMPLES) for case in table.values()]
    for index, case in enumerate(cases):
        folder = tmp_path / str(index)
        folder.mkdir()
        with pytest.raises(RefusedError) as refused:
            case.refuse(folder)
        model = folder / "m.onnx"
        if model.is_file() and str(refused.value).startswith(str(model)) and str(model) not in compared:
            assert refusal(lambda model=model: check(model)) == str(refused.value)
    assert len(compared) >= 7


def test_an_estimate_is_energy_of_spikes_as_others_sent_them(tmp_path) -> None:
    """All layers of an MLP are reached by spikes: 0.9 pJ an addition, 4.6 pJ a multiply-add."""
    path = save(mlp(), tmp_path / "m.onnx")
    found = check(path, n_steps=4)
    expected = BY_STEPS[4]
    shares = [0.9 * spikes / 4.6 for spikes in (expected.low, expected.median, expected.high)]
    assert [found.estimate.low, found.estimate.median, found.estimate.high] == pytest.approx(shares)
    analog = check(path, n_steps=4, analog_input=True)
    first, total = 8 * 16, 8 * 16 + 16 * 12 + 12 * 4
    assert (analog.analog, analog.spiking_share) == (first, pytest.approx(1 - first / total))
    assert analog.estimate.low == pytest.approx((expected.low * 0.9 * (total - first) + 4.6 * first) / (4.6 * total))
    assert check(path, code="rate").estimate is None


def test_reasons_for_what_stays(tmp_path) -> None:
    """With the rate code the input is multiplied, and what a pooling of maxima gives."""
    found = check(save(convnet(), tmp_path / "m.onnx"), code="rate")
    reasons = {layer.name: layer.reason for layer in found.layers}
    assert next(iter(reasons.values())) == "the model's input, as numbers, once"
    assert any("MaxPool" in reason for reason in reasons.values())
    assert all(bool(layer.reason) == (layer.becomes != "spikes") for layer in found.layers)
    assert [layer.becomes for layer in check(save(convnet(), tmp_path / "m.onnx")).layers] == ["spikes"] * len(reasons)


def test_lengths_that_the_model_leaves_open(tmp_path) -> None:
    text = """m (float[N,2,L] x) => (float[N,3] y) <float[3,2,3] W> {
      h = Conv(x, W)  r = Relu(h)  g = GlobalAveragePool(r)  y = Flatten(g) }"""
    path = save(text_model(text), tmp_path / "m.onnx")
    found = check(path)
    assert found.assumed == {"x": [2, 64]}
    assert found.multiply_adds == 2 * 3 * 3 * 62
    named = check(path, lengths={"x": (2, 10)})
    assert (named.assumed, named.multiply_adds) == ({}, 2 * 3 * 3 * 8)
    assert refusal(lambda: check(path, lengths={"x": (3, 10)})).endswith("samples of the shape 2,N, not 3,10")
    assert refusal(lambda: check(path, lengths={"z": (2, 10)})).endswith("it has no input 'z'; there are x")
    assert "cannot run" in refusal(lambda: check(path, lengths={"x": (2, 2)}))  # shorter than the kernel


def test_what_made_up_samples_cannot_tell_is_said(tmp_path) -> None:
    """Numbers from 0 to 1 are no indices into this table."""
    text = """m (int64[N,2] x) => (float[N,4] y) <float[5,4] TABLE, float[8,4] W, int64[1] FIRST, int64[2] FLAT> {
      i = Sub(x, FIRST)  e = Gather(TABLE, i)  f = Reshape(e, FLAT)  h = MatMul(f, W)  y = Relu(h) }"""
    model = text_model(text, FIRST=np.asarray([10]), FLAT=np.asarray([-1, 8]))
    said = refusal(lambda: check(save(model, tmp_path / "m.onnx")))
    assert said.endswith(
        "the samples were made up, of numbers from 0 to 1, and it may run on others: convert it with yours"
    )
