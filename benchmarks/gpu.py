"""Operators and models on a GPU: ``python -m benchmarks.gpu operators|models|spikingjelly|summary --json OUT``.

Each part prints a table and adds its numbers to the JSON file; what did not run has its reason there, and the others go on.
`tools/gpu_check.sh` runs them all. ``--provider cpu`` with small ``--neurons`` runs the same code without a GPU.

operators     time, bandwidth, and the share of a device-to-device copy of as many bytes (read once and written once)
models        the embedded LeNet-5 and a VGG with random weights, natively and by function bodies, beside the trained model
spikingjelly  SpikingJelly's implementations of IF and LIF, and the same VGG with its neurons, on the same device
summary       reads what the stages of tools/gpu_check.sh did
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

import snn_ops
from benchmarks import vgg
from benchmarks.machine import describe
from benchmarks.operators import interleaved
from converter import convert, load_ann
from converter.demo import demo_samples
from converter.report.json_file import write_json
from snn_ops.ops import OPERATORS, Time
from snn_ops.provider import start_session
from snn_ops.single import SingleOperator

STEPS = 32
NEURONS = {"lenet5": ("auto", "lif"), "vgg": ("auto",)}
"""By model, as the converter calls them."""


def device_copy(provider: str, n_bytes: int) -> Callable[[], object]:
    """A copy of so many bytes from the device to the device, complete when it returns."""
    if provider == "cpu":
        source, target = (np.zeros(n_bytes, np.uint8) for _ in range(2))
        return lambda: np.copyto(target, source)
    if find_spec("torch"):
        import torch

        a, b = (torch.zeros(n_bytes, dtype=torch.uint8, device="cuda") for _ in range(2))
        return lambda: (b.copy_(a), torch.cuda.synchronize())
    import cupy

    c, d = (cupy.zeros(n_bytes, cupy.uint8) for _ in range(2))
    return lambda: (cupy.copyto(d, c), cupy.cuda.get_current_stream().synchronize())


class BoundRun:
    """A call with inputs and the output in fixed memory of the device; it returns the output, there, when it is complete."""

    def __init__(self, session: ort.InferenceSession, provider: str, feed: dict[str, np.ndarray], output: str) -> None:
        self._session, self._binding = session, session.io_binding()
        self._feed = feed  # a bound input is this very memory, which ONNX Runtime before 1.31 does not keep
        for name, array in feed.items():
            place = "cpu" if name == "n_steps" else provider
            self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, place, 0))
        self._binding.bind_output(output, provider)
        session.run_with_iobinding(self._binding)
        (self._target,) = self._binding.get_outputs()
        self._binding.bind_ortvalue_output(output, self._target)

    def __call__(self) -> ort.OrtValue:
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()
        return self._target


def attempt(row: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row with what was measured, or with the reason why not: a failure leaves the other rows alone."""
    try:
        return row | measure()
    except Exception as error:
        return row | {"not_run": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}


