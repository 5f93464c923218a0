"""What a process of its own needs; compared with sizes that are known."""

from __future__ import annotations

import numpy as np
import pytest

from converter.bench.cold_start import Task, cold_start, measure, peak_bytes
from converter.bench.runs import SPIKING, STREAM, TRAINED, Place
from converter.errors import RefusedError
from tests.models import convert_model, mlp, samples, save, text_model


def test_memory_of_this_process() -> None:
    before = peak_bytes()
    held = np.ones(1 << 28, np.uint8)
    after = peak_bytes()
    assert before is not None and after is not None
    assert after >= len(held)
    assert after >= before


def test_a_models_memory_is_seen(tmp_path) -> None:
    """Two models that differ by a matrix of 64 MB."""
    peaks = {}
    for width in (8, 4096):
        text = f"m (float[N,{width}] x) => (float[N,{width}] y) <float[{width},{width}] W> {{ y = MatMul(x, W) }}"
        model = save(text_model(text), tmp_path / f"{width}.onnx")
        np.savez(tmp_path / "x.npz", x=np.ones((2, width), np.float32))
        found = cold_start(Task(model, str(tmp_path / "x.npz"), TRAINED, Place(threads=1)), 1)
        assert found.peak_bytes is not None and found.empty_bytes is not None
        assert found.peak_bytes > found.empty_bytes
        assert 0 < found.load <= found.first_answer
        peaks[width] = found.peak_bytes - found.empty_bytes
    assert peaks[4096] - peaks[8] > 60 << 20


@pytest.mark.parametrize("system", [SPIKING, STREAM])
def test_spiking_models_start(tmp_path, system) -> None:
    convert_model(mlp(), tmp_path, streaming=True)
    np.savez(tmp_path / "x.npz", x=samples(mlp(), 3))
    task = Task(str(tmp_path / "m.snn.onnx"), str(tmp_path / "x.npz"), system, Place("functions", threads=1), 4)
    found = measure(task)
    assert 0 < found.load <= found.first_answer


def test_what_does_not_start_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones(3))
    task = Task(str(tmp_path / "none.onnx"), str(tmp_path / "x.npz"), SPIKING, Place())
    with pytest.raises(RefusedError, match=r"none\.onnx: in a process of its own: .*none\.onnx") as error:
        cold_start(task, 1)
    assert "\n" not in str(error.value)
