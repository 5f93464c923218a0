"""onnx-snn import-weights: weights out and in."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from tests.commands.conftest import measurements


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
    "state": ({"first_voltage": np.zeros(5)}, "'first_voltage' has the shape [5], the neurons that begin with it [16]"),
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
def test_changed_weights_drop_what_was_measured_with_the_old_ones(command) -> None:
    assert measurements("m.snn.onnx")
    assert command("import-weights", "weights.npz", "m.snn.onnx", "-o", "changed.snn.onnx").code == 0
    assert not measurements("changed.snn.onnx")
    before, after = ({e.key: e.value for e in onnx.load(p).metadata_props} for p in ("m.snn.onnx", "changed.snn.onnx"))
    assert after == {key: value for key, value in before.items() if key in after}
    assert json.loads(command("inspect", "changed.snn.onnx", "--json", "-").out)["layers"] == []


@pytest.mark.usefixtures("folder")
def test_thresholds_of_the_delta_code_stay_or_follow(command, folder) -> None:
    """They fit the values that the weights give: without samples they stay, and a line says so."""
    convert = ("convert", "m.onnx", "--calibration", "calibration.npz", "--code", "delta", "-o", "d.snn.onnx")
    assert command(*convert).code == 0
    assert command("export", "npz", "d.snn.onnx", "-o", "w.npz").code == 0
    with np.load(folder / "w.npz") as archive:
        old = {name: archive[name] for name in archive.files}
    assert {"a1_threshold", "a1_resting_value", "a1_finest_exponent", "W1", "B3"} <= old.keys()
    np.savez(folder / "w2.npz", W1=2 * old["W1"], B1=2 * old["B1"])

    def imported(*options: str) -> tuple[dict[str, np.ndarray], str]:
        done = command("import-weights", "w2.npz", "d.snn.onnx", "-o", "e.snn.onnx", *options)
        assert done.code == 0, done.err
        assert command("export", "npz", "e.snn.onnx", "-o", "new.npz").code == 0
        with np.load(folder / "new.npz") as archive:
            return {name: archive[name] for name in archive.files}, " ".join(done.err.split())

    kept, said = imported()
    assert "note: thresholds stay; they fit the old weights' values" in said
    np.testing.assert_array_equal(kept["a1_threshold"], old["a1_threshold"])
    fitted, said = imported("--calibration", "calibration.npz")
    assert "note" not in said
    np.testing.assert_allclose(fitted["a1_threshold"], 2 * old["a1_threshold"], rtol=1e-5)
    np.savez(folder / "w2.npz", **fitted)
    assert "note" not in imported()[1]


@pytest.mark.usefixtures("spiking")
def test_the_rate_code_is_not_calibrated_here(command) -> None:
    arguments = ("weights.npz", "m.snn.onnx", "-o", "o.snn.onnx", "--calibration", "calibration.npz")
    done = command("import-weights", *arguments)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "m.snn.onnx: only the delta code is calibrated here" in done.err
