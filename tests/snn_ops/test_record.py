"""Recording layers of whole models: against the NumPy references, Nengo's probes and runs of single steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import snn_ops
from converter.conversion.main import convert
from snn_ops.record import recording_model
from snn_ops.recording import RecordingError
from tests.models import mlp, samples, save, text_model

QUICK = {"method": "percentile", "correction": "none"}
STEPS = 12
RATE = {
    "if": "Relu",
    "if-burst": "Relu",
    "if-signed": "Relu",
    "lif": "Relu",
    "izhikevich": "Relu",
    "sigma-delta": "Tanh",
}
"""Neurons, and an activation that they stand for."""
BACKENDS = ("native", "functions")
FILES = ("file", "stream")


def converted(folder, model: onnx.ModelProto, **options) -> onnx.ModelProto:
    return convert(save(model, folder / "m.onnx"), samples(model), **{"n_steps": STEPS, **options}).proto()


@pytest.fixture(scope="module", params=[(neuron, file) for neuron in RATE for file in FILES], ids="-".join)
def rate_model(request, tmp_path_factory) -> onnx.ModelProto:
    neuron, file = request.param
    folder = tmp_path_factory.mktemp(neuron)
    return converted(folder, mlp(RATE[neuron]), neuron=neuron, streaming=file == "stream", **QUICK)


X = samples(mlp(), 10, seed=5)


def operands(proto: onnx.ModelProto, layer: str) -> tuple[onnx.NodeProto, list[np.ndarray | None]]:
    """A layer's node and its constant inputs, in the order of the operator."""
    node = next(node for node in proto.graph.node if node.name == layer)
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    return node, [tensors.get(name) for name in node.input]


def merged(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, *array.shape[2:])


@pytest.mark.parametrize("backend", BACKENDS)
def test_spikes_are_those_of_the_reference_at_the_recorded_currents(rate_model, backend) -> None:
    """What enters the second layer is recorded too: the node before it."""
    node, inputs = operands(rate_model, "second")
    before = next(n for n in rate_model.graph.node if node.input[0] in n.output)
    session = snn_ops.Session(rate_model, backend=backend)
    (y,), recording = session.run(X, record=["second", before.name])
    np.testing.assert_array_equal(y, session.run(X)[0])
    current, spikes = recording[before.name], recording["second"]
    assert spikes.shape == (STEPS, 10, 12)
    version = next(entry.version for entry in rate_model.opset_import if entry.domain == "onnx_snn")
    given = [merged(current), STEPS, *inputs[2:]]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    expected = snn_ops.OPERATORS[node.op_type].at(version).run(*given, **attributes)[0]
    assert np.count_nonzero(expected) > 50
    np.testing.assert_allclose(merged(spikes), expected, rtol=1e-6)
    counts, height = recording.counts["second"], recording.heights["second"]
    assert counts.dtype == np.int8
    np.testing.assert_array_equal((counts * height).astype(np.float32), spikes)
    assert (np.abs(counts).max() > 1) == ("max_spikes" in attributes and attributes["max_spikes"] != 1)


def test_the_mean_of_the_spikes_is_what_the_last_layers_get(rate_model) -> None:
    (y,), recording = snn_ops.Session(rate_model).run(X, record=["second"])
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in rate_model.graph.initializer}
    np.testing.assert_allclose(recording["second"].mean(axis=0) @ tensors["W3"] + tensors["B3"], y, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 7, 60, 10_000])
@pytest.mark.parametrize("batch_size", [None, 3, 10])
def test_batches_and_chunks_are_put_back_in_order(rate_model, rows, batch_size, monkeypatch, tmp_path) -> None:
    """As one call gives it, made with the layers as outputs by hand; also in temporary files."""
    layers = ["first", "second"]
    expected = by_hand(rate_model, layers)
    monkeypatch.setattr(snn_ops.Session, "rows", rows)
    session = snn_ops.Session(rate_model, batch_size=batch_size)
    for folder in (None, tmp_path):
        _, recording = session.run(X, record=layers, record_in=folder)
        for layer in layers:
            np.testing.assert_array_equal(merged(recording[layer]), expected[layer])
    assert list(tmp_path.iterdir()) == []


