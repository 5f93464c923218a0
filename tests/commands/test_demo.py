"""onnx-snn demo: the main job."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def test_demo(command, tmp_path, monkeypatch) -> None:
    """The main job; figures as they must be on the 1,000 embedded images."""
    monkeypatch.chdir(tmp_path)
    done = command("demo", "--out", "results")
    assert done.code == 0, done.err
    figures = json.loads(Path("results/lenet5_relu.json").read_text())
    assert figures["native"]["ann"]["accuracy"] >= 0.985
    steps = {step["n_steps"]: step for step in figures["native"]["steps"]}
    taken = figures["conversion"]["options"]["n_steps"]
    assert set(steps) == {1, 2, 3, 4, 6, 8, taken}
    assert figures["native"]["ann"]["accuracy"] - steps[taken]["accuracy"] <= 0.003
    assert figures["conversion"]["work"]["spikes_per_synapse"] < 1
    assert figures["conversion"]["work"]["energy_ratio"] < 0.15
    assert [s["accuracy"] for s in figures["plain"]["steps"]] == [s["accuracy"] for s in figures["native"]["steps"]]
    assert len(figures["native"]["spike_rates"]) == 5  # the image is sent as spikes, too
    assert "energy of the 8-bit network" in done.out
    for name, images in {"calibration": 256, "test": 1000}.items():
        samples = np.load(f"results/{name}.npz")
        assert samples["x"].shape == (images, 1, 28, 28)
        assert samples["y"].shape == (images,)
    for suffix in ("snn.onnx", "png", "front.png", "json"):
        assert Path(f"results/lenet5_relu.{suffix}").stat().st_size > 1000
