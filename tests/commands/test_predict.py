"""onnx-snn predict"""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.models import mlp, samples

pq = pytest.importorskip("pyarrow.parquet")


def test_predictions_and_a_second_run(command, spiking, folder) -> None:
    done = command("predict", "m.snn.onnx", "--data", "test.npz", "-o", "out", "--json", "a.json")
    assert done.code == 0, done.err
    assert done.out.startswith("out: 40 samples, ")
    rows = pq.read_table("out")
    assert command("run", "m.snn.onnx", "--input", "test.npz", "-o", "y.npz").code == 0
    with np.load("y.npz") as file:
        np.testing.assert_array_equal(np.asarray(rows["y"].to_pylist(), np.float32), file["y"])
    written = json.loads((folder / "a.json").read_text())
    assert (written["samples"], written["samples_now"], written["odd"]) == (40, 40, [])
    done = command("predict", "m.snn.onnx", "--data", "test.npz", "-o", "out", "--json", "-")
    assert json.loads(done.out)["samples_now"] == 0
    assert command("predict", "m.snn.onnx", "--data", "test.npz", "-o", "few", "--samples", "7").out.startswith(
        "few: 7 "
    )


def test_what_is_wrong_is_said_in_a_line(command, spiking, folder) -> None:
    (folder / "d").mkdir()
    bad = samples(mlp(), 20)
    bad[::2, 0] = np.inf
    np.savez("d/a.npz", x=bad)
    (folder / "d" / "b.npz").write_bytes(b"PK")
    done = command("predict", "m.snn.onnx", "--data", "d", "-o", "out")
    assert done.code == 0
    lines = done.err.splitlines()
    assert [line[:22] for line in lines[:2]] == ["not predicted: b.npz: ", "not predicted: a.npz#0"]
    assert lines[-1].endswith("6 more, see out/_manifest.json")
    for arguments in (
        ("--data", "absent", "-o", "o"),
        ("--data", "d", "-o", "absent/o"),
        ("--data", "d", "-o", "m.onnx"),
        ("--data", "d", "-o", "out", "--steps", "3"),
        ("--data", "d", "-o", "o", "--strict"),
        ("--data", "d", "-o", "o", "--engine", "cloud"),
        ("--data", "a.b:c", "-o", "o"),
    ):
        done = command("predict", "m.snn.onnx", *arguments)
        assert (done.code, done.err.count("\n")) == (1, 1), done.err