def by_hand(proto: onnx.ModelProto, layers: list[str], n_steps: int = STEPS) -> dict[str, np.ndarray]:
    """Values of nodes from one call of ONNX Runtime, ``[T*N, ...]``."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    values = [next(node for node in proto.graph.node if node.name == layer).output[0] for layer in layers]
    copy.graph.output.extend(onnx.ValueInfoProto(name=value) for value in values)
    session = snn_ops.Session(copy)
    return dict(zip(layers, session.ort.run(values, {"x": X, "n_steps": np.asarray(n_steps)}), strict=True))


def test_layers_made_outputs_by_hand_are_in_order_too(rate_model, monkeypatch) -> None:
    copy = onnx.ModelProto()
    copy.CopyFrom(rate_model)
    value = next(node for node in copy.graph.node if node.name == "second").output[0]
    copy.graph.output.append(onnx.ValueInfoProto(name=value))
    expected = by_hand(rate_model, ["second"])["second"]
    for rows in (1, 7, 10_000):
        monkeypatch.setattr(snn_ops.Session, "rows", rows)
        y, spikes = snn_ops.Session(copy, batch_size=4).run(X)
        np.testing.assert_array_equal(spikes, expected)
        np.testing.assert_array_equal(y, snn_ops.Session(rate_model).run(X)[0])


@pytest.mark.parametrize("code", ["rate", "delta"])
def test_a_stream_chunk_by_chunk_is_one_run(code, tmp_path) -> None:
    """Also after it was saved and restored; the outputs stay those of a stream that records nothing."""
    options = {"code": "delta"} if code == "delta" else {"neuron": "if-burst", **QUICK}
    proto = converted(tmp_path, mlp(), streaming=True, **options)
    session = snn_ops.Session(proto)
    layers = sorted({"first", "second", "a1", "a2"} & layers_of(proto).keys())
    assert len(layers) == 2
    _, whole = session.run(X, record=layers)
    stream, silent, parts = session.stream(), session.stream(), []
    for steps in (1, 4, 2, 5):
        (y,), part = stream.run(X, steps, record=layers)
        np.testing.assert_array_equal(y, silent.run(X, steps)[0])
        parts.append(part)
        saved, stream = stream.save(), session.stream()
        stream.restore(saved)
    for layer in layers:
        np.testing.assert_array_equal(np.concatenate([part[layer] for part in parts]), whole[layer])
        assert all(layer in part.counts for part in parts)
        assert np.count_nonzero(whole[layer])


def layers_of(proto: onnx.ModelProto) -> dict[str, str]:
    """Layers as `inspect` shows them: name and activation."""
    metadata = snn_ops.format.Metadata.read({entry.key: entry.value for entry in proto.metadata_props})
    return {str(layer["name"]): str(layer["activation"]) for layer in metadata.layers}


@pytest.mark.parametrize("streaming", [False, True])
def test_changes_of_the_delta_code(streaming, tmp_path) -> None:
    """Every layer of `inspect`: sign threshold 2^-j each, adding up to what the model itself has after every step."""
    proto = converted(tmp_path, mlp("Tanh"), code="delta", streaming=streaming)
    layers = list(layers_of(proto))
    assert len(layers) == 3
    totals = by_hand(proto, [f"{layer}_MultiThreshold" for layer in layers])
    _, recording = snn_ops.Session(proto, batch_size=4).run(X, record=layers)
    for layer in layers:
        node, inputs = operands(proto, f"{layer}_MultiThreshold")
        threshold, rest, total = inputs[2], inputs[3], totals[node.name].reshape(STEPS, *recording[layer].shape[1:])
        spikes = recording[layer]
        np.testing.assert_allclose(rest + np.cumsum(spikes, axis=0, dtype=np.float64), total, rtol=1e-6, atol=1e-6)
        sent = spikes[spikes != 0] / np.broadcast_to(threshold, spikes.shape)[spikes != 0]
        mantissa, exponent = np.frexp(np.abs(sent))
        assert (mantissa == 0.5).all()
        assert exponent.max() <= 1
        assert 0 < len(sent) < spikes.size / 2
        earlier = np.concatenate([np.broadcast_to(rest, total[:1].shape), total[:-1]])
        np.testing.assert_array_equal(spikes != 0, total != earlier)


def test_several_spikes_in_one_step(tmp_path) -> None:
    """A two-phase stream sends all spikes of a frame in one step: their sum is recorded."""
    proto = converted(tmp_path, mlp(), code="delta", schedule="two-phase", streaming=True)
    stream = snn_ops.Session(proto).stream()
    earlier = None
    for x in (X, -X, X + 0.1):
        _, recording = stream.run(x, 1, record=["x"])
        total = stream.save()["x_MultiThreshold.sent"]
        threshold = operands(proto, "x_MultiThreshold")[1][2]
        change = total - (0 if earlier is None else earlier)
        np.testing.assert_allclose(recording["x"][0], change * threshold, rtol=1e-6)
        earlier = total


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_phase_layers_have_their_spikes(backend, tmp_path) -> None:
    """Few-spike neurons: those of the reference at the layer's mean."""
    proto = converted(tmp_path, mlp(), schedule="two-phase", neuron="few-spike", n_steps=6)
    session = snn_ops.Session(proto, backend=backend, batch_size=4)
    outputs, recording = session.run(X, record=["second", "first"])
    np.testing.assert_array_equal(outputs[0], session.run(X)[0])
    means = by_hand(proto, ["first", "second"], 6)
    for layer in ("first", "second"):
        scale = operands(proto, layer)[1][2]
        (expected,) = snn_ops.OPERATORS["FewSpike"].run(means[layer], 6, scale, constant_current=1)
        np.testing.assert_array_equal(merged(recording[layer]), expected)
        np.testing.assert_allclose(recording[layer].mean(axis=0), means[layer], rtol=1e-6)
        assert set(np.unique(recording.counts[layer])) == {0, 1}


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_phase_sums_have_their_spikes(backend, tmp_path) -> None:
    """The delta code in two phases: a spike a slot, each sign threshold 2^-j, adding up to the layer's output."""
    proto = converted(tmp_path, mlp(), code="delta", schedule="two-phase", n_steps=4)
    _, recording = snn_ops.Session(proto, backend=backend, batch_size=4).run(X, record=["a1"])
    (target, total), spikes = by_hand(proto, ["first", "a1_MultiThresholdSum"], 4).values(), recording["a1"]
    _, inputs = operands(proto, "a1_MultiThresholdSum")
    reference = snn_ops.OPERATORS["MultiThreshold"]
    attributes = {**reference.defaults, "constant_current": 1}
    slots = reference.run(target, 4, *inputs[2:], np.zeros((), np.float32), 0, **attributes)[0].reshape(spikes.shape)
    expected = np.diff(slots, axis=0, prepend=np.broadcast_to(inputs[3], slots[:1].shape))
    np.testing.assert_allclose(spikes, expected, atol=1e-6)
    np.testing.assert_array_equal(spikes != 0, expected != 0)
    np.testing.assert_allclose(inputs[3] + spikes.sum(axis=0), total, atol=1e-6)
    assert np.count_nonzero(spikes)


