"""``convert --streaming``: a run in chunks of time is the run in one piece, bit for bit, for whole models."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from snn_ops.format import Metadata
from snn_ops.ops import OPERATORS
from snn_ops.session import rows_at_once
from snn_ops.stream import steps_of_one_size
from tests.models import convnet, mlp, samples, save, text_model

CHUNKS = (1, 5, 2, 12)
STEPS = sum(CHUNKS)
BACKENDS = ("native", "functions")

POOL_BETWEEN_NEURONS = text_model(
    """
    pool (float[N,1,8,8] x) => (float[N,3] y)
    <float[4,1,3,3] W1, float[4] B1, float[5,4,3,3] W2, float[20,3] W3, int64[2] S>
    {
      c1 = Conv<pads = [1, 1, 1, 1]>(x, W1, B1)
      [first] a1 = Relu(c1)
      c2 = Conv<pads = [1, 1, 1, 1]>(a1, W2)
      [second] a2 = Relu(c2)
      p = MaxPool<kernel_shape = [4, 4], strides = [4, 4]>(a2)
      r = Reshape(p, S)
      h = MatMul(r, W3)
      [third] y = Tanh(h)
    }
    """,
    S=np.asarray([0, -1]),
)


def lenet5(activation: str) -> tuple[str, np.ndarray]:
    """The embedded LeNet-5 and MNIST images."""
    folder = resources.files("converter.demo") / "data"
    with np.load(str(folder / "mnist_calibration.npz")) as file:
        images = file["x"].astype(np.float32) / 255
    return str(folder / f"lenet5_{activation}.onnx"), images


NEURONS = {
    "lenet5-relu": "if",
    "lenet5-burst": "if-signed",
    "lenet5-tanh": "sigma-delta",
    "lenet5-lif": "lif",
    "shortcut": "if",
    "pool": "if-burst",
}
QUICK = {"method": "percentile", "correction": "none"}


@pytest.fixture(scope="module", params=list(NEURONS))
def case(request, tmp_path_factory) -> tuple[onnx.ModelProto, onnx.ModelProto, np.ndarray]:
    """A streaming model, the same model without streaming, and samples."""
    name = request.param
    if name.startswith("lenet5"):
        path, x = lenet5("tanh" if name == "lenet5-tanh" else "relu")
    else:
        model = convnet() if name == "shortcut" else POOL_BETWEEN_NEURONS
        path, x = save(model, tmp_path_factory.mktemp(name) / "m.onnx"), samples(model)
    options = {"neuron": NEURONS[name], "n_steps": STEPS, **QUICK}
    plain, streaming = (
        convert(path, x[:40], streaming=flag, **{"code": "rate", **options}).proto() for flag in (False, True)
    )
    return streaming, plain, x[:6]


@pytest.mark.parametrize("backend", BACKENDS)
def test_chunks_equal_one_piece(case, backend) -> None:
    streaming, plain, x = case
    expected = snn_ops.Session(plain, backend=backend).run(x)
    session = snn_ops.Session(streaming, backend=backend)
    stream = session.stream()
    for steps in CHUNKS:
        outputs = stream.run(x, steps)
    for a, b, c in zip(outputs, expected, session.run(x), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(c, b)
    assert stream.save()["step"] == STEPS


def test_bytes_at_once(case) -> None:
    """Fewer where there is less memory, more on a GPU that has more; the numbers are the same."""
    streaming, plain, x = case
    assert (rows_at_once(1 << 20, "cpu", 8 << 20), rows_at_once(1 << 20, "cuda", 1 << 30)) == (8, 1024)
    few = snn_ops.Session(streaming, bytes_at_once=1)
    assert few.rows == 1
    np.testing.assert_array_equal(few.run(x)[0], snn_ops.Session(plain).run(x)[0])


@pytest.mark.parametrize("rows", [1, 6, 13, 60])
def test_any_chunk_of_time_gives_the_same(case, rows, monkeypatch) -> None:
    streaming, plain, x = case
    expected = snn_ops.Session(plain).run(x)
    monkeypatch.setattr(snn_ops.Session, "rows", rows)
    calls = []
    real = ort.InferenceSession.run_with_iobinding
    monkeypatch.setattr(ort.InferenceSession, "run_with_iobinding", lambda *a, **k: (calls.append(1), real(*a, **k))[1])
    found = snn_ops.Session(streaming, batch_size=len(x)).run(x)
    assert len(calls) == -(-STEPS // max(1, rows // len(x)))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_threads(case) -> None:
    """ONNX Runtime with one and two threads; eight callers of one session, each in chunks of its own."""
    streaming, plain, x = case
    expected = snn_ops.Session(plain, threads=1).run(x)[0]
    session = snn_ops.Session(streaming, threads=2, batch_size=len(x))
    assert np.array_equal(session.run(x)[0], expected)

    def caller(index: int) -> np.ndarray:
        stream = session.stream()
        for steps in (1 + index, STEPS - 1 - index):
            (y, *_) = stream.run(x, steps)
        return y

    with ThreadPoolExecutor(8) as pool:
        for y in pool.map(caller, range(8)):
            np.testing.assert_array_equal(y, expected)


def test_streams_do_not_meet(case) -> None:
    streaming, plain, x = case
    session, other = snn_ops.Session(streaming), snn_ops.Session(plain)
    a, b = session.stream(), session.stream()
    for steps in CHUNKS:
        (ya, *_), (yb, *_) = a.run(x[:4], steps), b.run(-x[4:], steps)
    np.testing.assert_array_equal(ya, other.run(x[:4])[0])
    np.testing.assert_array_equal(yb, other.run(-x[4:])[0])


def test_save_restore_reset(case, tmp_path) -> None:
    streaming, plain, x = case
    session = snn_ops.Session(streaming)
    expected = snn_ops.Session(plain).run(x)[0]
    stream = session.stream()
    assert stream.save() == {}
    stream.run(x, 3)
    saved = stream.save()
    copies = {name: array.copy() for name, array in saved.items()}
    stream.save_npz(tmp_path / "s.npz")
    np.testing.assert_array_equal(stream.run(x, STEPS - 3)[0], expected)
    for name, array in saved.items():  # not a view of a buffer that the stream goes on writing
        np.testing.assert_array_equal(array, copies[name])
    again = session.stream()
    again.restore(saved)
    np.testing.assert_array_equal(again.run(x, STEPS - 3)[0], expected)
    again.restore_npz(tmp_path / "s.npz")
    np.testing.assert_array_equal(again.run(x, STEPS - 3)[0], expected)
    again.reset()
    np.testing.assert_array_equal(again.run(x[:2], STEPS)[0], expected[:2])
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


@pytest.mark.parametrize(
    ("n_steps", "most", "size"), [(32, 13, 8), (32, 32, 32), (30, 16, 15), (7, 3, 3), (12, 1000, 1000), (5, 1, 1)]
)
def test_chunks_of_one_size(n_steps, most, size) -> None:
    """Where they are not much smaller than they may be."""
    assert steps_of_one_size(n_steps, most) == size


def test_input_may_change_from_chunk_to_chunk(case) -> None:
    """Plain ONNX Runtime, states fed by hand as the metadata say: what a reader in another language would do."""
    streaming, _, x = case
    session = snn_ops.Session(streaming)
    plain = ort.InferenceSession(streaming.SerializeToString(), snn_ops.register(ort.SessionOptions()))
    pairs = Metadata.read(plain.get_modelmeta().custom_metadata_map).states
    (name,) = session.input_names
    stream, state = session.stream(), {}
    names = [output.name for output in plain.get_outputs()]
    for part in (x, -x, 2 * x):
        found = stream.run(part, 4)
        arrays = dict(zip(names, plain.run(None, {name: part, "n_steps": np.asarray(4), **state}), strict=True))
        state = {pair["input"]: arrays[pair["output"]] for pair in pairs}
        np.testing.assert_array_equal(found[0], arrays[session.output_names[0]])


def test_a_sequence_in_one_call(case) -> None:
    """The same bits as frame by frame, from rest and from where a stream is; a bad frame leaves it there."""
    streaming, _, x = case
    session = snn_ops.Session(streaming)
    frames = np.stack([x, -x, x[::-1], 0.5 * x])
    one, other = session.stream(), session.stream()
    expected = [one.run(frame, 3) for frame in frames]
    for found in (session.run_sequence(frames, n_steps=3), other.run_sequence(frames, 3)):
        for index, array in enumerate(found):
            np.testing.assert_array_equal(array, np.stack([outputs[index] for outputs in expected]))
    before = other.save()
    frames[2, 1].flat[0] = np.nan
    for bad, words in ((frames, "NaN"), (x[:0], "as many frames"), (np.asarray(3.0), "is one number")):
        with pytest.raises(ValueError, match=words):
            other.run_sequence(bad, 3)
    frames[2, 1].flat[0] = 0
    with pytest.raises(ValueError, match="began with 6 samples"):
        other.run_sequence(frames[:, :4], 3)
    with pytest.raises(ValueError, match="new_frame"):
        other.run_sequence(frames, 3, new_frames=True)
    for name, array in other.save().items():
        np.testing.assert_array_equal(array, before[name])


def test_file_is_as_documented(case) -> None:
    streaming, plain, x = case
    onnx.checker.check_model(streaming, full_check=True)
    graph = streaming.graph
    metadata = {entry.key: entry.value for entry in streaming.metadata_props}
    pairs = Metadata.read(metadata).states
    defaults = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    ours = len(plain.graph.output)
    assert [o.name for o in graph.output[:ours]] == [o.name for o in plain.graph.output]
    assert [o.name for o in graph.output[ours:]] == [pair["output"] for pair in pairs]
    assert [i.name for i in graph.input if i.name not in defaults] == [plain.graph.input[0].name]
    known = {i.name: i for i in (*graph.input, *graph.output)}
    for pair in pairs:
        assert pair["output"] == pair["input"] + "_out"
        before, after = (known[pair[end]].type.tensor_type for end in ("input", "output"))
        assert before.elem_type == after.elem_type
        assert len(before.shape.dim) == len(after.shape.dim) == defaults[pair["input"]].ndim
        if pair["input"] != "step":
            assert {d.dim_param for d in (before.shape.dim[0], after.shape.dim[0])}.isdisjoint({"batch", ""})
    names = {
        node.name for node in graph.node if node.domain == snn_ops.DOMAIN and len(OPERATORS[node.op_type].outputs) > 1
    }
    assert {pair["input"].rsplit(".", 1)[0] for pair in pairs} - {"step"} == names
    assert not Metadata.read({entry.key: entry.value for entry in plain.metadata_props}).states
    rest = ort.InferenceSession(streaming.SerializeToString()).run(None, {plain.graph.input[0].name: x})
    np.testing.assert_array_equal(
        rest[0], ort.InferenceSession(plain.SerializeToString()).run(None, {plain.graph.input[0].name: x})[0]
    )


def refused(stream: snn_ops.Stream, saved: dict[str, np.ndarray], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        stream.restore(saved)


def test_wrong_state_is_refused(tmp_path) -> None:
    model = mlp()
    path = save(model, tmp_path / "m.onnx")
    x = samples(model)
    session = snn_ops.Session(convert(path, x, streaming=True, neuron="if", **QUICK).proto())
    stream = session.stream()
    before = stream.run(x[:3], 4)
    saved = stream.save()
    sums = {"first.voltage", "second.voltage", "a2_TimeMean.sum"}
    assert set(saved) == {*sums, *(f"{name}_base" for name in sums), "step"}
    refused(stream, {k: v for k, v in saved.items() if k != "first.voltage"}, "no state 'first.voltage'")
    refused(stream, {**saved, "third.voltage": x}, "unknown state 'third.voltage'")
    refused(stream, {**saved, "first.voltage": saved["first.voltage"].astype(np.float64)}, "has type float64")
    refused(stream, {**saved, "first.voltage": saved["first.voltage"][:, :5]}, r"has shape \[3, 5\], .* \[3, 16\]")
    refused(stream, {**saved, "second.voltage": saved["second.voltage"][:2]}, r"has shape \[2, 12\], .* \[3, 12\]")
    refused(stream, {**saved, "step": np.asarray([4])}, r"'step' has shape \[1\]")
    refused(stream, {**saved, "step": np.asarray(-1)}, "'step' is below 0, -1")
    with pytest.raises(ValueError, match="began with 3 samples, not 5"):
        stream.run(x[:5])
    with pytest.raises(ValueError, match="n_steps must be at least 1, it is 0"):
        stream.run(x[:3], 0)
    with pytest.raises(ValueError, match="no samples for input 'x'"):
        stream.run({"z": x[:3]})
    with pytest.raises(TypeError, match=r"n_steps must be an integer, it is 2\.5"):
        stream.run(x[:3], 2.5)
    with pytest.raises(TypeError, match=r"a Stream of snn_ops cannot be pickled; pickle what its save\(\) gives"):
        pickle.dumps(stream)
    for no_samples in (x[:0], x[0], x[:3].astype(object), x[:3].astype(str), x[:3].astype(np.float64) * 1e300):
        with pytest.raises(ValueError):
            stream.run(no_samples, 4)
    (tmp_path / "no.npz").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="does not hold the state of a stream"):
        stream.restore_npz(tmp_path / "no.npz")
    for name, value in stream.save().items():  # nothing of this moved the stream
        np.testing.assert_array_equal(value, saved[name])
    stream.restore(saved)
    again = session.stream()
    again.run(x[:3], 4)
    np.testing.assert_array_equal(stream.run(x[:3], 4)[0], again.run(x[:3], 4)[0])
    assert before[0].shape == (3, 4)
    np.testing.assert_array_equal(stream.run(x[:3].astype(np.float64), 4)[0], again.run(x[:3], 4)[0])


def test_a_chunk_that_fails_leaves_the_state(tmp_path) -> None:
    model = mlp()
    session = snn_ops.Session(
        convert(save(model, tmp_path / "m.onnx"), samples(model), streaming=True, neuron="if", **QUICK).proto()
    )
    x = samples(model, 3)
    stream = session.stream()
    with pytest.raises(Exception, match="invalid dimensions for input: x"):
        stream.run(x[:, :5], 4)
    stream.run(x, 4)
    saved = stream.save()
    with pytest.raises(Exception, match="invalid dimensions for input: x"):
        stream.run(x[:, :5], 4)
    for name, value in stream.save().items():
        np.testing.assert_array_equal(value, saved[name])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("neuron", ["if", "lif", "sigma-delta"])
def test_a_bad_frame_is_refused_and_the_stream_goes_on(neuron, bad, tmp_path) -> None:
    """As if it had not come: no neuron stays silent because of it, no mean is lost."""
    model = mlp()
    x = samples(model, 5)
    path = save(model, tmp_path / "m.onnx")
    session = snn_ops.Session(convert(path, samples(model), streaming=True, neuron=neuron, **QUICK).proto())
    whole = session.stream()
    whole.run(x, 4)
    (expected, *_) = whole.run(x, 9)
    spoilt = x.copy()
    spoilt[3, 2] = spoilt[4, 0] = bad
    stream = session.stream()
    for steps in (4, 9):
        for call in (lambda n: stream.run(spoilt, n), lambda n: stream.run({"x": spoilt}, n)):
            with pytest.raises(ValueError, match=r"^`x` holds NaN or infinity, first in sample 3$"):
                call(steps)
        found = stream.run(x, steps)
    np.testing.assert_array_equal(found[0], expected)
    saved = stream.save()
    name = next(name for name, array in saved.items() if array.ndim and array.dtype.kind == "f")
    saved[name] = saved[name].copy()
    saved[name][2] = bad
    refused(stream, saved, f"state '{name}' holds NaN or infinity, first in sample 2")
    for name, value in whole.save().items():
        np.testing.assert_array_equal(stream.save()[name], value)


def faint(element: type, neuron: str, folder: Path, *, streaming: bool = True) -> tuple[onnx.ModelProto, np.ndarray]:
    """A model of the smallest normal numbers of a type, whose neurons would fire for subnormal ones, and samples for it."""
    kind = {np.float16: "float16", np.float32: "float", np.float64: "double"}[element]
    model = text_model(
        f"""
        faint ({kind}[N,4] x) => ({kind}[N,3] y)
        <{kind}[4,8] W1, {kind}[8,3] W2>
        {{
          h = MatMul(x, W1)
          a = Relu(h)
          y = MatMul(a, W2)
        }}
        """,
        W1=np.hstack([np.eye(4), -np.eye(4)]) / (8 * float(np.finfo(element).tiny)),
    )
    x = np.random.default_rng(0).uniform(-8, 8, (40, 4)) * float(np.finfo(element).tiny)
    proto = convert(
        save(model, folder / "m.onnx"), x.astype(element), neuron=neuron, n_steps=STEPS, streaming=streaming, **QUICK
    ).proto()
    return proto, x.astype(element)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("neuron", ["if", "sigma-delta"])
@pytest.mark.parametrize("element", [np.float32, np.float64])
def test_a_stream_takes_subnormal_numbers_as_0(element, neuron, backend, tmp_path, monkeypatch) -> None:
    """So do runs that are no streams: the same bits as of zeros, in any chunks. The caller's array stays."""
    tiny = np.finfo(element).tiny
    spiking, x = faint(element, neuron, tmp_path)
    plain, _ = faint(element, neuron, tmp_path, streaming=False)
    zeros = np.where(np.abs(x) < tiny, element(0), x)
    assert (zeros != x).sum() > 10
    session = snn_ops.Session(spiking, backend=backend)
    (expected,) = session.run(zeros)
    assert expected.any()
    before = x.copy()
    for steps in ((STEPS,), CHUNKS):
        stream, other = session.stream(), session.stream()
        for n in steps:
            (found,) = stream.run({"x": x}, n)
            other.run(zeros, n)
        np.testing.assert_array_equal(found, expected)
        for name, value in other.save().items():
            np.testing.assert_array_equal(stream.save()[name], value)
    np.testing.assert_array_equal(snn_ops.Session(plain, backend=backend).run(x)[0], expected)
    np.testing.assert_array_equal(session.run_batch({"x": x}, STEPS)[0], expected)
    for recorded in (session.run(x, record=["a"]), session.stream().run(x, STEPS, record=["a"])):
        np.testing.assert_array_equal(recorded[0][0], expected)
    monkeypatch.setattr(snn_ops.Session, "rows", len(x))
    np.testing.assert_array_equal(snn_ops.Session(spiking, backend=backend).run(x)[0], expected)
    np.testing.assert_array_equal(x, before)
    x[3, 1] = np.nan
    with pytest.raises(ValueError, match="holds NaN or infinity, first in sample 3"):
        stream.run(x, 1)


