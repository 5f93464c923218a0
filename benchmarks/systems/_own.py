"""What our rows share: a network converted as a user converts it, with its own neurons, and run by `snn_ops.Session`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

import snn_ops
from benchmarks.systems._trained_model import trained_model
from benchmarks.systems.system import CannotComputeError, Job, Rule, Runner, System
from benchmarks.workloads.network import Equation, Network
from converter.conversion.main import convert
from converter.graph.build import add_functions, operator_node, set_operand, to_proto
from converter.normalise.ann import load_ann
from snn_ops.format import DOMAIN, N_STEPS
from snn_ops.ops import OPERATORS
from snn_ops.session import Session
from snn_ops.single import SingleOperator

TAU_RC, TAU_REF = 20.0, 2.0
"""Of nengo.LIF, in steps."""
CACHE_LINE = 64
MANY = 1 << 20
"""Spikes in a step: as good as no limit, which CountIF must have."""
CALIBRATION = 4
"""Samples: the ranges that they give are replaced, since the network's thresholds are 1."""


class OwnSystem(System):
    """A way to run a converted model.

    Args:
        name: of the row.
        backend: as `snn_ops.Session` takes it.
        schedule: stepped or two-phase.
        providers: where it runs.
    """

    def __init__(
        self,
        name: str,
        *,
        backend: str = "native",
        schedule: str = "stepped",
        providers: tuple[str, ...] = ("cpu", "cuda"),
    ) -> None:
        self.name, self.providers = name, providers
        self.rule = (
            Rule("two-phase", "each layer fires after all its input came") if schedule == "two-phase" else Rule()
        )
        self._backend, self._schedule = backend, schedule
        counting = frozenset({Equation.IF, Equation.NENGO_IF})
        self.equations = counting if schedule == "two-phase" else frozenset(Equation)

    def build(self, job: Job) -> Runner:
        """Converts, saves, and loads the file."""
        if job.stream and self._schedule == "two-phase":
            raise CannotComputeError("receives all steps at once; only stepped models can be streamed")
        if job.sequence and self._schedule == "two-phase":
            raise CannotComputeError("its neurons take what is the same at every step")
        if job.sequence:
            return OperatorRunner(job, self._backend)
        return OwnRunner(job, self._backend, self._schedule)

    def version(self) -> str:
        """Of onnx-snn and of ONNX Runtime."""
        return f"onnx-snn {snn_ops.__version__}, ONNX Runtime {onnxruntime.__version__}"