def test_voltages_are_those_of_runs_of_single_steps(rate_model, tmp_path) -> None:
    """Without a stream too; with their bases where there are some."""
    op_type = operands(rate_model, "second")[0].op_type
    if op_type == "SigmaDelta":
        with pytest.raises(
            RecordingError, match=r"^layer 'second' has no state 'voltage' to record; it keeps net_count$"
        ):
            snn_ops.Session(rate_model).run(X, record=["second.voltage"])
        return
    _, recording = snn_ops.Session(rate_model, batch_size=4).run(X, n_steps=70, record=["second", "second.voltage"])
    assert recording["second.voltage"].shape == recording["second"].shape == (70, 10, 12)
    made = recording_model(rate_model, ["second.voltage"])
    (track,) = made.tracks
    for steps in (1, 12, 70):
        state = snn_ops.Session(made.model).ort.run(track.states, {"x": X, "n_steps": np.asarray(steps)})
        np.testing.assert_allclose(recording["second.voltage"][steps - 1], sum(state), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("neuron", ["if", "if-burst", "lif", "izhikevich"])
def test_spikes_and_voltages_are_those_that_nengo_probes(neuron, tmp_path) -> None:
    pytest.importorskip("nengo")
    from converter.nengo.double_precision import as_float64  # noqa: PLC0415
    from converter.nengo.network import to_nengo  # noqa: PLC0415
    from converter.nengo.simulator import CoreSimulator  # noqa: PLC0415

    proto = converted(tmp_path, mlp(), neuron=neuron, **QUICK)
    network, x = to_nengo(proto, n_steps=40), X[:3].astype(np.float64)
    session = snn_ops.Session(as_float64(proto), batch_size=2)
    _, recording = session.run(x, n_steps=40, record=["first", "second", "second.voltage"])
    for states in ({}, {"second": "voltage"}):
        with CoreSimulator(network, ["first", "second"], states) as simulator:
            _, probed = simulator.run({"x": x}, 40)
        mine = recording["second.voltage" if states else "second"]
        np.testing.assert_allclose(mine.swapaxes(0, 1), probed["second"], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(recording["first"].swapaxes(0, 1), probed["first"], rtol=1e-9)
        assert np.count_nonzero(mine)


def test_layers_with_several_rows_of_a_sample(tmp_path) -> None:
    model = text_model(
        """m (float[N,4,8] x) => (float[M,3] y) <float[8,6] W, float[6,3] V, int64[2] S> {
             r = Reshape(x, S)  h = MatMul(r, W)  [act] a = Relu(h)  y = MatMul(a, V) }""",
        S=np.asarray([-1, 8]),
    )
    proto = converted(tmp_path, model, neuron="if", n_steps=4, **QUICK)
    x = samples(model, 10)
    _, whole = snn_ops.Session(proto, batch_size=10).run(x, record=["act"])
    (y,), parts = snn_ops.Session(proto, batch_size=3).run(x, record=["act"])
    assert whole["act"].shape == (4, 40, 6)
    np.testing.assert_array_equal(parts["act"], whole["act"])
    np.testing.assert_array_equal(y, snn_ops.Session(proto, batch_size=10).run(x)[0])


def test_random_neurons_draw_the_same_in_any_batch() -> None:
    proto = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18, "onnx_snn" : 2]>
        m (float[batch, 3] x, int64 n_steps, int64 first_sample) => (float[batch, 3] y)
        <int64 n_steps = {40}, float amplitude = {0.7}, float zero = {0}, int64 step = {0}, int64 first_sample = {0}>
        {
          [act] spikes, "" = onnx_snn.PoissonSpiking<dt: float = 0.01, seed: int = 3, constant_current: int = 1>
                             (x, n_steps, amplitude, step, first_sample)
          y, "", "", "" = onnx_snn.TimeMean(spikes, n_steps, zero, step, zero)
        }""")
    x = np.random.default_rng(0).uniform(10, 90, (10, 3)).astype(np.float32)
    (y,), whole = snn_ops.Session(proto, batch_size=10).run(x, record=["act"])
    for size in (1, 4):
        (again,), parts = snn_ops.Session(proto, batch_size=size).run(x, record=["act"])
        np.testing.assert_array_equal(parts["act"], whole["act"])
        np.testing.assert_array_equal(again, y)
    np.testing.assert_allclose(whole["act"].mean(axis=0), y, rtol=1e-5)
    assert whole.counts["act"].max() > 1


REFUSED = {
    "third": "there is no layer 'third' to record; the model has first, second",
    "first.mass": "layer 'first' has no state 'mass' to record; it keeps voltage",
    "third.voltage": "there is no layer 'third.voltage' to record; the model has first, second",
    "h1": "'h1' gives the same at every step: no spike has reached it, or all have",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_recorded_is_refused(name, tmp_path) -> None:
    proto = converted(tmp_path, mlp(), neuron="if", streaming=True, **QUICK)
    session = snn_ops.Session(proto)
    stream = session.stream()
    for call in (session.run, stream.run):
        with pytest.raises(RecordingError) as error:
            call(X, record=["first", name])
        assert str(error.value) == REFUSED[name]
    assert stream.save() == {}


def test_spikes_without_an_order_are_refused(tmp_path) -> None:
    proto = converted(tmp_path, mlp(), neuron="if", schedule="two-phase", **QUICK)
    with pytest.raises(
        RecordingError, match="layer 'first' cannot be recorded: a CountIF neuron gives the mean of its spikes"
    ):
        snn_ops.Session(proto).run(X, record=["first"])
    with pytest.raises(RecordingError, match=r"layer 'first' has no state 'voltage' .* none from step to step"):
        snn_ops.Session(proto).run(X, record=["first.voltage"])


def test_the_model_stays_as_it_is(tmp_path) -> None:
    """On disk and in memory; a file, its bytes and a model give the same; a name may come twice, or alone."""
    proto = converted(tmp_path, mlp(), neuron="if", **QUICK)
    path, data = tmp_path / "s.onnx", proto.SerializeToString()
    path.write_bytes(data)
    for model in (path, data, proto):
        session = snn_ops.Session(model)
        _, recording = session.run(X, record=["first", "first"])
        np.testing.assert_array_equal(session.run(X, record="first")[1]["first"], recording["first"])
    assert path.read_bytes() == data == proto.SerializeToString()
    outputs, nothing = session.run(X, record=[])
    assert (len(outputs), dict(nothing)) == (1, {})
    (y,), nobody = session.run(X[:0], record=["first"])
    assert (y.shape, nobody["first"].shape) == ((0, 4), (STEPS, 0, 16))


MEMORY = """
import sys, snn_ops, numpy as np
from converter.bench.cold_start import peak_bytes
model, in_files = sys.argv[1], sys.argv[2]
x = np.ones((1, 8), np.float32)
_, recording = snn_ops.Session(model).run(x, n_steps=10_000, record=["act"], record_in=in_files or None)
assert recording.counts["act"].shape == (10_000, 1, 10_000)
assert recording.counts["act"].any()
print(peak_bytes())
"""
"""A process that records 10,000 steps of 10,000 neurons and prints the most memory that it held."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory a process took")
@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"neuron": "if-burst", **QUICK},
        pytest.param({"streaming": True, "neuron": "lif", **QUICK}, marks=pytest.mark.slow),
        pytest.param({"code": "delta"}, marks=pytest.mark.slow),
    ],
)
def test_memory(options, in_files, tmp_path) -> None:
    """Of 100 million neuron-steps: in float32 they alone would take 0.4 GB."""
    model = text_model(
        """m (float[N,8] x) => (float[N,2] y) <float[8,10000] W, float[10000,2] V> {
             h = MatMul(x, W)  [act] a = Relu(h)  y = MatMul(a, V) }"""
    )
    proto = converted(tmp_path, model, **options)
    name = "a" if "code" in options else "act"  # as `inspect` shows it
    path = save(proto, tmp_path / "wide.snn.onnx")
    code = MEMORY.replace('"act"', repr(name))
    arguments = [sys.executable, "-c", code, path, str(tmp_path) if in_files else ""]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1e9
