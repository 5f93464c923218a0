"""This converter, made anew for each number of steps: its default, its rate code, one spike a step, its delta code."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from benchmarks.accuracy.task import TIMED_SAMPLES, Figures, Task
from benchmarks.systems._convert import trained_model
from converter import SpikingModel, convert, evaluate, load_ann
from converter.io.samples import check_samples
from converter.options import Options
from snn_ops.session import Session

MOST_DELTA_STEPS = 8
"""Of the delta code: by then nothing is left to change."""
TWO_PHASE = {"code": "delta", "schedule": "two-phase"}
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "code=rate": {"code": "rate", "neuron": "auto"},
    "neuron=if": {"code": "rate", "neuron": "if"},
    "code=delta": {"code": "delta"},
    "code=delta, schedule=two-phase": TWO_PHASE,
}


def measure(task: Task) -> Iterator[Figures]:
    """All recipes."""
    with tempfile.TemporaryDirectory() as name:
        path, file = Path(name) / "trained.onnx", Path(name) / "m.snn.onnx"
        onnx.save(trained_model(task.network), path)
        ann = load_ann(path)
        samples = check_samples({"x": task.x, "y": task.y}, ann.input_specs)
        for recipe, options in RECIPES.items():
            figures = Figures(recipe, {}, {}, {})
            for asked in steps_of(options, task.steps):
                conversion = convert(ann, task.calibration, options=Options(**options, **asked))
                conversion.save(file)
                model = SpikingModel(file)
                (result,) = evaluate(model, samples, [model.n_steps], threads=task.threads).steps
                work = conversion.work
                figures.accuracy[model.n_steps] = result.accuracy or 0.0
                synapses = work.multiply_adds - work.analog_multiply_adds
                figures.spikes_per_synapse[model.n_steps] = work.synaptic_operations / synapses
                session = Session(file, threads=task.threads)
                figures.milliseconds.update(
                    task.milliseconds({model.n_steps: partial(session.run, task.x[:TIMED_SAMPLES])})
                )
            yield figures


def steps_of(options: dict[str, Any], steps: tuple[int, ...]) -> list[dict[str, int]]:
    """The numbers of steps that a recipe is made for, as options; the default and two phases choose theirs."""
    if options in ({}, TWO_PHASE):
        return [{}]
    return [{"n_steps": t} for t in steps if options["code"] == "rate" or t <= MOST_DELTA_STEPS]
