"""``python -m benchmarks``: what it refuses, what it does again, and where it stops."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import machine
from benchmarks.harness import Harness
from benchmarks.matrix import ALL_STEPS, Cell, chosen, matrix, quick
from benchmarks.results import CellResult, Results, Row
from benchmarks.workloads.catalogue import WORKLOADS


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workloads", "mlp,lenet-9"], "there is no workload 'lenet-9'; there are lenet-1, "),
        (["--systems", "onnx-snn,brian"], "there is no system 'brian'; there are onnx-snn, "),
        (["--provider", "cuda"], "--provider cuda: there is no NVIDIA GPU here"),
    ],
)
def test_bad_input_is_one_line(arguments, words, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(machine, "gpu", lambda: "")
    assert command.main([*arguments, "--results", str(tmp_path / "r.json")]) == 1
    out, error = capsys.readouterr()
    assert error.startswith(f"benchmarks: {words}")
    assert error.count("\n") == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--steps", "0"], ["--batch", "many"], ["--provider", "tpu"]])
def test_wrong_usage(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as error:
        command.main(arguments)
    assert error.value.code == 2


def test_a_damaged_file_is_left_as_it_is(tmp_path, capsys) -> None:
    path = tmp_path / "r.json"
    path.write_text("{")
    assert command.main(["--quick", "--results", str(path)]) == 1
    assert path.read_text() == "{"
    assert capsys.readouterr().err.count("\n") == 1


class Counted(Harness):
    """Runs nothing."""

    def __init__(self, names: list[str], made_of: str = "1") -> None:
        super().__init__(names)
        self.cells: list[Cell] = []
        self._made_of = made_of

    def made_with(self) -> dict[str, str]:
        return dict.fromkeys(self.names, self._made_of)

    def run(self, cell: Cell) -> CellResult:
        self.cells.append(cell)
        return CellResult(cell, (Row("onnx-snn", "did not run", "asleep"),), self.made_with(), 0.0, 0.0, "")


def test_a_finished_cell_is_not_run_again(tmp_path) -> None:
    """Unless that is asked for, a system is new, or made of something else."""
    cells, path = quick("cpu"), tmp_path / "r.json"

    def run(harness: Counted, *, again: bool = False) -> int:
        assert command.measure_all(cells, harness, Results(path), None, again=again) == len(cells)
        return len(harness.cells)

    assert run(Counted(["a", "b"])) == len(cells)
    assert run(Counted(["a", "b"])) == 0
    assert run(Counted(["a"])) == 0
    assert run(Counted(["a", "b"]), again=True) == len(cells)
    assert run(Counted(["a", "b", "c"])) == len(cells)
    assert run(Counted(["a"], "2")) == len(cells)


def test_nothing_begins_after_the_budget(tmp_path) -> None:
    harness = Counted(["a"])
    assert command.measure_all(quick("cpu"), harness, Results(tmp_path / "r.json"), 1e-9, again=False) == 0
    assert harness.cells == []


def test_preparing_measures_nothing(tmp_path) -> None:
    arguments = ["--quick", "--prepare", "--here", "--systems", "onnx-snn", "--results", str(tmp_path / "r.json")]
    assert command.main(arguments) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_matrix() -> None:
    cells = matrix("cpu")
    assert len(set(cells)) == len(cells)
    for name in ("mlp", "lenet-5"):
        for batch in (1, 32, 256):
            found = {c.n_steps for c in cells if (c.workload, c.equation, c.batch, c.threads) == (name, "if", batch, 2)}
            assert found >= set(ALL_STEPS)
    assert {c.workload for c in cells} == set(WORKLOADS) - {"layer-16k"}
    assert {c.workload for c in matrix("cuda")} == set(WORKLOADS)
    assert {c.workload for c in cells if c.threads == 1 and not c.workload.startswith("operator")} == {"lenet-5"}
    assert all(
        Cell(name, "if", 30, 100, 2, "cpu") in cells[:12] for name in ("cnn", "lenet-1", "lenet-4", "autoencoder")
    )


def test_cells_of_ones_own() -> None:
    assert [str(cell) for cell in chosen("cpu", ["vgg-11"], [3], [5, 7], [1])] == [
        "vgg-11, if, T = 3, batch 5, 1 thread",
        "vgg-11, if, T = 3, batch 7, 1 thread",
    ]
    assert {cell.workload for cell in chosen("cpu", ["mlp"])} == {"mlp"}


def test_the_list(capsys) -> None:
    assert command.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in WORKLOADS)
