"""What a file says about itself: newer formats are refused by every command, damaged fields cost what needs them only."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import onnx
import pytest

from snn_ops.explicit_inputs import has_explicit_inputs, with_defaults, with_explicit_inputs

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


def explicit(name: str) -> None:
    """A file whose inputs have no defaults in place of one whose inputs have them."""
    onnx.save(with_explicit_inputs(onnx.load(name)), name)


@pytest.mark.usefixtures("spiking")
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "inspect"])
def test_inputs_without_defaults_change_nothing(command, folder, name) -> None:
    """The same words and the same files; a model that is written has its inputs as the one that was read."""
    needed(name)
    done, files = [], []
    for form in ("usual", "explicit"):
        if form == "explicit":
            explicit("m.snn.onnx")
        before = set(folder.iterdir())
        done.append(command(*COMMANDS[name]))
        assert done[-1].code == 0, done[-1].err
        new = set(folder.iterdir()) - before
        for path in (path for path in new if path.suffix == ".onnx"):
            model = onnx.load(path)
            assert has_explicit_inputs(model) == (form == "explicit")
            onnx.save(with_defaults(model), path)
        files.append({path.name: weights(path) if path.suffix == ".onnx" else path.read_bytes() for path in new})
        for path in new:
            path.unlink()
    assert without_sizes(done[0].out) == without_sizes(done[1].out)
    assert files[0] == files[1]


def weights(path: Path) -> dict[str, bytes]:
    return {t.name: onnx.numpy_helper.to_array(t).tobytes() for t in onnx.load(path).graph.initializer}


def without_sizes(text: str) -> str:
    """Without lines that say how long something took."""
    return "\n".join(line for line in text.splitlines() if " s" not in line)


@pytest.mark.usefixtures("spiking")
def test_inspect_shows_inputs_without_defaults(command, folder) -> None:
    assert command("inspect", "m.snn.onnx", "--json", "a.json").code == 0
    explicit("m.snn.onnx")
    assert command("inspect", "m.snn.onnx", "--json", "b.json").code == 0
    usual, other = (json.loads((folder / name).read_text()) for name in ("a.json", "b.json"))
    assert json.loads(other.pop("defaults"))["n_steps"]["type"] == "int64"
    assert usual == other


@pytest.mark.parametrize("name", ["run", "evaluate", "import-weights", "inspect"])
def test_damaged_defaults_are_named(command, change_metadata, name) -> None:
    explicit("m.snn.onnx")
    change_metadata(defaults="broken")
    done = command(*COMMANDS[name])
    if name in ("inspect", "import-weights"):  # they need none of them
        assert done.code == 0
        assert name != "inspect" or "damaged: metadata onnx_snn.defaults must be a JSON object" in done.err
    else:
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert "m.snn.onnx: metadata onnx_snn.defaults must be a JSON object" in done.err


@pytest.mark.usefixtures("folder")
def test_convert_with_explicit_inputs(command) -> None:
    done = command(*"convert m.onnx --calibration calibration.npz --steps 4 --streaming --explicit-inputs".split())
    assert done.code == 0, done.err
    model = onnx.load("m.snn.onnx")
    names = {value.name for value in model.graph.input}
    assert {"x", "n_steps", "step"} < names
    assert not names & {tensor.name for tensor in model.graph.initializer}
