"""Whole converted models on a GPU: against the CPU, with and without TF32, in chunks of time and in a CUDA graph.

``python -m tools.gpu.check_models --models FOLDER --json OUT``: FOLDER keeps the converted models; those that it lacks are
converted first. ``--make`` does no more than that. OUT is written after each row. No node may be on the CPU: the session would
not start. ``--provider cpu`` runs the same checks without a GPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

import snn_ops
from benchmarks.machine import describe
from converter import convert
from snn_ops.files import write_npz
from snn_ops.provider import ProviderOptions, start_session
from tools.gpu.models import BoundRun, trained_models
from tools.gpu.rows import Results, Row, attempt, line, show

SAMPLES = 128

RATE: dict[str, Any] = {"code": "rate", "n_steps": 32}
DELTA: dict[str, Any] = {"code": "delta", "schedule": "stepped", "n_steps": 4}
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "lenet5.auto": RATE,
    "lenet5.lif": RATE | {"neuron": "lif"},
    "lenet5.sigma-delta": RATE | {"neuron": "sigma-delta"},
    "lenet5.two-phase": RATE | {"schedule": "two-phase"},
    "lenet5.streaming": RATE | {"streaming": True},
    "lenet5.delta": DELTA,
    "lenet5.delta-two-phase": {"code": "delta", "schedule": "two-phase", "exponent": 6},
    "lenet5.delta-streaming": DELTA | {"streaming": True},
    "mlp.delta": DELTA,
    "cnn.delta": DELTA,
    "resnet8.delta": DELTA,
    "resnet8.delta-two-phase": {"code": "delta", "schedule": "two-phase", "exponent": 6},
    "vgg.auto": RATE,
    "vgg.delta": DELTA,
}
"""The models, and how each is converted."""


@dataclass(frozen=True)
class Bounds:
    """How far outputs may be from the CPU's.

    Attributes:
        difference: of their norm, relative.
        same_class: the least share of samples whose largest output is the same.
    """

    difference: float
    same_class: float


BOUNDS = {"float32": Bounds(1e-3, 0.99), "TF32": Bounds(3e-2, 0.97)}
"""In float32, sums in another order move single spikes. TF32 rounds factors to 11 bits, about 5e-4 relative for each layer, and
more spikes move. Some networks, as those with random weights, are less steady than that: for them the bound is `UNSTEADY` times
what the CPU's outputs change by when each weight of a layer does by half of its last digit. Beyond it something is wrong."""
DIGITS = {"float32": 24, "TF32": 11}
UNSTEADY = 2
LAYERS = ("Conv", "Gemm", "MatMul")


def make(folder: Path, names: Sequence[str]) -> None:
    """Converts what the folder lacks of these models, and writes the samples that they are run on."""
    missing = [name for name in names if not path_of(folder, name).exists()]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as trained_in:
        for family, trained, images, calibration in trained_models(Path(trained_in), SAMPLES):
            own = [name for name in missing if name.startswith(f"{family}.")]
            for name in own:
                convert(trained, calibration, **OPTIONS[name]).save(path_of(folder, name))
            if own:
                write_npz(samples_of(folder, own[0]), {"x": images})


def path_of(folder: Path, name: str) -> Path:
    """The model's file."""
    return folder / f"{name}.snn.onnx"


def samples_of(folder: Path, name: str) -> Path:
    """The file of its samples."""
    return folder / f"{name.partition('.')[0]}.npz"


@dataclass(frozen=True)
class Model:
    """A converted model, the samples, and what the CPU makes of them."""

    path: Path
    samples: np.ndarray
    n_steps: int
    expected: np.ndarray

    @classmethod
    def read(cls, folder: Path, name: str, count: int) -> Model:
        """From the folder, with so many samples."""
        with np.load(samples_of(folder, name)) as file:
            samples = file["x"][:count].astype(np.float32)
        path = path_of(folder, name)
        session = snn_ops.Session(path)
        return cls(path, samples, session.n_steps, session.run(samples)[0])

    def feed(self, session: ort.InferenceSession) -> dict[str, np.ndarray]:
        """The inputs of one run through all steps; a state that is not given is at rest."""
        values = {"n_steps": np.asarray(self.n_steps)}
        names = [value.name for value in session.get_inputs()]
        return {names[0]: self.samples} | {name: value for name, value in values.items() if name in names}


