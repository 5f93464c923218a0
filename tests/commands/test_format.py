"""What a file says about itself: newer formats are refused by every command, damaged fields cost what needs them only."""

from __future__ import annotations

import importlib.util
import json

import pytest

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


def needed(name: str) -> None:
    package = {"export nengo": "nengo", "verify": "nengo", "train": "nengo_dl"}.get(name)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_newer_format_is_refused(command, folder, change_metadata, name) -> None:
    needed(name)
    change_metadata(format="99")
    before = sorted(folder.iterdir())
    done = command(*COMMANDS[name])
    expected = "onnx-snn: m.snn.onnx: made for format 99, this release reads 1: pip install -U onnx-snn\n"
    assert (done.code, done.out, done.err) == (1, "", expected)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("verify", "train")])
def test_what_is_not_known_is_ignored(command, change_metadata, name) -> None:
    needed(name)
    layers = [{"name": "first", "activation": "Relu", "neuron": "IF", "max_spikes": 1, "channels": 16}]
    layers[0] |= {"threshold": [1, 2, 3], "relative_error": 0.1, "spike_rate": 1, "synaptic_operations": 7, "colour": 9}
    work = {"multiply_adds": 1, "analog": 1, "synaptic_operations": 1.0, "energy_ratio": None, "water": 3}
    change_metadata(
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
def test_a_damaged_field_costs_only_what_needs_it(command, change_metadata, name, field) -> None:
    needed(name)
    change_metadata(**{field: "broken"})
    done = command(*COMMANDS[name])
    assert done.code == 0, done.err


@pytest.mark.parametrize("name", ["run", "evaluate"])
def test_running_needs_the_schedule_and_the_number_of_steps(command, change_metadata, name) -> None:
    change_metadata(row_bytes="many")
    done = command(*COMMANDS[name])
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "m.snn.onnx: metadata onnx_snn.row_bytes must be an integer" in done.err


@pytest.mark.parametrize("name", ["export nengo", "verify", "train", "run"])
def test_a_damaged_number_of_steps_is_refused_where_it_is_needed(command, change_metadata, name) -> None:
    needed(name)
    change_metadata(n_steps="many")
    done = command(*(argument for argument in COMMANDS[name] if argument not in ("--steps", "4")))
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), done
    assert "m.snn.onnx: metadata onnx_snn.n_steps must be an integer" in done.err


def test_without_metadata(command, change_metadata) -> None:
    """A file that says nothing is one for a step."""
    change_metadata(
        **dict.fromkeys(("n_steps", "layers", "work", "options", "schedule", "source", "islands", "kept_analog"))
    )
    for name in ("inspect", "run", "evaluate", "export npz"):
        done = command(*COMMANDS[name])
        assert done.code == 0, done.err
