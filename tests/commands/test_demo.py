"""onnx-snn demo: the main job."""

from __future__ import annotations

import json
from pathlib import Path


def test_demo(command, tmp_path, monkeypatch) -> None:
    """The main job; figures as they must be on the 1,000 embedded images."""
    monkeypatch.chdir(tmp_path)
    done = command("demo", "--out", "results")
    assert done.code == 0, done.err
    figures = json.loads(Path("results/lenet5_relu.json").read_text())
    assert figures["native"]["ann"]["accuracy"] >= 0.985
    steps = {step["n_steps"]: step for step in figures["native"]["steps"]}
    assert set(steps) == {1, 2, 4, 8, 16, 32}
    assert figures["native"]["ann"]["accuracy"] - steps[32]["accuracy"] <= 0.002
    assert [s["accuracy"] for s in figures["plain"]["steps"]] == [s["accuracy"] for s in figures["native"]["steps"]]
    assert len(figures["native"]["spike_rates"]) == 4
    for suffix in ("snn.onnx", "png", "json"):
        assert Path(f"results/lenet5_relu.{suffix}").stat().st_size > 1000
