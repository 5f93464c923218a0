"""What a conversion tells its user to know and to do."""

from __future__ import annotations

from tests.models import convert_model, mlp


def test_another_neuron_than_was_named_is_told(tmp_path) -> None:
    """A LIF neuron has no rate that follows SiLU or Elu; where the user names no neuron, there is nothing to tell."""
    conversion, _ = convert_model(mlp("Elu"), tmp_path, neuron="lif", n_steps=8)
    assert [layer.reason for layer in conversion.layers] == ["lif neurons cannot stand for Elu"] * 2
    (note,) = [note for note in conversion.notes if "other neurons" in note]
    assert note == (
        "2 of 2 layers have other neurons than was asked for (SigmaDelta): lif neurons cannot stand for Elu"
    )
    for options in ({}, {"neuron": "sigma-delta"}):
        conversion, _ = convert_model(mlp("Elu"), tmp_path, n_steps=8, **options)
        assert [layer.reason for layer in conversion.layers] == ["", ""]
        assert not [note for note in conversion.notes if "other neurons" in note]


def test_a_single_layer_may_be_told(tmp_path) -> None:
    conversion, _ = convert_model(mlp("Tanh"), tmp_path, n_steps=8, layers={"second": {"neuron": "if"}})
    assert [layer.reason for layer in conversion.layers] == ["", "if neurons cannot stand for Tanh"]
