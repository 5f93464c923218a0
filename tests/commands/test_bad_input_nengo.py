"""Bad input of the commands around Nengo: one line that names the file and what to do, exit code 1."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")


@pytest.mark.usefixtures("spiking")
def test_bad_input_is_refused_in_a_line(command, folder) -> None:
    model = onnx.load(folder / "m.snn.onnx")
    next(node for node in model.graph.node if node.op_type == "IF").op_type = "CountIF"
    onnx.save(model, folder / "count.snn.onnx")
    torn = onnx.load(folder / "m.snn.onnx")
    next(tensor for tensor in torn.graph.initializer if tensor.name == "W2").dims[:] = [12, 16]
    onnx.save(torn, folder / "torn.snn.onnx")
    x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
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
        (("verify", "torn.snn.onnx", "--data", "test.npz"), "torn.snn.onnx: ONNX Runtime cannot load the model"),
        (("verify", "m.snn.onnx", "--data", "none.npz"), "none.npz: there is no such file"),
        (("import-weights", "m.onnx", "m.snn.onnx", "-o", "o.onnx"), "m.onnx: not an .npz file with arrays"),
    ]
    for arguments, reason in cases:
        result = command(*arguments)
        assert result.code == 1
        assert reason in result.err
        assert result.err.count("\n") == 1


@pytest.mark.usefixtures("folder")
def test_bad_input_for_the_delta_code_is_refused_in_a_line(command, folder) -> None:
    convert = ("convert", "m.onnx", "--calibration", "calibration.npz", "--code", "delta")
    assert command(*convert, "-o", "d.snn.onnx").code == 0
    model = onnx.load(folder / "d.snn.onnx")
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Abs"
    onnx.save(model, folder / "abs.snn.onnx")
    np.savez(folder / "same.npz", x=np.ones((40, 8), np.float32), y=np.zeros(40, int))
    train = ("--data", "test.npz", "--batch", "5", "-o", "o.snn.onnx")
    same = "the calibration samples are all the same"
    cases = [
        (("train", "d.snn.onnx", *train, "--data", "same.npz"), f"d.snn.onnx: {same}"),
        (("train", "abs.snn.onnx", *train), "Abs has no counterpart in Nengo; with --code rate a neuron may take its"),
        (("verify", "abs.snn.onnx", "--data", "test.npz"), "abs.snn.onnx: node 'first': Abs has no counterpart"),
        (("export", "nengo", "d.snn.onnx", "-o", "o.py", "--core-neurons"), "convert with --code rate"),
        (
            ("import-weights", "weights.npz", "d.snn.onnx", "-o", "o.snn.onnx", "--calibration", "same.npz"),
            f"d.snn.onnx: {same}",
        ),
    ]
    for arguments, reason in cases:
        result = command(*arguments)
        assert result.code == 1
        assert reason in result.err
        assert len([line for line in result.err.splitlines() if not line.startswith("note: all numbers")]) == 1
        assert not list(folder.glob("o.*"))
