"""Streams of the delta code: they answer for the present input, chunks give the same bits, a still input costs nothing."""

from __future__ import annotations

from importlib import resources

import numpy as np
import onnx
import pytest

import snn_ops
from converter.conversion.main import convert
from snn_ops.format import Metadata
from tests.models import mlp, save
from tests.models import samples as random_samples

FOLDER = resources.files("converter.demo") / "data"


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    with np.load(str(FOLDER / "mnist_calibration.npz")) as file:
        return file["x"].astype(np.float32) / 255


@pytest.fixture(scope="module", params=["stepped", "two-phase"])
def model(request, digits) -> tuple[onnx.ModelProto, int]:
    """A streaming LeNet-5, and the steps that a digit gets."""
    conversion = convert(
        str(FOLDER / "lenet5_relu.onnx"), digits[:128], code="delta", streaming=True, schedule=request.param
    )
    return conversion.proto(), 8 if request.param == "stepped" else 1


@pytest.mark.parametrize("backend", ["native", "functions"])
def test_chunks_equal_one_piece(model, digits, backend) -> None:
    proto, _ = model
    session = snn_ops.Session(proto, backend=backend)
    (whole,) = session.stream().run(digits[:4], 12)
    stream = session.stream()
    for n_steps in (1, 5, 2, 4):
        (found,) = stream.run(digits[:4], n_steps)
    np.testing.assert_array_equal(found, whole)


def test_it_answers_for_the_present_input(model, digits) -> None:
    """One digit after the other in one stream gives what each gives alone, from rest."""
    proto, steps = model
    session = snn_ops.Session(proto)
    stream = session.stream()
    alone = np.concatenate([session.stream().run(digits[i : i + 1], steps)[0] for i in range(20)])
    after = np.concatenate([stream.run(digits[i : i + 1], steps)[0] for i in range(20)])
    assert (after.argmax(axis=1) == alone.argmax(axis=1)).all()
    assert np.linalg.norm(after - alone) < 0.1 * np.linalg.norm(alone)


def test_a_still_input_costs_nothing_once_it_has_settled(model, digits) -> None:
    proto, _ = model
    session = snn_ops.Session(proto)
    stream = session.stream()
    stream.run(digits[:2], 24)
    settled = stream.save()
    stream.run(digits[:2], 1000)
    later = stream.save()
    assert settled.keys() == later.keys()
    for name, array in settled.items():
        if name != "step":
            np.testing.assert_array_equal(later[name], array)


def test_a_million_steps_leave_no_error(tmp_path) -> None:
    """The answer after a long stream of changing inputs is, bit for bit, that of the sums that were sent: no error adds up.

    Sums are whole numbers of 2^-12 thresholds, and layers compute from them, so the state alone says what the model gives.
    """
    net = mlp()
    x = random_samples(net)
    proto = convert(save(net, tmp_path / "m.onnx"), x, code="delta", streaming=True).proto()
    session = snn_ops.Session(proto)
    stream = session.stream()
    for i in range(3000):
        stream.run(x[i % 64 : i % 64 + 1], 300)
    (found,) = stream.run(x[:1], 40)
    state = stream.save()
    assert int(state["step"]) == 3000 * 300 + 40
    for name, array in state.items():
        if name.endswith(".sent"):
            np.testing.assert_array_equal(array * 4096, np.round(array * 4096))
    (fresh,) = session.stream().run(x[:1], 40)
    scale = np.abs(fresh).max()
    assert np.abs(found - fresh).max() <= 0.02 * scale  # both are settled within 3/4 of the finest height


def test_a_new_frame_begins_with_large_spikes(digits) -> None:
    """`new_frame` restarts t: what is sent in the next step is as coarse as in the first."""
    proto = convert(str(FOLDER / "lenet5_relu.onnx"), digits[:128], code="delta", streaming=True).proto()
    session = snn_ops.Session(proto)

    def sent_in_a_step(new_frame: bool) -> int:
        stream = session.stream()
        stream.run(digits[:1], 12)
        before = stream.save()
        stream.run(digits[1:2], 1, new_frame=new_frame)
        after = stream.save()
        assert int(after["step"]) == (1 if new_frame else 13)
        return sum(int((after[name] != before[name]).sum()) for name in before if name != "step")

    assert sent_in_a_step(True) < sent_in_a_step(False)


def test_a_stream_of_the_rate_code_has_no_frames(tmp_path) -> None:
    net = mlp()
    x = random_samples(net)
    proto = convert(save(net, tmp_path / "m.onnx"), x, neuron="if", streaming=True).proto()
    stream = snn_ops.Session(proto).stream()
    with pytest.raises(ValueError, match="frames belong to the delta code"):
        stream.run(x[:1], new_frame=True)


def test_the_file_says_its_code(model) -> None:
    proto, _ = model
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    assert Metadata.read(entries).code == "delta"
