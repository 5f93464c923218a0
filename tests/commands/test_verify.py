"""onnx-snn verify: agreement, and differences that were put in."""

from __future__ import annotations

import json

import onnx
import pytest

pytest.importorskip("nengo")


@pytest.mark.usefixtures("spiking", "folder")
def test_verify_agrees_and_says_so_as_json(command) -> None:
    result = command("verify", "m.snn.onnx", "--data", "test.npz", "--steps", "20", "--json", "-")
    assert result.code == 0
    (found,) = json.loads(result.out)
    assert (found["samples"], found["n_steps"], found["differing"]) == (10, 20, 0)
    assert found["compared"] == 10 * 20 * 28
    assert [layer["node"] for layer in found["layers"]] == ["first", "second"]
    assert "first" in command("verify", "m.snn.onnx", "--data", "test.npz", "--samples", "2").out


@pytest.mark.usefixtures("spiking", "folder")
def test_verify_fails_where_spikes_differ(command, monkeypatch) -> None:
    """Nengo's neurons forget negative currents: another network, other spikes."""
    module = pytest.importorskip("converter.nengo.verify")
    to_nengo = module.to_nengo
    monkeypatch.setattr(module, "to_nengo", lambda proto, **options: to_nengo(proto, core_neurons=True, **options))
    result = command("verify", "m.snn.onnx", "--data", "test.npz")
    assert result.code == 1
    assert "first difference: layer second, sample" in " ".join(result.out.split())
    assert "voltage in Nengo" in " ".join(result.out.split())


@pytest.mark.usefixtures("spiking", "folder")
def test_verify_fails_where_only_outputs_differ(command, monkeypatch) -> None:
    module = pytest.importorskip("converter.nengo.verify")
    to_nengo = module.to_nengo

    def with_another_readout(proto, **options):
        other = onnx.ModelProto()
        other.CopyFrom(proto)
        tensor = next(tensor for tensor in other.graph.initializer if tensor.name == "B3")
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) + 0.01, "B3"))
        return to_nengo(other, **options)

    monkeypatch.setattr(module, "to_nengo", with_another_readout)
    result = command("verify", "m.snn.onnx", "--data", "test.npz")
    assert result.code == 1
    assert "the outputs differ, though all spikes are the same" in " ".join(result.err.split())


@pytest.mark.usefixtures("spiking")
@pytest.mark.parametrize(
    "option", [("--samples", "0"), ("--samples", "-1"), ("--tolerance", "-1"), ("--tolerance", "2")]
)
def test_numbers_out_of_range_are_wrong_usage(command, option) -> None:
    assert command("verify", "m.snn.onnx", "--data", "test.npz", *option).code == 2
