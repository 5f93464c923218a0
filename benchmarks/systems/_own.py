"""What our rows share: a network converted as a user converts it, with its own neurons, and run by `snn_ops.Session`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.systems.system import Job, Rule, Runner, System
from benchmarks.workloads.network import Equation

TAU_RC, TAU_REF = 20.0, 2.0
"""Of nengo.LIF, in steps."""
CACHE_LINE = 64
NOTES = {
    "delta": "the delta code, step by step",
    "delta-two-phase": "the delta code, each layer sends all, then the next",
}
"""What the table says of these kinds: another way to say the trained network's values than the cell's equation."""
DELTA_CELLS = frozenset({4, 30, 32})
"""Steps of the cells with rows of the delta code, which do not depend on them."""


class OwnSystem(System):
    """A way to run a converted model.

    Args:
        name: of the row.
        backend: as `snn_ops.Session` takes it.
        kind: as `benchmarks.systems._convert` makes it: stepped, two-phase, one-after-the-other, delta, delta-two-phase.
        n_steps: of the delta code, whatever the cell's; None: the file's own.
        providers: where it runs.
        options: of ONNX Runtime's CUDA provider; rows with some are for networks alone.
    """

    def __init__(
        self,
        name: str,
        *,
        backend: str = "native",
        kind: str = "stepped",
        n_steps: int | None = None,
        providers: tuple[str, ...] = ("cpu", "cuda"),
        options: Mapping[str, str | int] = MappingProxyType({}),
    ) -> None:
        self.name, self.providers = name, providers
        self._backend, self._kind, self._options = backend, kind, dict(options)
        if options:
            self.kinds = frozenset({"network"})
        self.equations = frozenset(Equation)
        self._n_steps = n_steps
        if kind in NOTES:
            steps = f", {n_steps} steps" if n_steps else ""
            self.equations, self.kinds, self.trained_only = frozenset({Equation.IF}), frozenset({"network"}), True
            self.rule, self.steps = Rule(f"{kind}{steps}", f"{NOTES[kind]}{steps}"), DELTA_CELLS
        elif kind != "stepped":
            self.equations = frozenset({Equation.IF, Equation.NENGO_IF})
            self.rule = Rule("two-phase", "each layer fires after all its input came")
            self.kinds = frozenset({"network"})

    def build(self, job: Job) -> Runner:
        """Converts in another process, and loads the file."""
        if job.sequence:
            return OperatorRunner(job, self._backend)
        if self._kind in NOTES:
            return DeltaRunner(job, self._backend, self._kind, self._n_steps)
        runner = GraphRunner if "enable_cuda_graph" in self._options else OwnRunner
        return runner(job, self._backend, "streaming" if job.stream else self._kind, self._options)

    def version(self) -> str:
        """Of onnx-snn and of ONNX Runtime."""
        import onnxruntime

        import snn_ops

        return f"onnx-snn {snn_ops.__version__}, ONNX Runtime {onnxruntime.__version__}"


class Converted:
    """What `benchmarks.systems._convert` made of a network; `model` and `counts` are its files.

    One conversion serves all our rows and every T, which a session chooses.
    """

    def __init__(self, job: Job, kind: str) -> None:
        folder = Path(job.shared) / f"{job.network.name}-{job.network.equation.value}-{kind}"
        self.model, self.counts, about = folder / "model.onnx", folder / "counts.onnx", folder / "seconds.json"
        start = time.perf_counter()
        if not about.exists():
            folder.mkdir(exist_ok=True)
            about.write_text(json.dumps(_convert(job, kind, folder)))
        conversion = float(json.loads(about.read_text()))
        self.seconds, self.waited = {"conversion": conversion}, time.perf_counter() - start
        self.file_bytes = self.model.stat().st_size


def _convert(job: Job, kind: str, folder: Path) -> float:
    """In another process, so that this one stays as it is where models are only run; the seconds that it took."""
    job.network.save(folder / "network.npz")
    arguments = [str(folder / "network.npz"), str(folder), str(job.n_steps), kind]
    command = [sys.executable, "-m", "benchmarks.systems._convert", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return float(done.stdout.splitlines()[-1])


class OwnRunner(Runner):
    """A converted model in a session.

    Args:
        job: what to run.
        backend: as `snn_ops.Session` takes it.
        kind: of conversion.
        options: of ONNX Runtime's CUDA provider.
    """

    mean_so_far = True

    def __init__(
        self, job: Job, backend: str, kind: str, options: Mapping[str, str | int] = MappingProxyType({})
    ) -> None:
        self._converted = Converted(job, kind)
        self.seconds, self.file_bytes = self._converted.seconds, self._converted.file_bytes
        self.waited_seconds = self._converted.waited
        self.settings = {"backend": backend, "schedule": kind, **options}
        self._job, self._backend, self._options = job, backend, dict(options)
        self._session = self._load(self._converted.model)
        self._stream = self._session.stream() if job.stream else None

    def _load(self, model: Path) -> Any:
        from snn_ops.session import Session

        job = self._job
        return Session(
            model,
            n_steps=job.n_steps,
            threads=job.threads,
            provider=job.provider,
            provider_options=self._options or None,
            backend=self._backend,
        )

    def run(self, x: np.ndarray) -> np.ndarray:
        """Through all steps; of a stream one more."""
        y: np.ndarray = (self._stream.run(x, 1) if self._stream else self._session.run(x))[0]
        return y

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray] | None:
        """From the neurons' outputs, some samples at a time."""
        names, n_steps = self._job.network.neurons, self._job.n_steps
        session = self._load(self._converted.counts)
        size = max(1, session.rows // n_steps)
        parts = [
            session.run_batch({"input": x[start : start + size]}, n_steps, [f"{name}.count" for name in names])
            for start in range(0, len(x), size)
        ]
        return {name: np.concatenate([part[index] for part in parts]) for index, name in enumerate(names)}


class DeltaRunner(OwnRunner):
    """With its own number of steps."""

    def __init__(self, job: Job, backend: str, kind: str, n_steps: int | None) -> None:
        self._own_steps = n_steps
        super().__init__(job, backend, kind)
        self.settings = {**self.settings, "steps": self._session.n_steps}

    def _load(self, model: Path) -> Any:
        from snn_ops.session import Session

        job = self._job
        return Session(
            model, n_steps=self._own_steps, threads=job.threads, provider=job.provider, backend=self._backend
        )

    def spike_counts(self, x: np.ndarray) -> None:
        """Its neurons stand elsewhere than the cell's."""


class GraphRunner(OwnRunner):
    """Replays a CUDA graph, from and to fixed memory of the device; images are copied there for each run, and outputs back."""

    def _bind(self, x: np.ndarray) -> None:
        import onnxruntime

        self._x = onnxruntime.OrtValue.ortvalue_from_numpy(x, "cuda", 0)
        self._n_steps = onnxruntime.OrtValue.ortvalue_from_numpy(np.asarray(self._job.n_steps))
        self._binding = self._session.ort.io_binding()
        self._binding.bind_ortvalue_input("input", self._x)
        self._binding.bind_ortvalue_input("n_steps", self._n_steps)
        output = self._session.output_names[0]
        y = self._session.run(x)[0]
        self._y = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(y.shape), np.float32, "cuda", 0)
        self._binding.bind_ortvalue_output(output, self._y)

    def run(self, x: np.ndarray) -> np.ndarray:
        """The first run captures."""
        if not hasattr(self, "_binding"):
            self._bind(x)
        self._x.update_inplace(x)
        self._session.ort.run_with_iobinding(self._binding)
        y: np.ndarray = self._y.numpy()
        return y


