"""`python -m benchmarks.delta_models` on a folder of two small models: its cells, and what it does when it is run again."""

from __future__ import annotations

import json

import pytest

from benchmarks import delta_models
from tests.models import convnet, mlp, save


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two models without data sets, fewer samples and columns."""
    monkeypatch.setattr(delta_models, "CALIBRATION", 16)
    monkeypatch.setattr(delta_models, "UNLABELLED", 8)
    monkeypatch.setattr(delta_models, "STEPS", (1, 3))
    monkeypatch.setattr(delta_models, "EXPONENTS", (6,))
    for name, model in (("mlp", mlp()), ("convnet", convnet())):
        save(model, tmp_path / f"{name}.onnx")
    entries = [{"file": "mlp.onnx"}, {"file": "convnet.onnx"}]
    (tmp_path / "models.json").write_text(json.dumps(entries))
    return tmp_path


def run(folder, monkeypatch, *arguments: str) -> dict:
    results = folder / "results.json"
    given = ["delta_models", str(folder), "--json", str(results), "--page", str(folder / "page.md"), *arguments]
    monkeypatch.setattr("sys.argv", given)
    delta_models.main()
    return json.loads(results.read_text())


def test_every_cell_is_measured_once(folder, monkeypatch, capsys) -> None:
    found = run(folder, monkeypatch)
    columns = ["T = 1", "T = 3", "J = 6"]
    for name in ("mlp", "convnet"):
        assert found["models"][name]["samples"] == 8
        for which in delta_models.INPUTS:
            assert list(found["models"][name][which]) == columns
    del found["models"]["convnet"]["input sent"]["T = 3"]
    found["models"]["mlp"]["input sent"]["T = 1"]["spikes"] = 77.0
    (folder / "results.json").write_text(json.dumps(found))
    capsys.readouterr()
    again = run(folder, monkeypatch)
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert again["models"]["mlp"]["input sent"]["T = 1"]["spikes"] == 77.0
    assert again["models"]["convnet"]["input sent"]["T = 3"]["error"] > 0
    page = (folder / "page.md").read_text()
    assert "77.00" in page
    assert page.count("| convnet (8) |") == 2


def test_a_cell(folder, monkeypatch) -> None:
    """Where every element has the same fan-out, both counts are one; steps make errors smaller and cost more."""
    cells = run(folder, monkeypatch, "--models", "mlp")["models"]["mlp"]
    for which in delta_models.INPUTS:
        for cell in cells[which].values():
            assert cell["spikes"] == pytest.approx(cell["spikes_mean_fan_out"], rel=1e-6)
            assert cell["lost"] is None
        early, late = cells[which]["T = 1"], cells[which]["T = 3"]
        assert early["error"] > late["error"]
        assert early["spikes"] < late["spikes"]
        assert early["energy"] < late["energy"]
    assert cells["input analog"]["T = 1"]["energy"] > 100 * 8 * 16 / (8 * 16 + 16 * 12 + 12 * 4)


def test_a_model_that_is_refused_is_named(folder, monkeypatch, capsys) -> None:
    (folder / "mlp.onnx").write_bytes(b"nothing")
    found = run(folder, monkeypatch)
    assert "refused" in found["models"]["mlp"]
    assert "mlp: refused" in capsys.readouterr().out
    assert "| mlp | refused:" in (folder / "page.md").read_text()
    assert found["models"]["convnet"]["input sent"]