def test_subnormal_numbers_of_float16_count(tmp_path) -> None:
    """A signal that lies below the smallest normal number comes through."""
    spiking, x = faint(np.float16, "if-burst", tmp_path)
    x = np.clip(x, -6e-5, 6e-5)
    (found,) = snn_ops.Session(spiking).stream().run(x, 200)
    (rest,) = snn_ops.Session(spiking).stream().run(np.zeros_like(x), 200)
    assert np.abs(np.float64(found) - rest).max() > 0.05


def test_another_byte_order(tmp_path) -> None:
    """ONNX Runtime would take the bytes for other numbers."""
    model = mlp()
    x = samples(model, 3)
    swapped = x.astype(x.dtype.newbyteorder("S"))
    path = save(model, tmp_path / "m.onnx")
    for streaming in (True, False):
        spiking = convert(path, samples(model), streaming=streaming, neuron="if", **QUICK).proto()
        session = snn_ops.Session(spiking)
        np.testing.assert_array_equal(session.run(swapped)[0], session.run(x)[0])
        if streaming:
            np.testing.assert_array_equal(session.stream().run(swapped, 6)[0], session.stream().run(x, 6)[0])


def overflowing(kind: str, folder: Path, **options: Any) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """A streaming model, samples, and a frame of finite numbers that makes all currents of the first layer infinite."""
    model = text_model(
        f"""
        overflow ({kind}[N,4] x) => ({kind}[N,3] y)
        <{kind}[4,8] W1, {kind}[8,3] W2>
        {{
          h = MatMul(x, W1)
          a = Relu(h)
          y = MatMul(a, W2)
        }}
        """,
        W1=8 * np.hstack([np.eye(4), -np.eye(4)]),
    )
    element, huge = {"float16": (np.float16, 6e4), "float": (np.float32, 3e38)}[kind]
    x = np.random.default_rng(0).uniform(-1, 1, (40, 4)).astype(element)
    spiking = convert(save(model, folder / "m.onnx"), x, streaming=True, **{"code": "rate", **options}).proto()
    return spiking, x[:3], np.full((3, 4), huge, element)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["float16", "float"])
