"""Session: what reaches ONNX Runtime, and samples that are refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest

from snn_ops.format import PREFIX
from snn_ops.provider import DEFAULTS
from snn_ops.session import Session, rows_at_once
from snn_ops.single import operator_model


def model(element: type = np.float32) -> bytes:
    """The operator SoftLIFRate, of two inputs."""
    return operator_model("SoftLIFRate", element, [2, 0], with_function=True).SerializeToString()


def with_metadata(**fields: int) -> onnx.ModelProto:
    """``y = mean over time of IF(x)``."""
    proto = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18, "onnx_snn" : 1]>
        m (float[batch, 3] x, int64 n_steps) => (float[batch, 3] y)
        <int64 n_steps = {4}, float threshold = {0.7}, float zero = {0}, int64 step = {0}>
        {
          spikes, "", "" = onnx_snn.IF<max_spikes: int = 1, signed: int = 0, constant_current: int = 1>
                           (x, n_steps, threshold, zero, zero)
          y, "", "" = onnx_snn.TimeMean(spikes, n_steps, zero, step)
        }""")
    onnx.helper.set_model_props(proto, {f"{PREFIX}{name}": str(value) for name, value in fields.items()})
    return proto


@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {"cudnn_conv_algo_search": "HEURISTIC"}),
        (
            {"device_id": 1, "use_tf32": False, "enable_cuda_graph": True},
            {"cudnn_conv_algo_search": "HEURISTIC", "device_id": "1", "use_tf32": "0", "enable_cuda_graph": "1"},
        ),
        ({"cudnn_conv_algo_search": "EXHAUSTIVE"}, {"cudnn_conv_algo_search": "EXHAUSTIVE"}),
    ],
)
def test_provider_options_reach_onnx_runtime(given, expected, monkeypatch) -> None:
    """Ours and the caller's, as texts; a GPU that does not start is not replaced by the CPU."""
    calls = []

    def started(*arguments, real=ort.InferenceSession, **keywords):
        calls.append(keywords)
        return real(*arguments)

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr("snn_ops.provider._load_cuda", lambda: "")
    monkeypatch.setattr(ort, "InferenceSession", started)
    with pytest.raises(RuntimeError, match="CUDAExecutionProvider could not be started"):
        Session(model(), provider="cuda", provider_options=given)
    assert calls == [{"providers": [("CUDAExecutionProvider", expected)], "enable_fallback": 0}]
    assert DEFAULTS == {"cpu": {}, "cuda": {"cudnn_conv_algo_search": "HEURISTIC"}}


def test_the_cpu_takes_no_options() -> None:
    with pytest.raises(ValueError, match=r"^the provider 'cpu' takes no options; device_id, use_tf32 is for 'cuda'$"):
        Session(model(), provider_options={"device_id": 0, "use_tf32": 0})
    Session(model(), provider_options={})


@pytest.mark.parametrize("element", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_refused(bad, element) -> None:
    """Whole runs and single batches; the message names the sample of the run, not of the batch."""
    session = Session(model(element), batch_size=2)
    one = np.ones((), np.float64 if element is np.float64 else np.float32)
    x = np.ones((7, 3), element)
    (good,) = session.run_batch({"current": x, "amplitude": one}, 1)
    assert good.shape == x.shape
    x[5, 1] = x[6, 0] = bad
    with pytest.raises(ValueError, match=r"^`current` holds NaN or infinity, first in sample 5$"):
        session.run({"current": x, "amplitude": np.broadcast_to(one, 7)})
    with pytest.raises(ValueError, match=r"^`current` holds NaN or infinity, first in sample 1$"):
        session.run_batch({"current": x[4:], "amplitude": one}, 1)
    with pytest.raises(ValueError, match=r"^`amplitude` holds NaN or infinity, first in sample 0$"):
        session.run_batch({"current": x[:2], "amplitude": np.asarray(bad, one.dtype)}, 1)


def test_rows_at_once() -> None:
    """A CPU's cache holds few, a GPU's memory many; nobody runs more than fit."""
    for row_bytes, on_cpu, on_gpu in [(16 << 10, 256, 4096), (1 << 20, 64, 64), (1 << 30, 1, 1)]:
        assert (rows_at_once(row_bytes), rows_at_once(row_bytes, "cuda")) == (on_cpu, on_gpu)


def test_a_profile_is_written_where_it_was_asked_for(tmp_path) -> None:
    session = Session(model(), profile=tmp_path / "found")
    session.ort.run(None, {"current": np.ones((2, 3), np.float32), "amplitude": np.asarray(1, np.float32)})
    path = Path(session.ort.end_profiling())
    assert path.parent == tmp_path
    assert path.name.startswith("found")
    assert "SoftLIFRate" in {event.get("args", {}).get("op_name") for event in json.loads(path.read_text())}


@pytest.mark.parametrize(
    ("row_bytes", "cache", "rows"),
    [(4096, 4 << 20, 1024), (4096, 1 << 20, 256), (1 << 20, 4 << 20, 64), (4 << 20, 64 << 20, 16), (0, 1 << 20, 256)],
)
def test_rows_that_stay_in_the_cache(row_bytes, cache, rows, monkeypatch) -> None:
    """Not so few that the calls cost more than they do, and no more than fit in memory."""
    monkeypatch.setattr("snn_ops.session.cache_bytes", lambda threads: cache)
    assert Session(with_metadata(row_bytes=row_bytes)).rows == rows


@pytest.mark.parametrize(
    ("at_once", "steps", "samples"), [(0, 4, 24), (0, 30, 4), (0, 60, 2), (0, 90, 2), (0, 1000, 1), (1, 30, 120)]
)
def test_samples_of_a_call(at_once, steps, samples, monkeypatch) -> None:
    """About 100 rows in equal calls; a sample is one where nothing is kept for each step. The results stay the same."""
    monkeypatch.setattr(Session, "rows", 100)
    session, x = (
        Session(with_metadata(at_once=at_once)),
        np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32),
    )
    done: list[int] = []
    (y,) = session.run(x, n_steps=steps, progress=lambda now, of: done.append(now))
    assert done[0] == samples
    np.testing.assert_array_equal(y, Session(with_metadata(), batch_size=120).run(x, n_steps=steps)[0])