def operator_inputs(op_type: str, currents: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters at their defaults, states at rest; `currents` for `STEPS` steps, or for those of one."""
    operator = OPERATORS[op_type]
    first = currents[: len(currents) // STEPS] if operator.time is Time.REPEAT else currents
    values: dict[str, float] = {state.name: state.at_rest(operator.defaults) for state in operator.states}
    values |= {parameter.name: parameter.default for parameter in operator.parameters} | {"n_steps": STEPS}
    others = {t.name: np.asarray(values.get(t.name, 0), t.kind.dtype(np.float32)) for t in operator.inputs[1:]}
    return {operator.input.name: first} | others


def operators(provider: str, neurons: int) -> list[dict[str, Any]]:
    unit = np.random.default_rng(0).random(STEPS * neurons, np.float32)

    def one(op_type: str, element: str) -> dict[str, Any]:
        feed = operator_inputs(op_type, (OPERATORS[op_type].usual[1] * unit).astype(element, copy=False))
        session = SingleOperator(op_type, provider=provider).session(*feed.values())
        run = BoundRun(session, provider, feed, OPERATORS[op_type].outputs[0].name)
        found = run().numpy()
        moved = next(iter(feed.values())).nbytes + found.nbytes
        times, copies = interleaved(run, device_copy(provider, moved // 2))
        seconds, copy = statistics.median(times), statistics.median(copies)
        return {
            "milliseconds": 1e3 * seconds,
            "GB/s": moved / seconds / 1e9,
            "share_of_copy": copy / seconds,
            "nonzero": float((found != 0).mean()),
        }

    return [
        attempt({"operator": op_type, "type": element}, partial(one, op_type, element))
        for op_type, element in itertools.product(OPERATORS, ("float32", "float16"))
    ]


def models(provider: str, batches: Sequence[int], steps: Sequence[int]) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, trained, images, calibration in trained_models(Path(folder), max(batches)):
            for neuron in NEURONS[name]:
                spiking = Path(folder) / f"{name}.{neuron}.snn.onnx"
                convert(trained, calibration, neuron=neuron, n_steps=max(steps)).save(spiking)
                agreement = attempt({}, partial(difference_from_cpu, spiking, images, provider))
                for backend, batch, n_steps in itertools.product(("native", "functions"), batches, steps):
                    row = {"model": name, "neuron": neuron, "backend": backend, "batch": batch, "n_steps": n_steps}
                    measure = partial(model_times, trained, spiking, backend, images[:batch], n_steps, provider)
                    rows.append(attempt(row, measure) | agreement)
    return rows


def model_times(
    trained: Path, spiking: Path, backend: str, images: np.ndarray, n_steps: int, provider: str
) -> dict[str, float]:
    """Of a converted model and the one that it was made from."""
    ann = start_session(str(trained), quiet(), provider)
    session = start_session(str(spiking), snn_ops.register(quiet(), backend), provider)
    (name,), (output,) = ([value.name for value in values] for values in (ann.get_inputs(), ann.get_outputs()))
    times, ann_times = interleaved(
        BoundRun(session, provider, {name: images, "n_steps": np.asarray(n_steps)}, output),
        BoundRun(ann, provider, {name: images}, output),
    )
    return {
        "milliseconds": 1e3 * statistics.median(times),
        "trained_milliseconds": 1e3 * statistics.median(ann_times),
    }


def trained_models(folder: Path, count: int) -> Iterable[tuple[str, Path, np.ndarray, np.ndarray]]:
    """Name, file, images to run and images to calibrate on."""
    with resources.as_file(resources.files("converter.demo") / "data" / "lenet5_relu.onnx") as source:
        ann = load_ann(source)
        (test,), (calibration,) = (
            demo_samples(which, ann.input_specs).feed.values() for which in ("test", "calibration")
        )
        yield "lenet5", source, test[:count], calibration
    path = folder / "vgg.onnx"
    onnx.save(vgg.model(), path)
    images = np.random.default_rng(0).random((count + 16, *vgg.IMAGE), np.float32)
    yield "vgg", path, images[:count], images[count:]


def difference_from_cpu(path: Path, images: np.ndarray, provider: str) -> dict[str, float]:
    """Of the outputs, relative. The device's own rounding may move single spikes.

    Raises:
        RuntimeError: it is more than 10 %.
    """
    found, expected = (snn_ops.Session(path, provider=place).run(images)[0] for place in (provider, "cpu"))
    difference = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    if difference > 0.1:
        raise RuntimeError(f"{path.name}: outputs on {provider} differ from the CPU's by {difference:.0%}")
    return {"difference_from_cpu": difference}


def quiet() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return options


def spikingjelly(provider: str, neurons: int, batch: int) -> list[dict[str, Any]]:
    """One row per implementation."""

    def one(implementation: str) -> dict[str, Any]:
        sizes = ["--neurons", str(neurons), "--steps", str(STEPS), "--batch", str(batch)]
        command = [sys.executable, "-m", "benchmarks.spikingjelly_speed", implementation, "--device", provider, *sizes]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    implementations = ("torch", "cupy", "triton", "cuda") if provider == "cuda" else ("torch",)
    return [attempt({"implementation": name}, partial(one, name)) for name in implementations]


def summary(stages: Sequence[str]) -> dict[str, str]:
    """Of lines "NAME: what became of it"."""
    return dict(line.split(": ", 1) for line in stages)


def show(rows: list[dict[str, Any]]) -> None:
    """Columns of all keys."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([form(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def form(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["operators", "models", "spikingjelly", "summary"])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--provider", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--neurons", type=int, default=16_000_000, help="of an operator, for 32 steps")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64], help="of a model")
    parser.add_argument("--steps", type=int, nargs="+", default=[8, STEPS], help="of a model")
    arguments = parser.parse_args()
    made_by = f"{describe()}; {gpu_name() if arguments.provider == 'cuda' else 'no GPU'}"
    part: object
    if arguments.part == "summary":
        part = summary(sys.stdin.read().splitlines())
    else:
        measures: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "operators": lambda: operators(arguments.provider, arguments.neurons),
            "models": lambda: models(arguments.provider, arguments.batches, arguments.steps),
            "spikingjelly": lambda: spikingjelly(arguments.provider, arguments.neurons, max(arguments.batches)),
        }
        print(f"{made_by}; provider {arguments.provider}, T = {STEPS}, {arguments.neurons:,} neurons")
        part = rows = measures[arguments.part]()
        show(rows)
    known = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
    known |= {"machine": made_by, "provider": arguments.provider, "n_steps": STEPS, arguments.part: part}
    write_json(known, arguments.json)
    check(arguments.part, part)


def check(part: str, rows: Any) -> None:
    """Ends with exit code 1 where something did not run; not every SpikingJelly has every implementation."""
    missing = [row for row in rows if "not_run" in row] if part != "summary" else []
    if missing and (part != "spikingjelly" or len(missing) == len(rows)):
        sys.exit(f"{len(missing)} of {len(rows)} rows did not run: {missing[0]['not_run']}")


def gpu_name() -> str:
    """And its driver."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "no GPU"


if __name__ == "__main__":
    main()