def test_from_step_64_on_a_stream_fires_as_before_an_overflow(kind, backend, tmp_path) -> None:
    """In the mean over the steps from there on; and what is saved then is taken back."""
    spiking, x, huge = overflowing(kind, tmp_path, neuron="if", **QUICK)
    session = snn_ops.Session(spiking, backend=backend)
    stream, undisturbed = session.stream(), session.stream()
    stream.run(x, 10)
    stream.run(huge, 1)
    with pytest.raises(ValueError, match="holds NaN or infinity, first in sample 0"):
        session.stream().restore(stream.save())
    early = [np.float64(stream.run(x, 53)[0]), np.float64(undisturbed.run(x, 64)[0])]
    restored = session.stream()
    restored.restore(stream.save())
    late = [np.float64(run.run(x, 192)[0]) for run in (restored, undisturbed)]
    found, expected = ((256 * b - 64 * a) / 192 for a, b in zip(early, late, strict=True))
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["float16", "float"])
def test_the_delta_code_recovers_from_an_overflow_at_the_next_step(kind, backend, tmp_path) -> None:
    """What is saved after the bad step is taken back."""
    spiking, x, huge = overflowing(kind, tmp_path, code="delta", analog_input=True)
    session = snn_ops.Session(spiking, backend=backend)
    stream = session.stream()
    stream.run(x, 10)
    assert not np.isfinite(stream.run(huge, 1)[0]).all()
    restored = session.stream()
    restored.restore(stream.save())
    found, expected = restored.run(x, 40)[0], session.stream().run(x, 51)[0]
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_stream_asks_for_outputs_once(tmp_path, monkeypatch) -> None:
    """Of several chunks only the last one gives them, and all read the same inputs."""
    model = mlp()
    x = samples(model, 3)
    path = save(model, tmp_path / "m.onnx")
    session = snn_ops.Session(convert(path, samples(model), streaming=True, neuron="if", **QUICK).proto())
    bound: list[list[str]] = []
    inputs: list[int] = []
    binding = ort.IOBinding
    monkeypatch.setattr(
        binding,
        "bind_output",
        lambda self, name, *a, real=binding.bind_output: (bound[-1].append(name), real(self, name, *a))[1],
    )
    monkeypatch.setattr(
        binding,
        "bind_ortvalue_input",
        lambda self, name, value, real=binding.bind_ortvalue_input: (
            inputs.append(value.data_ptr()) if name == "x" else None,
            real(self, name, value),
        )[1],
    )
    monkeypatch.setattr(
        ort.InferenceSession,
        "io_binding",
        lambda self, real=ort.InferenceSession.io_binding: (bound.append([]), real(self))[1],
    )
    monkeypatch.setattr(snn_ops.Session, "rows", 12)
    session.stream().run(x, 10)
    assert [[name for name in names if name in session.output_names] for names in bound] == [[], [], ["y"]]
    assert len(set(inputs)) == 1 < len(inputs)


def test_a_model_without_streaming_says_so(tmp_path) -> None:
    model = mlp()
    session = snn_ops.Session(convert(save(model, tmp_path / "m.onnx"), samples(model), neuron="if", **QUICK).proto())
    with pytest.raises(ValueError, match="convert --streaming"):
        session.stream()