def rows(folder: Path, names: Sequence[str], provider: str, samples: int) -> Iterator[Row]:
    """What became of each check of each model; "wrong" where it is beyond its bounds or did not run."""
    for name in names:
        model = Model.read(folder, name, samples)
        checks = {f"against the CPU, {numbers}": partial(whole, model, provider, numbers) for numbers in BOUNDS}
        if provider == "cpu":
            del checks["against the CPU, TF32"]
        else:
            checks["CUDA graph"] = partial(in_a_graph, model)
        if "streaming" in name:
            checks["in chunks of time"] = partial(in_chunks, model, provider)
        for check, run in checks.items():
            bounds = BOUNDS["TF32" if "TF32" in check else "float32"]
            row = attempt({"model": name, "check": check}, partial(measured, run, model.expected))
            if is_beyond(row, bounds):
                steady = measured(
                    partial(with_rounded_weights, model, DIGITS["TF32" if "TF32" in check else "float32"]),
                    model.expected,
                )
                bounds = Bounds(
                    max(bounds.difference, UNSTEADY * steady["difference"]),
                    min(bounds.same_class, 1 - UNSTEADY * (1 - steady["same_class"])),
                )
                row |= {"rounded_weights": steady["difference"], "rounded_weights_same_class": steady["same_class"]}
            yield row | {"wrong": is_beyond(row, bounds) or "not_run" in row}


def is_beyond(row: Row, bounds: Bounds) -> bool:
    """What was measured is farther from the CPU than it may be."""
    return bool(row.get("difference", 0) > bounds.difference or row.get("same_class", 1) < bounds.same_class)


def measured(run: Callable[[], np.ndarray], expected: np.ndarray) -> Row:
    """How far outputs are from those that were expected.

    Raises:
        ValueError: they are of another shape, or no numbers.
    """
    found = run()
    if found.shape != expected.shape or not np.isfinite(found).all():
        raise ValueError(
            f"outputs {found.shape} with {np.isfinite(found).sum()} numbers where {expected.shape} was expected"
        )
    return {
        "difference": float(np.linalg.norm(found - expected) / np.linalg.norm(expected)),
        "same_class": float((found.argmax(-1) == expected.argmax(-1)).mean()),
        "same_numbers": float((found == expected).mean()),
    }


def whole(model: Model, provider: str, numbers: str) -> np.ndarray:
    """All steps in one run."""
    session = _session(model, provider, {"use_tf32": int(numbers == "TF32")} if provider == "cuda" else {})
    return np.asarray(session.run([session.get_outputs()[0].name], model.feed(session))[0])


def with_rounded_weights(model: Model, digits: int) -> np.ndarray:
    """The CPU's outputs, each weight of a layer larger or smaller by half of the last of so many binary digits."""
    proto, rng = onnx.load(model.path), np.random.default_rng(0)
    weights = {name for node in proto.graph.node if node.op_type in LAYERS for name in node.input[:2]}
    for tensor in proto.graph.initializer:
        if tensor.name in weights:
            array = numpy_helper.to_array(tensor)
            changed = array * (1 + rng.choice([-1, 1], array.shape) * 2.0**-digits)
            tensor.CopyFrom(numpy_helper.from_array(changed.astype(array.dtype), tensor.name))
    return np.asarray(snn_ops.Session(proto).run(model.samples)[0])


def in_chunks(model: Model, provider: str) -> np.ndarray:
    """A stream, in chunks of several lengths: one step, the rest of a quarter, a quarter, and a half."""
    options = {"use_tf32": 0} if provider == "cuda" else None
    stream = snn_ops.Session(model.path, provider=provider, provider_options=options).stream()
    quarter = model.n_steps // 4
    for n_steps in (1, quarter - 1, quarter, model.n_steps - 2 * quarter):
        if n_steps:
            found = stream.run(model.samples, n_steps)[0]
    return found


def in_a_graph(model: Model) -> np.ndarray:
    """The third replay of a captured run."""
    session = _session(model, "cuda", {"use_tf32": 0, "enable_cuda_graph": 1})
    run = BoundRun(session, "cuda", model.feed(session), session.get_outputs()[0].name)
    for _ in range(3):
        found = run()
    return np.asarray(found.numpy())


def _session(model: Model, provider: str, options: ProviderOptions) -> ort.InferenceSession:
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    if provider == "cuda":
        settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return start_session(str(model.path), snn_ops.register(settings), provider, options)


def main() -> None:
    """The command of the module's docstring.

    Raises:
        SystemExit: 1, with what is wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of converted models")
    parser.add_argument("--json", type=Path, help="gets the rows")
    parser.add_argument("--only", nargs="+", choices=OPTIONS, default=list(OPTIONS))
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--provider", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--make", action="store_true", help="convert, and check nothing")
    arguments = parser.parse_args()
    make(arguments.models, arguments.only)
    if arguments.make:
        return
    if arguments.json is None:
        parser.error("--json is missing")
    results = Results(arguments.json, {"machine": describe(), "provider": arguments.provider})
    for row in rows(arguments.models, arguments.only, arguments.provider, arguments.samples):
        results.add("whole_models", row)
        print(line(row), flush=True)
    print()
    show(results.rows("whole_models"))
    wrong = [row for row in results.rows("whole_models") if row["wrong"]]
    if wrong:
        sys.exit(f"{len(wrong)} rows are wrong: {line(wrong[0])}")


if __name__ == "__main__":
    main()