class OwnRunner(Runner):
    """A converted model in a session.

    Args:
        job: what to run.
        backend: as `snn_ops.Session` takes it.
        schedule: stepped or two-phase.
        change: of the converted model, before it is saved.
    """

    mean_so_far = True

    def __init__(
        self,
        job: Job,
        backend: str,
        schedule: str,
        change: Callable[[onnx.ModelProto, Network], onnx.ModelProto] | None = None,
    ) -> None:
        start = time.perf_counter()
        proto = spiking_model(job.network, job.n_steps, schedule, streaming=job.stream)
        proto = change(proto, job.network) if change else proto
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "model.snn.onnx"
        onnx.save(proto, path)
        self.seconds = {"conversion": time.perf_counter() - start}
        self.file_bytes = path.stat().st_size
        self.settings = {"backend": backend, "schedule": schedule}
        self._job, self._backend, self._proto = job, backend, proto
        self._session = self._load(path)
        self._stream = self._session.stream() if job.stream else None

    def _load(self, model: Path | onnx.ModelProto) -> Session:
        job = self._job
        return Session(model, n_steps=job.n_steps, threads=job.threads, provider=job.provider, backend=self._backend)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Through all steps; of a stream one more."""
        (y,) = self._stream.run(x, 1) if self._stream else self._session.run(x)
        return y

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """From the neurons' outputs, some samples at a time."""
        names = self._job.network.neurons
        session = self._load(with_counts(self._proto, self._job.network))
        size = max(1, session.rows // self._job.n_steps)
        parts = [
            session.run_batch(
                {"input": x[start : start + size]}, self._job.n_steps, [f"{name}.count" for name in names]
            )
            for start in range(0, len(x), size)
        ]
        return {name: np.concatenate([part[index] for part in parts]) for index, name in enumerate(names)}


class OperatorRunner(Runner):
    """One operator, with inputs and outputs in fixed memory of the device."""

    def __init__(self, job: Job, backend: str) -> None:
        (layer,) = job.network.layers
        attributes: dict[str, Any] = dict(layer.attributes)
        if job.network.equation is Equation.NENGO_LIF:
            attributes |= {"tau_rc": TAU_RC, "tau_ref": TAU_REF, "min_voltage": 0.0, "dt": 1.0}
        self._operator = SingleOperator(
            layer.operator, backend=backend, provider=job.provider, threads=job.threads, with_states=False, **attributes
        )
        self._job, self._attributes = job, attributes
        self.settings = {"backend": backend, "inputs and outputs": "in fixed memory of the device"}

    def place(self, x: np.ndarray) -> np.ndarray:
        """Binds everything."""
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


def spiking_model(network: Network, n_steps: int, schedule: str, *, streaming: bool = False) -> onnx.ModelProto:
    """The trained model converted with one-spike neurons; then each gets the network's equation, threshold 1, voltage 0."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(trained_model(network), path)
        rng = np.random.default_rng(0)
        conversion = convert(
            load_ann(path),
            rng.random((CALIBRATION, *network.input_shape), np.float32),
            neuron="if" if schedule == "stepped" else "auto",
            n_steps=n_steps,
            method="percentile",
            max_spikes=1,
            correction="none",
            schedule=schedule,
            streaming=streaming,
        )
    for node in _neurons(conversion.model, network):
        _give_equation(conversion.model.graph, node, network.equation)
    return to_proto(_with_functions(conversion.model))


def _neurons(model: ir.Model, network: Network) -> list[ir.Node]:
    found = [node for node in model.graph if node.domain == DOMAIN and OPERATORS[node.op_type].height is not None]
    assert len(found) == len(network.neurons), "every neuron of the network is one of ours"
    return found


def _give_equation(graph: ir.Graph, node: ir.Node, equation: Equation) -> None:
    if equation is Equation.NENGO_LIF:
        _put_lif(graph, node)
        return
    for name in ("threshold", "voltage"):
        set_operand(node, name, np.asarray(float(name == "threshold"), np.float32))
    if equation is Equation.NENGO_IF:
        node.attributes["max_spikes"] = ir.AttrInt64("max_spikes", 0 if node.op_type == "IF" else MANY)
        x = node.inputs[0]
        assert x is not None
        relu = ir.node("Relu", [x], outputs=[ir.Value(name=f"{node.name}_current", type=x.type, shape=x.shape)])
        relu.name = f"{node.name}_current"
        graph.insert_before(node, relu)
        node.replace_input_with(0, relu.outputs[0])


def one_after_the_other(proto: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    """A two-phase model with IF, step by step on the mean of its input, and TimeMean in the place of CountIF."""
    model = ir.from_proto(proto)
    graph = model.graph
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    for node in _neurons(model, network):
        most = 1 if network.equation is Equation.IF else 0
        attributes = {"max_spikes": most, "constant_current": 1}
        x, name = node.inputs[0], str(node.outputs[0].name)
        assert x is not None
        stepped = operator_node(graph, "IF", f"{node.name}_if", x, n_steps, {"threshold": np.ones(())}, attributes)
        mean = operator_node(graph, "TimeMean", f"{node.name}_mean", stepped.outputs[0], n_steps)
        graph.insert_after(node, [stepped, mean])
        for user, index in list(node.outputs[0].uses()):
            user.replace_input_with(index, mean.outputs[0])
        graph.remove(node, safe=True)
        mean.outputs[0].name = name
    return to_proto(_with_functions(model))


def _put_lif(graph: ir.Graph, node: ir.Node) -> None:
    """nengo.LIF in the place of IF, a step of 1."""
    x, n_steps = node.inputs[0], next(value for value in graph.inputs if value.name == N_STEPS)
    assert x is not None
    attributes: Mapping[str, float | int] = {
        "tau_rc": TAU_RC,
        "tau_ref": TAU_REF,
        "min_voltage": 0.0,
        "dt": 1.0,
        "constant_current": node.attributes["constant_current"].as_int(),
    }
    operands = {"amplitude": np.ones(())}
    lif = operator_node(graph, "LIF", f"{node.name}_lif", x, n_steps, operands, attributes)
    graph.insert_after(node, lif)
    for user, index in list(node.outputs[0].uses()):
        user.replace_input_with(index, lif.outputs[0])
    lif.outputs[0].shape, name = node.outputs[0].shape, str(node.outputs[0].name)
    graph.remove(node, safe=True)
    lif.outputs[0].name = name


def _with_functions(model: ir.Model) -> ir.Model:
    model.functions.clear()
    add_functions(model)
    return model


class TwoPhaseReference(System):
    """What two-phase rows are held against: the stepped operator, layer by layer."""

    name = "two-phase reference"
    equations = frozenset({Equation.IF, Equation.NENGO_IF})

    def build(self, job: Job) -> Runner:
        """As `OwnSystem`, with IF and TimeMean in the place of CountIF."""
        return OwnRunner(job, "native", "two-phase", one_after_the_other)


def with_counts(proto: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    """The model with the spikes of each layer summed over time as outputs, ``LAYER.count``.

    Of neurons whose output is a mean already, T times that.
    """
    model = ir.from_proto(proto)
    graph = model.graph
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    for layer, node in zip(network.neurons, _neurons(model, network), strict=True):
        mean = node.outputs[0]
        if OPERATORS[node.op_type].time.name == "STEPS":
            time_mean = operator_node(graph, "TimeMean", f"{layer}_count", mean, n_steps)
            graph.append(time_mean)
            mean = time_mean.outputs[0]
        steps = ir.node("CastLike", [n_steps, mean])
        count = ir.node("Mul", [mean, steps.outputs[0]], outputs=[ir.Value(name=f"{layer}.sum", type=mean.type)])
        rounded = ir.node("Round", [count.outputs[0]], outputs=[ir.Value(name=f"{layer}.count", type=mean.type)])
        for new in (steps, count, rounded):
            new.name = f"{layer}_{new.op_type}_count"
            graph.append(new)
        graph.outputs.append(rounded.outputs[0])
    graph.sort()
    return to_proto(_with_functions(model))
