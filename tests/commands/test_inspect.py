"""onnx-snn inspect."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import onnx
import pytest

from converter.normalise import ann, frameworks
from converter.options import Options
from tests.models import mlp, save, text_model

DAMAGED = {
    "layers": ("nonsense", "must be a JSON list of objects, it is 'nonsense'"),
    "work": ('{"multiply_adds": "many"}', "'multiply_adds' must be int, it is 'many'"),
    "islands": ('[{"nodes": 3}]', "'nodes' must be"),
    "kept_analog": ('[{"name": "a"}]', "'activation' is missing"),
    "options": ("[]", "must be a JSON object, it is '[]'"),
    "n_steps": ("none", "must be an integer from 1 to 2^63 - 1, it is 'none'"),
}


@pytest.mark.parametrize("field", DAMAGED)
def test_inspect_names_a_damaged_field_and_shows_the_rest(command, change_metadata, field) -> None:
    text, reason = DAMAGED[field]
    change_metadata(**{field: text})
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
    whole = {"layers": 2, "work": 14, "options": len(fields(Options))}
    assert {name: len(as_json[name]) for name in whole} == {**whole, **({field: 0} if field in whole else {})}


def test_verbose_says_what_the_passes_did_to_a_trained_model(command, folder) -> None:
    model = text_model(
        "m (float[1,8] x) => (float[1,4] y) <float[8,6] W, float[6,4] V> { h = MatMul(x, W) a = Relu(h) y = MatMul(a, V) }"
    )
    save(model, Path("fixed.onnx"))
    done = command("inspect", "fixed.onnx", "-v", "--json", "i.json")
    assert done.code == 0, done.err
    changed = {report["name"]: report["changed"] for report in json.loads(Path("i.json").read_text())["passes"]}
    lines = [line for line in changed["open batch"] if "input 'x'" in line]
    assert len(lines) == 1
    assert f"  changed   {lines[0]}\n" in done.err
    assert "pass" not in command("inspect", "fixed.onnx").err


def test_a_trained_model_that_imports_our_domain(command, folder) -> None:
    """As ONNX Runtime writes it where our library is registered."""
    model = mlp()
    model.opset_import.append(onnx.helper.make_opsetid("onnx_snn", 1))
    save(model, Path("imports.onnx"))
    done = command("inspect", "imports.onnx", "--json", "-")
    assert (done.code, json.loads(done.out)["spiking"]) == (0, False), done.err


def test_files_of_frameworks(command, folder, monkeypatch) -> None:
    """They are trained models, too; what can run code is loaded with the word only."""
    asked = []

    def export(path, framework, sample_shape=None, *, trust=False) -> onnx.ModelProto:
        asked.append((path.name, framework.name, trust))
        return mlp()

    monkeypatch.setattr(ann, "export_to_onnx", export)
    for name, trust in (("m.keras", []), ("m.pt2", ["--trust"])):
        Path(name).write_bytes(b"")
        done = command("inspect", name, *trust, "--json", "-")
        assert done.code == 0, done.err
        assert [row["node"] for row in json.loads(done.out)["activations"]] == ["first", "second"]
    assert asked == [("m.keras", "Keras", False), ("m.pt2", "PyTorch", True)]
    monkeypatch.setattr(ann, "export_to_onnx", frameworks.export_to_onnx)
    monkeypatch.setattr(frameworks.importlib.util, "find_spec", lambda name: name)
    done = command("inspect", "m.pt2")
    assert (done.code, "say --trust" in done.err) == (1, True)


def test_convert_tells_of_the_same_passes_and_more(command, folder) -> None:
    command("inspect", "m.onnx", "-v", "--json", "i.json")
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--neuron", "if", "-v", "--json", "c.json")
    inspected, converted = (
        [report["name"] for report in json.loads(Path(name).read_text())["passes"]] for name in ("i.json", "c.json")
    )
    assert converted[: len(inspected)] == inspected
    assert len(converted) > len(inspected) > 0


def test_the_8_bit_network_and_memory_traffic(command, folder) -> None:
    """Of a file as of a conversion; a file of an earlier release has neither."""
    options = "--neuron", "if", "--steps", "8"
    converted = command("convert", "m.onnx", "--calibration", "calibration.npz", *options, "--memory-traffic")
    assert converted.code == 0, converted.err
    shown = command("inspect", "m.snn.onnx", "--memory-traffic")
    for text in ("Beside the 8-bit network", "8-bit, skipping zeros", "event-driven", "spikes per synapse"):
        assert text in converted.out
        assert text in shown.out
    assert "Memory traffic" not in command("inspect", "m.snn.onnx").out
    assert "times the energy of the 8-bit network" in " ".join(converted.err.split())
    assert "times the energy of the 8-bit network" in shown.out


def test_work_of_an_earlier_release(command, change_metadata) -> None:
    old = {"multiply_adds": 10, "analog": 2, "synaptic_operations": 3.5, "energy_ratio": 0.5}
    change_metadata(work=json.dumps(old))
    done = command("inspect", "m.snn.onnx", "--memory-traffic")
    assert done.code == 0, done.err
    assert "50.00 %" in done.out
    assert "8-bit" not in done.out


STREAMS = {
    "": None,
    "--streaming": (False, "mean", "for everything since it began: the mean over all steps"),
    "--streaming --readout leaky": (True, "leaky", "for the present input: a leaky mean, time constant {} steps"),
    "--streaming --readout window": (True, "window", "for the present input: the mean of the last {} steps"),
    "--streaming --code delta": (True, None, "for the present input: its values at the last step"),
    "--code delta": None,
}


@pytest.mark.parametrize("options", STREAMS)
def test_what_a_stream_answers(command, folder, options) -> None:
    """Its length is that of the means in the graph."""
    code = () if "delta" in options else ("--code", "rate")
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--steps", "8", *code, *options.split())
    done = command("inspect", "m.snn.onnx", "--json", "i.json")
    assert done.code == 0, done.err
    found, expected = json.loads(Path("i.json").read_text())["stream"], STREAMS[options]
    if expected is None:
        assert found is None
        assert "a stream answers" not in done.out
        return
    present, readout, words = expected
    model = onnx.load("m.snn.onnx")
    lengths = {
        "leaky": [a.i for n in model.graph.node if n.op_type == "LeakyMean" for a in n.attribute if a.name == "steps"],
        "window": [i.type.tensor_type.shape.dim[1].dim_value for i in model.graph.input if i.name.endswith(".window")],
    }
    steps = lengths.get(readout, [None])[0]
    assert found == {"for_present_input": present, "readout": readout, "readout_steps": steps}
    assert words.format(steps) in done.out


def test_what_a_stream_answers_is_not_guessed_where_it_is_damaged(command, folder, change_metadata) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--code", "rate", "--streaming")
    change_metadata(readout="lately")
    done = command("inspect", "m.snn.onnx", "--json", "i.json")
    assert done.code == 0
    assert "damaged: metadata onnx_snn.readout must be mean or window or leaky, it is 'lately'" in done.err
    assert json.loads(Path("i.json").read_text())["stream"] is None