class OperatorRunner(Runner):
    """One operator, with inputs and outputs in fixed memory of the device."""

    def __init__(self, job: Job, backend: str) -> None:
        from snn_ops.single import SingleOperator

        (layer,) = job.network.layers
        attributes: dict[str, Any] = dict(layer.attributes)
        if job.network.equation is Equation.NENGO_LIF:
            attributes |= {"tau_rc": TAU_RC, "tau_ref": TAU_REF, "min_voltage": 0.0, "dt": 1.0}
        self._operator = SingleOperator(
            layer.operator,
            backend=backend,
            provider=job.provider,
            threads=job.threads,
            with_states=backend != "native",
            **attributes,
        )
        self._job, self._attributes = job, attributes
        self.settings = {"backend": backend, "inputs and outputs": "in fixed memory of the device"}

    def place(self, x: np.ndarray) -> np.ndarray:
        """Binds everything."""
        import onnxruntime

        from snn_ops.format import N_STEPS

        operator, n_steps = self._operator.operator, self._job.n_steps
        rest = {state.name: state.at_rest({**operator.defaults, **self._attributes}) for state in operator.states}
        numbers = rest | {parameter.name: parameter.default for parameter in operator.parameters} | {N_STEPS: n_steps}
        currents = aligned(x.reshape(-1, *x.shape[2:]))
        if self._job.network.equation is Equation.NENGO_IF:
            currents = np.maximum(currents, 0)
        others = [np.asarray(numbers.get(t.name, 0), t.kind.dtype(np.float32)) for t in operator.inputs[1:]]
        self._inputs = [currents, *others]  # bound inputs are this very memory
        self._session = self._operator.session(*self._inputs)
        self._binding = self._session.io_binding()
        for tensor, array in zip(operator.inputs, self._inputs, strict=True):
            where = "cpu" if tensor.name == N_STEPS else self._job.provider
            self._binding.bind_ortvalue_input(tensor.name, onnxruntime.OrtValue.ortvalue_from_numpy(array, where, 0))
        output = operator.outputs[0].name
        self._binding.bind_output(output, self._job.provider)
        self._session.run_with_iobinding(self._binding)
        (self._target,) = self._binding.get_outputs()
        self._binding.bind_ortvalue_output(output, self._target)
        return x

    def run(self, x: np.ndarray) -> Any:
        """Of what was placed; the result stays on the device."""
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()
        return self._target

    def take(self, y: Any) -> np.ndarray:
        """[n_steps, batch, ...]."""
        spikes: np.ndarray = y.numpy()
        return spikes.reshape(self._job.n_steps, -1, *spikes.shape[1:])


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins at a cache line, as ONNX Runtime's own tensors do."""
    room = np.empty(array.nbytes + CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % CACHE_LINE
    copy = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[:] = array
    return copy
