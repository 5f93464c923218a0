"""`python -m benchmarks.accuracy`: what it counts, and bad input."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy.__main__ import is_finished, main, row
from benchmarks.accuracy.onnx_snn import RECIPES, steps_of
from benchmarks.accuracy.page import table
from benchmarks.accuracy.task import Task, synapses_of
from benchmarks.workloads.catalogue import WORKLOADS
from benchmarks.workloads.network import Equation
from tests.benchmarks.test_peers import every_kind_of_layer


def task() -> Task:
    network = WORKLOADS["mlp"]().network(Equation.IF)
    x = np.zeros((4, 1, 28, 28), np.float32)
    return Task(network, x, x, np.array([0, 1, 2, 3]), (1, 2), 1)


def test_synapses_are_the_multiply_adds_after_the_neurons() -> None:
    """By hand: 4x4 places of 3x3 and 1x1 weights, of transposed ones 4x4 inputs with 3x3 x 3 weights each."""
    found = synapses_of(every_kind_of_layer(Equation.IF))
    assert found == {"n1": 16 * 3 * 4 * (9 + 1), "n2": 0, "n3": 16 * 4 * 3 * 9, "n4": 48 * 6, "n5": 6 * 5}


def test_spikes_per_synapse_is_a_mean_over_synapses() -> None:
    counts = {"dense1_neurons": 1.0, "dense2_neurons": 2.0, "dense3_neurons": 0.5}
    total = 32 * 64 + 64 * 128 + 128 * 10
    expected = (32 * 64 * 1 + 64 * 128 * 2 + 128 * 10 * 0.5) / total
    assert task().spikes_per_synapse(counts) == pytest.approx(expected)


def test_a_task_comes_back_from_its_files(tmp_path) -> None:
    task().save(tmp_path)
    again = Task.load(tmp_path)
    assert again.steps == (1, 2)
    assert again.accuracy(np.eye(4)) == 1.0
    assert again.network.layers == task().network.layers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--networks", "alexnet"], "there is no 'alexnet'; there are lenet-5, cnn, resnet-8"),
        (["--converters", "snntoolbox"], "there is no 'snntoolbox'"),
        (["--samples", "150"], "--samples 150: must be hundreds, at least 100"),
    ],
)
def test_bad_input_is_one_line(arguments, words, capsys, tmp_path) -> None:
    assert main([*arguments, "--json", str(tmp_path / "a.json")]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "a.json").exists()


def test_a_damaged_file_is_refused(capsys, tmp_path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([1]))
    assert main(["--json", str(path)]) == 1
    assert "is no file of results" in capsys.readouterr().err
    assert path.read_text() == "[1]"


def test_missing_data_is_a_row_with_the_reason(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ONNX_SNN_DATA", str(tmp_path))
    assert "tools/fetch_datasets.sh" in row("lenet-5", "onnx-snn", 100, 1)["reason"]


def test_the_table_has_a_line_for_each_measure_and_each_reason() -> None:
    figures = {"recipe": "r", "accuracy": {"1": 0.5, "2": 0.75}, "spikes_per_synapse": {"1": 1.5, "2": 3.0}}
    rows = {
        "mlp/a/100/2": {
            "trained": 0.9,
            "load_average": 2.5,
            "figures": [{**figures, "milliseconds": {"1": 1.25, "2": 1250.0}}],
        },
        "mlp/b/100/2": {"reason": "no data"},
    }
    lines = list(table(rows, 3))
    assert lines[0] == "| network, trained | converter | | T = 1 | T = 2 |"
    assert lines[2] == "| mlp, 90.0% of 100 images | a: r | accuracy | 50.0% | 75.0% |"
    assert lines[3].endswith("| spikes per synapse | 1.5 | 3 |")
    assert lines[4].endswith("| ms for 100 images, threads: 2 | 1.25 | 1,250 |")
    assert "did not run: no data" in lines[5]
    assert {line.count("|") for line in lines} == {6}
    busy = list(table(rows, 2))
    assert busy[:4] == lines[:4]
    assert busy[4].endswith("| ms for 100 images, threads: 2 | ~1.25 | ~1,250 |")


def test_without_times_there_is_no_line_of_them_and_times_are_taken_later() -> None:
    figures = {"recipe": "r", "accuracy": {"1": 0.5}, "spikes_per_synapse": {"1": 1.5}, "milliseconds": {}}
    found = {"trained": 0.9, "load_average": 9.0, "figures": [figures]}
    assert len(list(table({"mlp/a/100/2": found}, 2))) == 4
    assert is_finished(found, timed=False)
    assert not is_finished(found, timed=True)
    assert not is_finished({"reason": "no data"}, timed=False)
    assert replace(task(), timed=False).milliseconds({1: lambda: None}) == {}
    assert list(task().milliseconds({1: lambda: None})) == [1]


def test_steps_that_a_recipe_is_made_for() -> None:
    found = {recipe: steps_of(options, (1, 4, 8, 32)) for recipe, options in RECIPES.items()}
    assert found["code=rate"] == found["neuron=if"] == [{"n_steps": t} for t in (1, 4, 8, 32)]
    assert found["code=delta"] == [{"n_steps": t} for t in (1, 4, 8)]
    assert found["default"] == found["code=delta, schedule=two-phase"] == [{}]
