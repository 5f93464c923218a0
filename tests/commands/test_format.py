"""What a file says about itself: newer formats are refused by every command, damaged fields cost what needs them only."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import onnx
import pytest

from snn_ops.format import PREFIX

COMMANDS = {
    "inspect": ("inspect", "m.snn.onnx"),
    "run": ("run", "m.snn.onnx", "--input", "test.npz"),
    "evaluate": ("evaluate", "m.snn.onnx", "--data", "test.npz"),
    "export npz": ("export", "npz", "m.snn.onnx", "-o", "w.npz"),
    "export nengo": ("export", "nengo", "m.snn.onnx", "-o", "net.py"),
    "verify": ("verify", "m.snn.onnx", "--data", "test.npz", "--samples", "2", "--steps", "4"),
    "import-weights": ("import-weights", "weights.npz", "m.snn.onnx", "-o", "changed.snn.onnx"),
    "train": ("train", "m.snn.onnx", "--data", "test.npz", "-o", "trained.snn.onnx", "--batch", "5", "--epochs", "1"),
}
"""Every command that reads a spiking model."""


@pytest.fixture
def spiking(command, folder):
    """A converted model in the current folder, and weights for it; call it to change what the file says."""
    assert command("convert", "m.onnx", "--calibration", "calibration.npz", "--neuron", "if").code == 0
    np.savez("weights.npz", B3=np.zeros(4))

    def write(**fields: str | None) -> None:
        model = onnx.load("m.snn.onnx")
        properties = {entry.key: entry.value for entry in model.metadata_props}
        for name, text in fields.items():
            properties.pop(PREFIX + name, None)
            if text is not None:
                properties[PREFIX + name] = text
        onnx.helper.set_model_props(model, properties)
        onnx.save(model, "m.snn.onnx")

    return write


def needed(name: str) -> None:
    package = {"export nengo": "nengo", "verify": "nengo", "train": "nengo_dl"}.get(name)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_newer_format_is_refused(command, folder, spiking, name) -> None:
    needed(name)
    spiking(format="99")
    before = sorted(folder.iterdir())
    done = command(*COMMANDS[name])
    expected = "onnx-snn: m.snn.onnx: made for format 99, this release reads 1: pip install -U onnx-snn\n"
    assert (done.code, done.out, done.err) == (1, "", expected)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("verify", "train")])
def test_what_is_not_known_is_ignored(command, spiking, name) -> None:
    needed(name)
    layers = [{"name": "first", "activation": "Relu", "neuron": "IF", "max_spikes": 1, "channels": 16}]
    layers[0] |= {"threshold": [1, 2, 3], "relative_error": 0.1, "spike_rate": 1, "synaptic_operations": 7, "colour": 9}
    work = {"multiply_adds": 1, "analog": 1, "synaptic_operations": 1.0, "energy_ratio": None, "water": 3}
    spiking(
        layers=json.dumps(layers),
        work=json.dumps(work),
        islands='[{"nodes": ["a"], "op_types": ["MaxPool"], "depth": 2}]',
        kept_analog='[{"name": "a", "activation": "Relu", "reason": "no", "since": 1}]',
        weather="sunny",
    )
    done = command(*COMMANDS[name])
    assert done.code == 0, done.err
    assert "damaged" not in done.err


@pytest.mark.parametrize("name", ["run", "evaluate", "export npz", "export nengo", "import-weights"])
@pytest.mark.parametrize("field", ["layers", "work", "islands", "kept_analog", "options", "calibration_samples"])
def test_a_damaged_field_costs_only_what_needs_it(command, spiking, name, field) -> None:
    needed(name)
    spiking(**{field: "broken"})
    done = command(*COMMANDS[name])
    assert done.code == 0, done.err


DAMAGED = {
    "layers": ("nonsense", "must be a JSON list of objects, it is 'nonsense'"),
    "work": ('{"multiply_adds": "many"}', "'multiply_adds' must be int, it is 'many'"),
    "islands": ('[{"nodes": 3}]', "'nodes' must be"),
    "kept_analog": ('[{"name": "a"}]', "'activation' is missing"),
    "options": ("[]", "must be a JSON object, it is '[]'"),
    "n_steps": ("none", "must be an integer from 1 to 2^63 - 1, it is 'none'"),
}


@pytest.mark.parametrize("field", DAMAGED)
def test_inspect_names_a_damaged_field_and_shows_the_rest(command, spiking, field) -> None:
    text, reason = DAMAGED[field]
    spiking(**{field: text})
    done = command("inspect", "m.snn.onnx")
    assert done.code == 0, done.err
    assert done.err.startswith(f"damaged: metadata onnx_snn.{field}")
    assert reason in done.err
    assert done.err.count("\n") == 1
    assert ("Work per sample" in done.out) == (field not in ("work", "n_steps"))  # its title has the steps
    assert ("first" in done.out) == (field != "layers")
    as_json = json.loads(command("inspect", "m.snn.onnx", "--json", "-").out)
    assert list(as_json["damaged"]) == [field]
    assert reason in as_json["damaged"][field]
    whole = {"layers": 2, "work": 4, "options": 15}
    assert {name: len(as_json[name]) for name in whole} == {**whole, **({field: 0} if field in whole else {})}


@pytest.mark.parametrize("name", ["run", "evaluate"])
def test_running_needs_the_schedule_and_the_number_of_steps(command, spiking, name) -> None:
    spiking(row_bytes="many")
    done = command(*COMMANDS[name])
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "m.snn.onnx: metadata onnx_snn.row_bytes must be an integer" in done.err


@pytest.mark.parametrize("name", ["export nengo", "verify", "train", "run"])
def test_a_damaged_number_of_steps_is_refused_where_it_is_needed(command, spiking, name) -> None:
    needed(name)
    spiking(n_steps="many")
    done = command(*(argument for argument in COMMANDS[name] if argument not in ("--steps", "4")))
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), done
    assert "m.snn.onnx: metadata onnx_snn.n_steps must be an integer" in done.err


def test_without_metadata(command, spiking) -> None:
    """A file that says nothing is one for a step."""
    spiking(**dict.fromkeys(("n_steps", "layers", "work", "options", "schedule", "source", "islands", "kept_analog")))
    for name in ("inspect", "run", "evaluate", "export npz"):
        done = command(*COMMANDS[name])
        assert done.code == 0, done.err


def measured(path: str) -> set[str]:
    properties = {entry.key for entry in onnx.load(path).metadata_props}
    return properties & {f"{PREFIX}layers", f"{PREFIX}work"}


def test_changed_weights_drop_what_was_measured_with_the_old_ones(command, spiking) -> None:
    assert measured("m.snn.onnx")
    command(*COMMANDS["import-weights"])
    assert not measured("changed.snn.onnx")
    before, after = ({e.key: e.value for e in onnx.load(p).metadata_props} for p in ("m.snn.onnx", "changed.snn.onnx"))
    assert after == {key: value for key, value in before.items() if key in after}
    assert json.loads(command("inspect", "changed.snn.onnx", "--json", "-").out)["layers"] == []


def test_training_drops_what_was_measured_with_the_old_weights(command, spiking) -> None:
    needed("train")
    done = command(*COMMANDS["train"])
    assert done.code == 0, done.err
    assert not measured("trained.snn.onnx")