def random_neurons() -> onnx.ModelProto:
    """``spikes = StochasticSpiking(rate)``, a row for each step, and their mean."""
    return onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18, "onnx_snn" : 1]>
        m (float[batch, 3] rate, int64 n_steps, int64 first_sample) => (float[batch, 3] y, float[rows, 3] spikes)
        <int64 n_steps = {4}, int64 first_sample = {0}, float amplitude = {1}, float zero = {0}, int64 step = {0}>
        {
          spikes, "" = onnx_snn.StochasticSpiking<constant_current: int = 1>
                       (rate, n_steps, amplitude, step, first_sample)
          y, "", "" = onnx_snn.TimeMean(spikes, n_steps, zero, step)
        }""")


@pytest.mark.parametrize("make", [with_metadata, random_neurons])
def test_calls_of_one_size(make, monkeypatch) -> None:
    """On a GPU, where another size costs a search for convolutions: a last call takes samples again, and gives only its own."""
    x, whole, sizes = np.random.default_rng(0).uniform(0, 900, (11, 3)).astype(np.float32), Session(make()), []
    session, call = Session(make(), batch_size=4), Session._call
    session._same_shapes = True  # as with provider="cuda"
    monkeypatch.setattr(
        Session,
        "_call",
        lambda self, feed, *rest: (sizes.append(len(feed[self.input_names[0]])), call(self, feed, *rest))[1],
    )
    found = session.run(x)
    assert sizes == [4, 4, 4]
    for one, expected in zip(found, whole.run(x), strict=True):
        np.testing.assert_array_equal(one, expected)
    assert session.run(x[:3])[0].shape == (3, 3)


def test_a_pickled_session_starts_again(tmp_path, monkeypatch) -> None:
    """From its file, also in another folder, or from its bytes, with the same arguments."""
    x = np.linspace(-1, 2, 12, dtype=np.float32).reshape(4, 3)
    (tmp_path / "m.onnx").write_bytes(with_metadata(n_steps=4).SerializeToString())
    monkeypatch.chdir(tmp_path)
    for source in ("m.onnx", tmp_path / "m.onnx", with_metadata(n_steps=4)):
        session = Session(source, n_steps=3, batch_size=2, threads=1)
        text = pickle.dumps(session)
        monkeypatch.chdir("/")
        again = pickle.loads(text)
        monkeypatch.chdir(tmp_path)
        np.testing.assert_array_equal(again.run(x)[0], session.run(x)[0])
        assert (again.n_steps, again._batch_size, again._threads) == (3, 2, 1)


def test_numbers_of_another_type_are_rounded_or_refused() -> None:
    session = Session(with_metadata(n_steps=4))
    x = np.linspace(-1, 2, 12).reshape(4, 3)
    (expected,) = session.run(x.astype(np.float32))
    np.testing.assert_array_equal(session.run(x)[0], expected)
    np.testing.assert_array_equal(session.run(x.tolist())[0], expected)
    with pytest.raises(ValueError, match="`x` holds numbers too large for float32, first in sample 3"):
        session.run(x * 1e300 * (x > 1.8))


@pytest.mark.parametrize(("batch_size", "error"), [(0, ValueError), (-5, ValueError), (2.5, TypeError)])
def test_batches_hold_samples(batch_size, error) -> None:
    with pytest.raises(error, match="batch_size must be"):
        Session(with_metadata(n_steps=4), batch_size=batch_size)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((3,), r"`x` has the shape \[3\], the model's input needs \[samples, 3\]; one sample is x\[None\]$"),
        ((2, 4), r"`x` has the shape \[2, 4\], the model's input needs \[samples, 3\]$"),
        ((2, 3, 1), r"`x` has the shape \[2, 3, 1\], the model's input needs \[samples, 3\]$"),
    ],
)
def test_samples_of_another_shape(shape, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        Session(with_metadata(n_steps=4)).run(np.ones(shape, np.float32))
