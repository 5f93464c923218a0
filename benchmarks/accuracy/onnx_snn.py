"""This converter, made anew for each number of steps: its default, and the neuron that sends one spike a step at most."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx

from benchmarks.accuracy.task import TIMED_SAMPLES, Figures, Task, milliseconds
from benchmarks.systems._convert import trained_model
from converter import SpikingModel, convert, evaluate, load_ann
from converter.io.samples import check_samples
from converter.options import Options
from snn_ops.session import Session

RECIPES = {"default": "auto", "neuron=if": "if"}


def measure(task: Task) -> Iterator[Figures]:
    """All recipes."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "trained.onnx"
        onnx.save(trained_model(task.network), path)
        ann = load_ann(path)
        samples = check_samples({"x": task.x, "y": task.y}, ann.input_specs)
        for recipe, neuron in RECIPES.items():
            figures = Figures(recipe, {}, {}, {})
            for n_steps in task.steps:
                conversion = convert(ann, task.calibration, options=Options(neuron, "rate", n_steps))
                file = Path(name) / "m.snn.onnx"
                conversion.save(file)
                (result,) = evaluate(SpikingModel(file), samples, [n_steps], threads=task.threads).steps
                work = conversion.work
                session, some = Session(file, threads=task.threads), task.x[:TIMED_SAMPLES]
                figures.accuracy[n_steps] = result.accuracy or 0.0
                synapses = work.multiply_adds - work.analog_multiply_adds
                figures.spikes_per_synapse[n_steps] = work.synaptic_operations / synapses
                figures.milliseconds[n_steps] = milliseconds(lambda session=session, some=some: session.run(some))
            yield figures
