"""Operators and models on a GPU: ``python -m benchmarks.gpu operators|models|spikingjelly|summary --json OUT``.

Each part prints rows and adds each to the JSON file as it comes; what did not run has its reason there, and the others go on.
`tools/gpu_check.sh` runs them all. ``--provider cpu`` with small ``--neurons`` runs the same code without a GPU.

operators     a whole run of ONNX Runtime by the host's clock: bandwidth, and the share of a device-to-device copy of as many
              bytes (read once and written once). `tools.gpu.check_kernels` times the kernels alone.
models        the embedded LeNet-5 and a VGG with random weights, natively, by function bodies and, on a GPU, in a CUDA graph,
              beside the trained model. Whether they are right, `tools.gpu.check_models` says.
spikingjelly  SpikingJelly's implementations of IF and LIF, and the same VGG with its neurons, on the same device: each in a
              process with a limit of its own
summary       reads what the stages of tools/gpu_check.sh did
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from benchmarks.rows import Results, Row, attempt, line, show
from converter import convert, load_ann
from converter.demo import demo_samples
from snn_ops.ops import OPERATORS, Time
from snn_ops.provider import ProviderOptions, start_session
from snn_ops.single import SingleOperator

STEPS = 32
NEURONS = {"lenet5": ("auto", "lif"), "vgg": ("auto",)}
"""By model, as the converter calls them."""
WAYS: dict[str, dict[str, tuple[str, ProviderOptions]]] = {
    "cpu": {"native": ("native", {}), "functions": ("functions", {})},
    "cuda": {
        "native": ("native", {}),
        "exhaustive search": ("native", {"cudnn_conv_algo_search": "EXHAUSTIVE"}),
        "graph": ("native", {"enable_cuda_graph": 1}),
        "functions": ("functions", {}),
    },
}
"""Of running a model, by provider: the backend, and options of the provider."""
PEERS = {"cpu": ("torch",), "cuda": ("torch", "triton", "cupy", "cuda")}
"""SpikingJelly's implementations, by provider."""


def device_copy(provider: str, n_bytes: int) -> Callable[[], object]:
    """A copy of so many random bytes from the device to the device, complete when it returns."""
    count = n_bytes // 4
    if provider == "cpu":
        source = np.random.default_rng(0).random(count, np.float32)
        target = np.empty_like(source)
        return lambda: np.copyto(target, source)
    if find_spec("torch"):
        import torch

        a = torch.rand(count, device="cuda")
        b = torch.empty_like(a)
        return lambda: (b.copy_(a), torch.cuda.synchronize())
    import cupy

    c = cupy.random.random(count, cupy.float32)
    d = cupy.empty_like(c)
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


