"""``python -m benchmarks.accuracy``: accuracy, spikes and time over T of three converters on the same trained weights.

Resumable: what the file of results has is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import datasets, environments, machine, systems
from benchmarks.accuracy.page import FOLDER, read, table
from benchmarks.accuracy.task import TIMED_SAMPLES, Task
from benchmarks.process import ROOT, THREADS, DidNotRunError, end_on_signals, run_to_end
from benchmarks.workloads.catalogue import WORKLOADS, inputs_on_grid
from benchmarks.workloads.network import Equation
from snn_ops.files import write_whole

NETWORKS = {"lenet-5": "mnist", "cnn": "mnist", "resnet-8": "cifar10"}
CONVERTERS = ("onnx-snn", "spikingjelly", "nengo-dl")
STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
CALIBRATION = 256
LIMIT = 3600
"""Seconds for a converter and a network."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS), help="their names, separated by commas")
    parser.add_argument("--converters", default=",".join(CONVERTERS))
    parser.add_argument("--samples", type=int, default=1000, help="test images, in whole hundreds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-times", action="store_true", help="accuracy and spikes alone, as on a busy machine")
    parser.add_argument(
        "--json", type=Path, help="the file of results [default: benchmarks/results/accuracy/MACHINE.json]"
    )
    chosen = parser.parse_args(arguments)
    path = chosen.json or FOLDER / f"{machine.name('cpu')}.json"
    try:
        names, converters = _known(chosen.networks, NETWORKS), _known(chosen.converters, CONVERTERS)
        if chosen.samples < TIMED_SAMPLES or chosen.samples % TIMED_SAMPLES:
            raise DidNotRunError(f"--samples {chosen.samples}: must be hundreds, at least {TIMED_SAMPLES}")
        results = read(path)
    except DidNotRunError as error:
        print(f"benchmarks.accuracy: {error}", file=sys.stderr)
        return 1
    results["machine"] = machine.facts()
    for name in names:
        for converter in converters:
            key = f"{name}/{converter}/{chosen.samples}/{chosen.threads}"
            if not is_finished(results["rows"].get(key, {}), timed=not chosen.no_times):
                results["rows"][key] = row(name, converter, chosen.samples, chosen.threads, timed=not chosen.no_times)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, (json.dumps(results, indent=1) + "\n").encode())
            print("\n".join(table({key: results["rows"][key]}, machine.cores())), flush=True)
    return 0


def is_finished(found: Mapping[str, Any], *, timed: bool) -> bool:
    """Whether a row has figures, with times where they are wanted."""
    return "figures" in found and (not timed or all(one["milliseconds"] for one in found["figures"]))


def _known(text: str, there: Iterable[str]) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in there:
            raise DidNotRunError(f"there is no {name!r}; there are {', '.join(there)}")
    return names


def row(name: str, converter: str, samples: int, threads: int, *, timed: bool = True) -> dict[str, Any]:
    """What a converter gives for a network, or the reason why nothing."""
    system = systems.system(converter)
    version = environments.fingerprint(system.requirements) if system.requirements else machine.describe()
    try:
        task = replace(task_of(name, samples, threads), timed=timed)
        trained = trained_accuracy(task)
        figures = _in_its_process(converter, task)
        return {"trained": trained, "made_with": version, "load_average": os.getloadavg()[1], "figures": figures}
    except (DidNotRunError, FileNotFoundError) as error:
        return {"reason": str(error)}


def task_of(name: str, samples: int, threads: int) -> Task:
    """The network with its trained weights, and images.

    Raises:
        FileNotFoundError: no data set, or no weights.
    """
    data = datasets.load(NETWORKS[name])
    calibration, x = (
        inputs_on_grid(images.astype(np.float32) / 255)
        for images in (data.x_train[:CALIBRATION], data.x_test[:samples])
    )
    network = WORKLOADS[name]().network(Equation.IF)
    return Task(network, calibration, x, data.y_test[:samples], STEPS, threads)


def trained_accuracy(task: Task) -> float:
    """Of the network with Relu."""
    from benchmarks.systems._convert import trained_model
    from converter.graph.run import start_quietly

    (scores,) = start_quietly(trained_model(task.network)).run(None, {"input": task.x})
    return task.accuracy(scores)


def _in_its_process(converter: str, task: Task) -> list[dict[str, Any]]:
    python = environments.python_of(converter, systems.system(converter).requirements)
    environment = {**os.environ, **dict.fromkeys(THREADS, str(task.threads)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment["CUDA_VISIBLE_DEVICES"] = ""
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name) / "out.json"
        task.save(folder)
        command = [python, "-m", "benchmarks.accuracy.run", converter, str(folder), str(out)]
        done = run_to_end(command, LIMIT, cwd=ROOT, env=environment)
        if done.returncode:
            raise DidNotRunError((done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300])
        figures: list[dict[str, Any]] = json.loads(out.read_text())
        return figures


if __name__ == "__main__":
    end_on_signals()
    sys.exit(main())
