"""Choosing T and J on calibration samples: every point against an independent simulation, and what is taken."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest

from converter.conversion.build import build
from converter.conversion.front import LEAST_TO_CHOOSE
from converter.conversion.main import convert
from converter.conversion.prepare import prepare
from converter.conversion.result import Conversion, Front, Recipe
from converter.errors import RefusedError
from converter.graph.build import to_proto
from converter.io.samples import check_samples
from converter.measure.cost import PICOJOULE_PER_ADDITION, PICOJOULE_PER_MULTIPLY_ADD
from converter.normalise.ann import load_ann
from converter.options import Options
from snn_ops.format import Metadata, known
from tests.models import convnet, mlp, samples, save
from tests.neurons.delta_simulation import Numbers, simulate
from tests.neurons.test_delta import numbers_of

ROOT = str(Path(__file__).parents[2])
SAMPLES = 160
HELD_OUT, MEASURED = 20, 70
"""Of these: an eighth for the report, half of the rest to choose on."""
FAN_OUT = {"x": 16, "a1": 12, "a2": 4}
"""Of the neurons of the perceptron with 8, 16, 12 and 4 units."""


def converted(tmp_path, count: int = SAMPLES, model=None, **options) -> Conversion:
    made = mlp() if model is None else model
    return convert(save(made, tmp_path / "m.onnx"), samples(made, count), **options)


@pytest.fixture(scope="module")
def by_default(tmp_path_factory) -> Conversion:
    return converted(tmp_path_factory.mktemp("front"))


def simulated(folder, n_steps: int, **options) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, Numbers]]:
    """The sums with the outputs, the trained outputs, and the numbers of the neurons, on the samples to choose on."""
    ann = load_ann(save(mlp(), folder / "m.onnx"))
    x = samples(mlp(), SAMPLES)
    first = SAMPLES - HELD_OUT - MEASURED
    fitting, measuring = x[:first], x[first : SAMPLES - HELD_OUT]
    asked = Options(code="delta", n_steps=n_steps, **options).settled()
    prepared = prepare(ann, check_samples(x, ann.input_specs), asked)
    draft = build(prepared, Recipe("multi-threshold", "quantile", "none"), check_samples(fitting, ann.input_specs))
    two_phase = asked.schedule == "two-phase"
    numbers = numbers_of(SimpleNamespace(model=draft.model))
    sums = simulate(
        to_proto(prepared.trained),
        numbers,
        {"x": measuring},
        1 if two_phase else n_steps,
        spikes_a_step=n_steps if two_phase else 1,
    )
    return sums, ort.InferenceSession(str(ann.path)).run(None, {"x": measuring})[0], numbers


def test_every_number_of_steps_is_as_an_independent_simulation_has_it(by_default, tmp_path) -> None:
    """Agreement, error and energy of each T from one run, against a run for each T that counts spike by spike."""
    points = [point for point in by_default.front.points if point.schedule == "stepped"]
    assert [point.n_steps for point in points] == list(range(1, 9))
    products = 8 * 16 + 16 * 12 + 12 * 4
    for point in points:
        sums, trained, numbers = simulated(tmp_path, point.n_steps)
        outputs = sums["y"]
        assert point.agreement == np.mean(outputs.argmax(1) == trained.argmax(1))
        assert point.relative_error == pytest.approx(
            np.linalg.norm(outputs - trained) / np.linalg.norm(trained), rel=1e-4
        )
        additions = 0.0
        for name, fan_out in FAN_OUT.items():
            through_time = sums[name].reshape(point.n_steps, MEASURED, -1)
            rest = numbers[name].resting_value
            before = np.concatenate([np.broadcast_to(rest, through_time[:1].shape), through_time[:-1]])
            additions += fan_out * np.count_nonzero(through_time != before) / MEASURED
        assert point.spikes_per_synapse == pytest.approx(additions / products, rel=1e-6)
        energy = additions * PICOJOULE_PER_ADDITION / (products * PICOJOULE_PER_MULTIPLY_ADD)
        assert point.energy_ratio == pytest.approx(energy, rel=1e-6)
        assert point.steps_to_answer == point.n_steps


def test_every_exponent_is_as_an_independent_simulation_has_it(by_default, tmp_path) -> None:
    points = [point for point in by_default.front.points if point.schedule == "two-phase"]
    assert points
    for point in points:
        sums, trained, _ = simulated(tmp_path, point.n_steps, schedule="two-phase", exponent=point.exponent)
        outputs = sums["y"]
        assert point.agreement == np.mean(outputs.argmax(1) == trained.argmax(1))
        assert point.relative_error == pytest.approx(
            np.linalg.norm(outputs - trained) / np.linalg.norm(trained), rel=1e-4
        )
        assert point.steps_to_answer == 3 * point.n_steps
        assert point.n_steps == (6 if point.exponent >= 7 else 4)


def test_the_default_is_one_step_more_than_the_cheapest_that_does(by_default) -> None:
    front = by_default.front
    assert (front.samples, front.output, front.min_agreement, front.max_error) == (MEASURED, "both", 0.99, 0.05)
    good = [p.n_steps for p in front.points[:8] if p.agreement >= 0.99 and p.relative_error <= 0.05]
    assert by_default.options.n_steps == front.chosen.n_steps == good[0] + 1
    assert (by_default.options.code, by_default.options.schedule) == ("delta", "stepped")
    assert front.points[front.beside].schedule == "two-phase"
    assert by_default.eight_bit.agreement is not None


def test_what_was_asked_stands_in_the_file(by_default) -> None:
    read = Metadata.read({entry.key: entry.value for entry in by_default.proto().metadata_props})
    assert read.n_steps == by_default.options.n_steps
    assert known(Front, read.front, "front") == by_default.front


def test_labels_tell_that_the_outputs_are_classes(tmp_path) -> None:
    model = mlp()
    path, x = save(model, tmp_path / "m.onnx"), samples(model, SAMPLES)
    labels = ort.InferenceSession(path).run(None, {"x": x})[0].argmax(1)
    conversion = convert(path, {"x": x, "y": labels})
    assert (conversion.front.output, conversion.front.ann_accuracy) == ("classes", 1.0)
    for point in conversion.front.points:
        assert point.loss == pytest.approx(1 - point.agreement)


def test_a_softmax_at_the_end_tells_it_too(tmp_path) -> None:
    assert converted(tmp_path, model=convnet()).front.output == "classes"


@pytest.mark.parametrize(
    ("options", "n_steps", "exponent"),
    [({}, 4, None), ({"schedule": "two-phase"}, 4, None), ({"streaming": True}, 4, None)],
)
def test_too_few_samples_choose_nothing(options, n_steps, exponent, tmp_path) -> None:
    conversion = converted(tmp_path, 100, **options)
    assert conversion.front is None
    assert (conversion.options.n_steps, conversion.options.exponent) == (n_steps, exponent)
    assert any("is taken without choosing: fewer than 64 samples" in note for note in conversion.notes)


@pytest.mark.parametrize("options", [{"n_steps": 5}, {"schedule": "two-phase", "exponent": 5}])
def test_what_is_named_is_taken_without_measuring(options, tmp_path) -> None:
    conversion = converted(tmp_path, **options)
    assert conversion.front is None
    assert (conversion.options.n_steps, conversion.options.exponent) == (
        options.get("n_steps", 4),
        options.get("exponent"),
    )
    assert not any("taken without choosing" in note for note in conversion.notes)


def test_a_budget_takes_the_cheapest_of_all_codes_and_schedules(tmp_path) -> None:
    conversion = converted(tmp_path, min_agreement=98)
    front = conversion.front
    assert {point.family[:2] for point in front.points} == {
        ("delta", "stepped"),
        ("delta", "two-phase"),
        ("rate", "stepped"),
    }
    assert front.chosen.agreement >= 0.98
    for family in {point.family for point in front.points}:  # nothing that has it, with one more, is cheaper
        of_family = [point for point in front.points if point.family == family]
        safe = [b for a, b in pairwise(of_family) if min(a.agreement, b.agreement) >= 0.98]
        assert not safe or safe[0].energy_ratio >= front.chosen.energy_ratio


def test_a_budget_for_energy_is_kept(tmp_path) -> None:
    conversion = converted(tmp_path, max_energy=18)
    assert conversion.front.chosen.energy_ratio <= 0.18
    assert conversion.work.energy_ratio <= 1.1 * 0.18


def test_the_rate_code_has_a_budget_too(tmp_path) -> None:
    conversion = converted(tmp_path, neuron="if-burst", n_steps="auto")
    assert [point.n_steps for point in conversion.front.points] == list(range(1, 33))
    assert {point.family for point in conversion.front.points} == {("rate", "stepped", "if-burst")}
    assert conversion.options.n_steps == conversion.front.chosen.n_steps < 32


def test_a_stream_is_chosen_as_it_runs(tmp_path) -> None:
    """Its finest height stays that of the file, and T is of its stepped run."""
    conversion = converted(tmp_path, streaming=True)
    assert {point.schedule for point in conversion.front.points} == {"stepped"}
    assert (conversion.options.streaming, conversion.options.exponent) == (True, None)


@pytest.mark.parametrize(
    ("options", "count", "reason"),
    [
        ({"min_agreement": 100, "max_energy": 1}, SAMPLES, "nothing takes at most 1 % of the energy; the least is"),
        ({"max_error": 0.001}, SAMPLES, "nothing has an error of at most 0.001 %; the best there is: delta"),
        (
            {"min_agreement": 99},
            90,
            f"at least {LEAST_TO_CHOOSE} calibration samples that ranges do not follow from; give at least 110",
        ),
        ({}, 7, "at least 8 calibration samples"),
    ],
)
def test_refuses(options, count, reason, tmp_path) -> None:
    with pytest.raises(RefusedError, match=reason):
        converted(tmp_path, count, **options)


def test_the_same_inputs_give_the_same_file_with_one_thread_and_two(tmp_path) -> None:
    """Byte for byte."""
    save(convnet(), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", samples(convnet(), SAMPLES))
    script = (
        "import os, sys, numpy, converter\n"
        "os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[1])]))\n"
        "converter.convert('m.onnx', numpy.load('x.npy')).save(f'{sys.argv[1]}.snn.onnx')\n"
    )
    for threads in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", script, threads], cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": ROOT}
        )
    assert (tmp_path / "1.snn.onnx").read_bytes() == (tmp_path / "2.snn.onnx").read_bytes()