def operator_inputs(op_type: str, currents: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters at their defaults, states at rest; `currents` for `STEPS` steps, or for those of one."""
    operator = OPERATORS[op_type]
    first = currents[: len(currents) // STEPS] if operator.time is Time.REPEAT else currents
    values: dict[str, float] = {state.name: state.at_rest(operator.defaults) for state in operator.states}
    values |= {parameter.name: parameter.default for parameter in operator.parameters} | {"n_steps": STEPS}
    others = {t.name: np.asarray(values.get(t.name, 0), t.kind.dtype(np.float32)) for t in operator.inputs[1:]}
    return {operator.input.name: first} | others


def operators(provider: str, neurons: int) -> Iterator[Row]:
    unit = np.random.default_rng(0).random(STEPS * neurons, np.float32)

    def one(op_type: str, element: str) -> Row:
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

    for op_type, element in itertools.product(OPERATORS, ("float32", "float16")):
        yield attempt({"operator": op_type, "type": element}, partial(one, op_type, element))


def models(provider: str, batches: Sequence[int], steps: Sequence[int]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        for name, trained, images, calibration in trained_models(Path(folder), max(batches)):
            for neuron in NEURONS[name]:
                spiking = Path(folder) / f"{name}.{neuron}.snn.onnx"
                convert(trained, calibration, neuron=neuron, n_steps=max(steps)).save(spiking)
                for way, batch, n_steps in itertools.product(WAYS[provider], batches, steps):
                    row = {"model": name, "neuron": neuron, "way": way, "batch": batch, "n_steps": n_steps}
                    yield attempt(row, partial(model_times, trained, spiking, way, images[:batch], n_steps, provider))


def model_times(trained: Path, spiking: Path, way: str, images: np.ndarray, n_steps: int, provider: str) -> Row:
    """Of a converted model and the one that it was made from."""
    backend, options = WAYS[provider][way]
    ann = start_session(str(trained), quiet(), provider)
    session = start_session(str(spiking), snn_ops.register(quiet(), backend), provider, options)
    (name,), (output,) = ([value.name for value in values] for values in (ann.get_inputs(), ann.get_outputs()))
    start = time.perf_counter()
    run = BoundRun(session, provider, {name: images, "n_steps": np.asarray(n_steps)}, output)
    first = time.perf_counter() - start
    times, ann_times = interleaved(run, BoundRun(ann, provider, {name: images}, output))
    return {
        "milliseconds": 1e3 * statistics.median(times),
        "trained_milliseconds": 1e3 * statistics.median(ann_times),
        "first_run_milliseconds": 1e3 * first,
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


def quiet() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return options


def spikingjelly(provider: str, sizes: Sequence[str], limit: float, older: Path | None) -> Iterator[Row]:
    """One row per implementation.

    Args:
        provider: the device.
        sizes: arguments of `benchmarks.spikingjelly_speed`.
        limit: seconds for each.
        older: where SpikingJelly 0.0.0.0.14 lies, the last with CuPy kernels: these are taken from there.
    """
    for name in PEERS[provider]:
        paths = [*([str(older)] if older and name == "cupy" else []), *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-m", "benchmarks.spikingjelly_speed", name, "--device", provider, *sizes]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        yield attempt({"implementation": name}, partial(last_line, command, environment, limit))


def last_line(command: Sequence[str], environment: Mapping[str, str], limit: float) -> Row:
    """What a process prints last, as JSON. After so many seconds it is ended, with all that it started.

    Raises:
        RuntimeError: it failed, or took too long.
    """
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        try:
            out, error = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError(f"not done after {limit:g} s") from None
    if process.returncode:
        raise RuntimeError((error.strip().splitlines() or [f"exit code {process.returncode}"])[-1])
    result: Row = json.loads(out.splitlines()[-1])
    return result


def summary(stages: Sequence[str]) -> dict[str, str]:
    """Of lines "NAME: what became of it"."""
    return dict(line.split(": ", 1) for line in stages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["operators", "models", "spikingjelly", "summary"])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--provider", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--neurons", type=int, default=8_000_000, help="of an operator, for 32 steps")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64], help="of a model")
    parser.add_argument("--steps", type=int, nargs="+", default=[8, STEPS], help="of a model")
    parser.add_argument("--limit", type=float, default=60, help="seconds for an implementation of SpikingJelly")
    parser.add_argument("--older", type=Path, help="a folder with SpikingJelly 0.0.0.0.14, the last with CuPy kernels")
    arguments = parser.parse_args()
    made_by = f"{describe()}; {gpu_name() if arguments.provider == 'cuda' else 'no GPU'}"
    results = Results(arguments.json, {"machine": made_by, "provider": arguments.provider, "n_steps": STEPS})
    if arguments.part == "summary":
        results.put("summary", summary(sys.stdin.read().splitlines()))
        return
    print(f"{made_by}; provider {arguments.provider}, T = {STEPS}, {arguments.neurons:,} neurons")
    for row in rows_of(arguments):
        results.add(arguments.part, row)
        print(line(row), flush=True)
    print()
    show(results.rows(arguments.part))
    check(arguments.part, results.rows(arguments.part))


def rows_of(arguments: argparse.Namespace) -> Iterator[Row]:
    """Of the part that was asked for."""
    if arguments.part == "operators":
        return operators(arguments.provider, arguments.neurons)
    if arguments.part == "models":
        return models(arguments.provider, arguments.batches, arguments.steps)
    sizes = ("--neurons", arguments.neurons, "--steps", STEPS, "--batch", max(arguments.batches))
    return spikingjelly(arguments.provider, list(map(str, sizes)), arguments.limit, arguments.older)


def check(part: str, rows: list[Row]) -> None:
    """Ends with exit code 1 where something did not run; not every SpikingJelly has every implementation."""
    missing = [row for row in rows if "not_run" in row]
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
