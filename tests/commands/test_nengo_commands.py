"""The commands around Nengo: export, verify, weights in and out."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")


@pytest.fixture
def spiking(command, folder) -> None:
    assert command("convert", "m.onnx", "--calibration", "calibration.npz").code == 0


@pytest.mark.usefixtures("spiking", "folder")
def test_export_nengo_writes_a_script_and_weights(command, folder) -> None:
    assert command("export", "nengo", "m.snn.onnx", "-o", "net.py").code == 0
    compile((folder / "net.py").read_text(), "net.py", "exec")
    with np.load(folder / "net.npz") as archive:
        assert {"W1", "B1", "W2", "B2", "W3", "B3"} <= set(archive.files)


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
    monkeypatch.setattr(module, "to_nengo", lambda proto: to_nengo(proto, core_neurons=True))
    result = command("verify", "m.snn.onnx", "--data", "test.npz")
    assert result.code == 1
    assert "first difference: layer second, sample" in " ".join(result.out.split())
    assert "voltage in Nengo" in " ".join(result.out.split())


@pytest.mark.usefixtures("spiking", "folder")
def test_verify_fails_where_only_outputs_differ(command, monkeypatch) -> None:
    module = pytest.importorskip("converter.nengo.verify")
    to_nengo = module.to_nengo

    def with_another_readout(proto):
        other = onnx.ModelProto()
        other.CopyFrom(proto)
        tensor = next(tensor for tensor in other.graph.initializer if tensor.name == "B3")
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) + 0.01, "B3"))
        return to_nengo(other)

    monkeypatch.setattr(module, "to_nengo", with_another_readout)
    result = command("verify", "m.snn.onnx", "--data", "test.npz")
    assert result.code == 1
    assert "the outputs differ, though all spikes are the same" in " ".join(result.err.split())


@pytest.mark.usefixtures("spiking", "folder")
def test_weights_out_and_in(command, folder) -> None:
    assert command("export", "npz", "m.snn.onnx", "-o", "w.npz").code == 0
    with np.load(folder / "w.npz") as archive:
        weights = {name: archive[name] for name in archive.files}
    assert "n_steps" not in weights
    assert weights["W1"].shape == (8, 16)
    np.savez(folder / "w2.npz", W1=2 * weights["W1"], B3=weights["B3"] + 1)
    assert command("import-weights", "w2.npz", "m.snn.onnx", "-o", "m2.snn.onnx").code == 0
    assert command("export", "npz", "m2.snn.onnx", "-o", "w3.npz").code == 0
    with np.load(folder / "w3.npz") as archive:
        np.testing.assert_array_equal(archive["W1"], 2 * weights["W1"])
        np.testing.assert_array_equal(archive["B3"], weights["B3"] + 1)
        np.testing.assert_array_equal(archive["W2"], weights["W2"])
    assert command("run", "m2.snn.onnx", "--input", "test.npz").code == 0


REFUSED = {
    "unknown": ({"W9": np.zeros(3)}, "it holds 'W9', which the model does not have; the model has"),
    "shape": ({"W1": np.zeros((16, 8))}, "'W1' has the shape [16, 8], in the model [8, 16]"),
    "nan": ({"B1": np.full(16, np.nan)}, "'B1' holds what is not a finite number"),
    "infinity": ({"B1": np.full(16, 1e300)}, "'B1' holds what is not a finite number in float32"),
    "words": ({"B1": np.full(16, "a")}, "'B1' holds <U1, not numbers"),
    "threshold": (
        {"first_threshold": np.zeros(16)},
        "'first_threshold' is a threshold or scale of neurons, which must be",
    ),
    "empty": ({}, "it holds no arrays"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.usefixtures("spiking")
def test_bad_weights_are_refused(command, folder, case) -> None:
    arrays, reason = REFUSED[case]
    np.savez(folder / "bad.npz", **arrays)
    result = command("import-weights", "bad.npz", "m.snn.onnx", "-o", "out.snn.onnx")
    assert result.code == 1
    assert result.err.startswith("onnx-snn: bad.npz: ")
    assert reason in result.err
    assert result.err.count("\n") == 1
    assert not (folder / "out.snn.onnx").exists()


@pytest.mark.usefixtures("spiking")
def test_bad_input_is_refused_in_a_line(command, folder) -> None:
    model = onnx.load(folder / "m.snn.onnx")
    next(node for node in model.graph.node if node.op_type == "IF").op_type = "CountIF"
    onnx.save(model, folder / "count.snn.onnx")
    torn = onnx.load(folder / "m.snn.onnx")
    next(tensor for tensor in torn.graph.initializer if tensor.name == "W2").dims[:] = [12, 16]
    onnx.save(torn, folder / "torn.snn.onnx")
    assert (
        command("convert", "m.onnx", "--calibration", "calibration.npz", "--streaming", "-o", "stream.snn.onnx").code
        == 0
    )
    x = np.zeros((20, 8), np.float32)
    np.savez(folder / "labels.npz", x=x, y=np.full(20, 4))
    np.savez(folder / "nolabels.npz", x=x)
    train = ("train", "m.snn.onnx", "-o", "o.snn.onnx", "--data")
    cases = [
        (
            (*train, "labels.npz", "--batch", "5"),
            "labels.npz: the label of sample 0 is 4, but the model has the classes 0 to 3",
        ),
        ((*train, "nolabels.npz", "--batch", "5"), "nolabels.npz: training needs labels `y` beside the samples"),
        ((*train, "labels.npz"), "labels.npz: there are 18 samples to train with, fewer than a batch of 100"),
        ((*train, "labels.npz", "--steps", "0"), "n_steps must be at least 1, it is 0"),
        (
            ("export", "nengo", "count.snn.onnx", "-o", "o.py"),
            "count.snn.onnx: node 'first': CountIF has no counterpart",
        ),
        (("export", "nengo", "m.onnx", "-o", "o.py"), "m.onnx: this is not a spiking model"),
        (("export", "nengo", "m.snn.onnx", "-o", "o.txt"), "o.txt: the script's name must end in .py"),
        (("export", "nengo", "m.snn.onnx", "-o", "no/o.py"), "no/o.py: the folder no does not exist"),
        (("verify", "m.snn.onnx", "--data", "test.npz", "--simulator", "brian"), "there is no simulator 'brian'"),
        (("verify", "m.snn.onnx", "--data", "test.npz", "--steps", "0"), "the number of steps must be at least 1"),
        (("export", "nengo", "stream.snn.onnx", "-o", "o.py"), "is a state: convert the model without --streaming"),
        (("verify", "torn.snn.onnx", "--data", "test.npz"), "torn.snn.onnx: ONNX Runtime cannot load the model"),
        (("verify", "m.snn.onnx", "--data", "none.npz"), "none.npz: there is no such file"),
        (("import-weights", "m.onnx", "m.snn.onnx", "-o", "o.onnx"), "m.onnx: not an .npz file with arrays"),
    ]
    for arguments, reason in cases:
        result = command(*arguments)
        assert result.code == 1
        assert reason in result.err
        assert result.err.count("\n") == 1


@pytest.mark.usefixtures("spiking")
@pytest.mark.parametrize(
    "option", [("--samples", "0"), ("--samples", "-1"), ("--tolerance", "-1"), ("--tolerance", "2")]
)
def test_numbers_out_of_range_are_wrong_usage(command, option) -> None:
    assert command("verify", "m.snn.onnx", "--data", "test.npz", *option).code == 2


@pytest.mark.usefixtures("spiking")
def test_without_nengo_the_commands_say_so(command, monkeypatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("nengo", "converter.nengo"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nengo", None)
    result = command("export", "nengo", "m.snn.onnx", "-o", "o.py")
    assert (result.code, result.err) == (1, "onnx-snn: nengo is not installed; install onnx-snn[nengo]\n")
