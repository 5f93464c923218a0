"""Files of earlier releases go on running with the same bits; tests/data/release-*/README.md says how they were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import snn_ops
from snn_ops.format import Metadata

FOLDER = Path(__file__).parents[1] / "data" / "release-0.1.0"
RECORDED_WITH = ("1.32.0", "avx512")
"""ONNX Runtime and instruction set of the machine that recorded the outputs."""
LARGEST_DIFFERENCE = 0.2
"""Of outputs after one step elsewhere: ONNX Runtime may round Conv, Gemm and Tanh otherwise there, and a spike then comes
earlier or later. After T steps that is a T-th of it."""
BACKENDS = ["native", "functions"]


def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as archive:
        return dict(archive)


def check_same(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    same_machine = (onnxruntime.__version__, snn_ops.cpu_isa()) == RECORDED_WITH
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if same_machine else tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["stepped", "streaming"])
def test_outputs(name, backend) -> None:
    expected = recorded(name)
    session = snn_ops.Session(FOLDER / f"{name}.snn.onnx", backend=backend, threads=1)
    check_same(session.run(expected["x"])[0], expected["y_8"], LARGEST_DIFFERENCE / 8)  # the file's own number of steps
    for steps in (1, 3, 8, 20):
        check_same(session.run(expected["x"], n_steps=steps)[0], expected[f"y_{steps}"], LARGEST_DIFFERENCE / steps)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_in_chunks(backend) -> None:
    expected = recorded("streaming")
    session = snn_ops.Session(FOLDER / "streaming.snn.onnx", backend=backend, threads=1)
    stream = session.stream()
    check_same(stream.run(expected["x"], 3)[0], expected["y_stream_3"], LARGEST_DIFFERENCE / 3)
    saved = {name.removeprefix("state "): array for name, array in expected.items() if name.startswith("state ")}
    assert stream.save().keys() == saved.keys()
    assert int(stream.save()["step"]) == int(saved["step"]) == 3
    for name, array in stream.save().items():
        check_same(array, saved[name], tolerance=1e3)  # one spike is a whole threshold or count
    restored = session.stream()
    restored.restore(saved)  # from the state that the earlier release saved
    for continued in (stream, restored):
        check_same(continued.run(expected["x"][::-1], 5)[0], expected["y_stream_8"], LARGEST_DIFFERENCE / 8)


def test_a_stream_gives_the_bits_of_one_run() -> None:
    """On every machine."""
    x = recorded("streaming")["x"]
    results = []
    for backend in BACKENDS:
        session = snn_ops.Session(FOLDER / "streaming.snn.onnx", backend=backend, threads=1)
        stream = session.stream()
        stream.run(x, 3)
        results += [stream.run(x, 5)[0], session.run(x)[0]]
    results += [snn_ops.Session(FOLDER / "stepped.snn.onnx", threads=1).run(x)[0]]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("name", ["stepped", "streaming"])
def test_metadata(name) -> None:
    proto = onnx.load(FOLDER / f"{name}.snn.onnx")
    metadata = Metadata.read({entry.key: entry.value for entry in proto.metadata_props})
    assert not metadata.damaged()
    assert (metadata.format, metadata.n_steps, metadata.schedule, metadata.version) == (1, 8, "stepped", "0.1.0")
    assert metadata.source == "small.onnx"
    assert [layer["name"] for layer in metadata.layers] == ["first", "second", "third"]
    assert len(metadata.states) == (10 if name == "streaming" else 0)
    assert metadata.without_measurements().texts().keys() == metadata.texts().keys() - {"layers", "work"}
