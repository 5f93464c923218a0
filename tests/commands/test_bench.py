"""onnx-snn bench: what it prints, what it writes, and that bad input leaves nothing behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter.commands.bench import _bar, _bytes, _time
from tests.commands.test_bad_input import check_refused, files
from tests.models import mlp, save, text_model

QUICK = ("--batch", "2", "--seconds", "0.02")


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr("converter.bench.main.PROCESSES", 1)
    monkeypatch.setattr("converter.bench.timing.warm_up", lambda turn: turn(0))
    monkeypatch.setattr("converter.bench.rates._RUNS", 2)
    monkeypatch.setattr("converter.bench.profile.warm_up", lambda turn: turn(0))
    monkeypatch.setattr("converter.bench.profile._SECONDS", 0.0)


def test_the_trained_model_is_found(command, spiking) -> None:
    done = command("bench", "m.snn.onnx", "--data", "test.npz", "--steps", "4", "--json", "b.json", "--profile", *QUICK)
    assert done.code == 0, done.err
    figures = json.loads(Path("b.json").read_text())
    assert [row["system"] for row in figures["timings"]] == ["spiking", "trained"]
    assert figures["data"] == "test.npz"
    assert figures["outputs"]["ann"]["accuracy"] is not None
    for word in ("Outputs, 40 samples", "spiking", "trained", "Where the time goes", "neurons", "x floor"):
        assert word in done.out
    assert done.err == ""
    # what is printed is in the JSON, to the digits that are printed
    ratio = figures["timings"][0]["ratio"]
    assert f"{ratio:.4g}" in done.out
    (profile,) = figures["profiles"]
    for layer in profile["layers"]:
        assert layer["name"] in done.out
        assert _time(layer["seconds"]) in done.out
    assert f"{100 * profile['kinds'][0]['seconds'] / profile['seconds']:.1f} %" in done.out


def test_json_alone(command, spiking) -> None:
    """Without a terminal there are results on standard output, and nothing else."""
    done = command("bench", "m.snn.onnx", "--json", "-", "--threads", "1", "--steps", "2,3", *QUICK)
    figures = json.loads(done.out)
    assert done.err == ""
    assert figures["random"] and figures["data"] is None
    assert {(row["n_steps"], row["batch"], row["threads"]) for row in figures["timings"]} == {
        (2, 2, 1),
        (3, 2, 1),
        (None, 2, 1),
    }
    for row in figures["timings"]:
        assert row["latency"]["p10"] <= row["latency"]["p50"] <= row["latency"]["p90"] <= row["latency"]["p99"]
        assert row["cold"]["peak_bytes"] > row["cold"]["empty_bytes"]


def test_another_file_than_it_was_made_from(command, spiking) -> None:
    """Same inputs and outputs, other weights: it runs, and that is said."""
    other = mlp()
    other.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones((8, 16), np.float32), "W1"))
    save(other, "other.onnx")
    done = command("bench", "m.snn.onnx", "--against", "other.onnx", "--data", "test.npz", *QUICK)
    assert done.code == 0
    assert "other.onnx is not the file that m.snn.onnx was made from" in done.err


def test_denormal_weights_are_told(command, folder) -> None:
    """In a file that another release made: today `convert` leaves none."""
    assert command("convert", "m.onnx", "--calibration", "calibration.npz").code == 0
    model = onnx.load("m.snn.onnx")
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "W2")
    weights = onnx.numpy_helper.to_array(tensor).copy()
    weights[3, :5] = 1e-40
    tensor.CopyFrom(onnx.numpy_helper.from_array(weights, "W2"))
    save(model, "m.snn.onnx")
    told = ": 5 weights are denormal numbers"
    assert command("bench", "m.snn.onnx", "--profile", *QUICK).err.count(told) == 1
    assert told not in command("bench", "m.snn.onnx", *QUICK).err


def test_without_the_trained_model(command, spiking) -> None:
    Path("m.onnx").unlink()
    done = command("bench", "m.snn.onnx", *QUICK)
    assert done.code == 0
    assert "Name it with --against MODEL.onnx" in done.err
    assert "On random numbers" in done.err
    assert "trained model" not in done.out


def test_bad_input(command, spiking, monkeypatch) -> None:
    np.savez("wide.npz", x=np.ones((4, 9)))
    Path("text.onnx").write_text("no model")
    save(text_model("m (float[N,8] x) => (float[N,3] y) <float[8,3] W> { y = MatMul(x, W) }"), "other.onnx")
    bare = onnx.load("m.snn.onnx")
    del bare.functions[:]
    onnx.save(bare, "bare.snn.onnx")
    before = files()
    for arguments, words in {
        ("m.snn.onnx", "--data", "wide.npz"): ["wide.npz", "`x` has the shape [4, 9]"],
        ("m.snn.onnx", "--data", "none.npz"): ["none.npz: there is no such file"],
        ("m.snn.onnx", "--batch", "0"): ["the batch must be at least 1, it is 0"],
        ("m.snn.onnx", "--steps", "8,0"): ["at least 1, it is 0"],
        ("m.snn.onnx", "--threads", "0"): ["the number of threads must be at least 1, it is 0"],
        ("m.snn.onnx", "--provider", "cuda"): ["m.snn.onnx", "CUDAExecutionProvider"],
        ("m.snn.onnx", "--provider", "cuda", "--profile"): ["profile on the CPU, or with NVIDIA's Nsight Systems"],
        ("m.snn.onnx", "--against", "other.onnx"): ["other.onnx: this is not the model that became m.snn.onnx"],
        ("m.snn.onnx", "--against", "text.onnx"): ["text.onnx: not an ONNX model"],
        ("m.snn.onnx", "--against", "m.snn.onnx"): ["m.snn.onnx", "already a spiking model"],
        ("m.onnx",): ["m.onnx: this is not a spiking model"],
        ("text.onnx",): ["text.onnx: not an ONNX model"],
        ("nowhere.onnx",): ["nowhere.onnx: there is no such file"],
        ("bare.snn.onnx", "--backend", "functions"): [
            "bare.snn.onnx",
            "holds no function for",
            "use the backend native",
        ],
    }.items():
        check_refused(command("bench", *arguments, "--json", "b.json"), *words)
    check_refused(command("bench", "m.snn.onnx", "--json", "missing/b.json"), "the folder missing does not exist")
    monkeypatch.setenv("ONNX_SNN_LIBRARY", "/nowhere/libonnx_snn.so")
    check_refused(command("bench", "m.snn.onnx", "--json", "b.json"), "/nowhere/libonnx_snn.so does not exist")
    assert files() == before
    assert command("bench", "m.snn.onnx", "--batch", "two").code == 2


def test_numbers_for_people() -> None:
    assert [_time(s) for s in (12.3456, 0.0123456, 0.00099, 1.234e-6)] == [
        "12.3 s",
        "12.3 ms",
        "990 \u00b5s",
        "1.23 \u00b5s",
    ]
    assert [_bytes(n) for n in (None, 999, 65_432, 1_234_567, 2_500_000_000)] == [
        "-",
        "0.999 kB",
        "65.4 kB",
        "1.23 MB",
        "2.5 GB",
    ]
    assert [len(_bar(share)) for share in (0, 0.5, 1)] == [0, 10, 20]
    assert _bar(1 / 160) == "\u258f"
    assert not re.search(r"\s", _bar(0.77))
