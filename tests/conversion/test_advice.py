"""What a conversion tells its user to know and to do."""

from __future__ import annotations

import numpy as np

from converter.conversion.main import convert
from converter.io.samples import Samples
from converter.normalise.ann import load_ann
from tests.models import convert_model, mlp, samples, save


def test_another_neuron_than_was_named_is_told(tmp_path) -> None:
    """A LIF neuron has no rate that follows SiLU or Elu; where the user names no neuron, there is nothing to tell."""
    conversion, _ = convert_model(mlp("Elu"), tmp_path, neuron="lif", n_steps=8)
    assert [layer.reason for layer in conversion.layers] == ["lif neurons cannot stand for Elu"] * 2
    (note,) = [note for note in conversion.notes if "--neuron" in note]
    assert note == "--neuron lif: none of the 2 layers has a form for lif (Elu); they get SigmaDelta neurons"
    for options in ({}, {"neuron": "sigma-delta"}):
        conversion, _ = convert_model(mlp("Elu"), tmp_path, n_steps=8, **options)
        assert [layer.reason for layer in conversion.layers] == ["", ""]
        assert not [note for note in conversion.notes if "--neuron" in note]


def test_a_single_layer_may_be_told(tmp_path) -> None:
    conversion, _ = convert_model(mlp("Tanh"), tmp_path, n_steps=8, layers={"second": {"neuron": "if"}})
    assert [layer.reason for layer in conversion.layers] == ["", "if neurons cannot stand for Tanh"]


def test_where_spikes_lose_is_told(tmp_path) -> None:
    conversion, _ = convert_model(mlp(), tmp_path, neuron="if", n_steps=32)
    (note,) = [note for note in conversion.notes if "8-bit" in note]
    times = conversion.work.energy_ratio / conversion.eight_bit.energy_ratio
    assert note.startswith(f"on single samples this spiking model, in floats, takes {times:.3g} times the energy")


def test_too_few_samples_to_hold_any_out_are_told(tmp_path) -> None:
    path = save(mlp(), tmp_path / "m.onnx")
    for count, held_out in ((7, 0), (8, 2), (31, 7), (32, 4)):
        conversion = convert(path, samples(mlp(), count), neuron="if", n_steps=4)
        assert any("too few samples to hold any out" in note for note in conversion.notes) == (not held_out)
        assert conversion.measured.held_out == bool(held_out)
        assert conversion.calibration_samples == count - held_out
        assert conversion.measured.samples == (held_out or count)


def test_a_stream_that_does_not_follow_is_told(tmp_path) -> None:
    """The mean of everything does not; one that forgets does. Both are measured on samples one after the other."""
    path, x = save(mlp(), tmp_path / "m.onnx"), samples(mlp(), 256)
    told = {}
    for readout in ("mean", "leaky"):
        conversion = convert(path, x, code="rate", neuron="if-burst", n_steps=8, streaming=True, readout=readout)
        stream = conversion.measured.stream
        assert stream.frames == 3 * conversion.measured.samples
        told[readout] = (
            stream.agreement,
            [note for note in conversion.notes if note.startswith("a stream of this file")],
        )
    (mean, (note,)), (leaky, none) = told["mean"], told["leaky"]
    assert leaky > mean + 0.1
    assert f"class on {mean:.0%} of 96 frames" in note
    assert note.endswith("8 steps each; worth a try: --readout window or leaky, --code delta")
    assert not none
    conversion = convert(path, x, code="rate", neuron="if-burst", n_steps=8)
    assert conversion.measured.stream is None


def test_labels_that_are_no_classes_are_told(tmp_path) -> None:
    """As `evaluate` tells it, of all samples: also of those that are held out or not measured on."""
    ann, x = load_ann(save(mlp(), tmp_path / "m.onnx")), samples(mlp(), 40)
    for labels, told in (
        (np.arange(40) % 4, []),
        (
            np.arange(40) % 4 + 1,
            ["the labels `y` run from 1 to 4, the model's classes from 0 to 3; they seem to begin at 1: subtract 1"],
        ),
        (
            np.arange(40),
            ["the labels `y` run from 0 to 39, the model's classes from 0 to 3; give the numbers of its classes"],
        ),
    ):
        notes = convert(ann, Samples({"x": x}, labels), code="delta", n_steps=2).notes
        assert [note for note in notes if "labels" in note] == told
