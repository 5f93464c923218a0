"""The same samples through ONNX Runtime and through Nengo, spikes compared neuron by neuron and step by step.

A network without synapses has no delay: what ONNX Runtime computes in step t of its run, Nengo computes in its step t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import onnx

from converter.errors import RefusedError
from converter.graph.run import Feed, brief, optimised
from converter.io.progress import Progress, silent
from converter.nengo.at_rest import at_rest
from converter.nengo.dl.simulator import DLSimulator, to_nengo_dl
from converter.nengo.double_precision import as_float64
from converter.nengo.network import NengoModel, to_nengo
from converter.nengo.script import Population
from converter.nengo.simulator import CoreSimulator
from snn_ops.ops import OPERATORS, State
from snn_ops.session import Session

SIMULATORS = ("nengo", "nengo-dl")
BYTES = 64 << 20
"""Of one side's spikes that are held at once."""
TOLERANCE = {"nengo": 1e-9, "nengo-dl": 1e-3}
"""Relative, for heights of spikes and for rates; a spike more or less is far above it."""
TOLERANCE_OF_SUMS = {"nengo": 1e-12, "nengo-dl": 1e-6}
"""Relative to a neuron's largest sum of spikes: the smallest spike is a small part of it."""


@dataclass(frozen=True)
class LayerComparison:
    """One layer's comparison: neuron-steps compared, with a spike, and differing.

    `original` counts the neurons whose first difference in a sample has no cause: nothing before it differed up to that step.
    The others follow from these.
    """

    node: str
    op_type: str
    neurons: int
    compared: int
    spikes: int
    differing: int
    original: int


@dataclass(frozen=True)
class Difference:
    """The first neuron and step that differ; voltages before and after the step, None where the neuron has none.

    `of_sums`: with the delta code `onnx_spike` and `nengo_spike` are sums of spikes; voltages are these in thresholds, without
    the resting value.
    """

    layer: str
    sample: int
    step: int
    neuron: tuple[int, ...]
    onnx_spike: float
    nengo_spike: float
    onnx_voltage: tuple[float | None, float] | None
    nengo_voltage: tuple[float | None, float] | None
    of_sums: bool = False


@dataclass
class Verification:
    """What `verify` found.

    Attributes:
        output_error: largest absolute difference of the outputs after the last step.
        outputs_differing: numbers in the outputs that differ, of all samples.
        same_class: share of samples whose largest output is the same.
    """

    simulator: str
    samples: int
    n_steps: int
    layers: list[LayerComparison]
    output_error: float
    outputs_differing: int
    same_class: float
    first: Difference | None
    notes: list[str] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """Neuron-steps."""
        return sum(layer.compared for layer in self.layers)

    @property
    def differing(self) -> int:
        """Neuron-steps."""
        return sum(layer.differing for layer in self.layers)

    @property
    def original(self) -> int:
        """Neurons; see `LayerComparison`."""
        return sum(layer.original for layer in self.layers)

    def summary(self) -> dict[str, Any]:
        """Everything found, ready for JSON."""
        return {**asdict(self), "compared": self.compared, "differing": self.differing, "original": self.original}


def verify(
    proto: onnx.ModelProto,
    feed: Feed,
    n_steps: int,
    *,
    simulator: str = "nengo",
    progress: Progress = silent,
    network: NengoModel | None = None,
) -> Verification:
    """Compares a model in ONNX Runtime with Nengo.

    Args:
        proto: the spiking model.
        feed: samples by input name.
        n_steps: time steps; of a model without a time axis, most spikes of a neuron.
        simulator: "nengo": nengo.Simulator against a float64 copy of the model; "nengo-dl": NengoDL in float32, with the
            weights that ONNX Runtime computes with.
        progress: called with the samples that are done.
        network: what it is compared with; default: the model itself in Nengo.

    Raises:
        RefusedError: the model has something that Nengo does not have, or draws random numbers, or it does not compute in
            NengoDL's float32.
    """
    proto, double = at_rest(proto), simulator == "nengo"
    wide = (onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
    if not double and any(tensor.data_type in wide for tensor in proto.graph.initializer):
        raise RefusedError("it does not compute in float32, as NengoDL does; compare in float64: --simulator nengo")
    network = network or (
        to_nengo(proto, n_steps=n_steps) if double else to_nengo_dl(optimised(proto), n_steps=n_steps)
    )
    populations = network.script.populations
    random = next((p for p in populations if OPERATORS[p.op_type].draws), None)
    if random:
        raise RefusedError(f"{random.op_type} draws random numbers, Nengo draws others", node=random.node)
    return _Comparison(as_float64(proto) if double else proto, network, n_steps, simulator).run(feed, progress)


class _Comparison:
    def __init__(self, proto: onnx.ModelProto, network: NengoModel, n_steps: int, simulator: str) -> None:
        self.network, self.n_steps, self.simulator = network, n_steps, simulator
        self.rows = n_steps if network.script.slots is None else 1
        self.populations = network.script.populations
        self.make_simulator: type[CoreSimulator | DLSimulator] = CoreSimulator if simulator == "nengo" else DLSimulator
        self.element = np.float64 if simulator == "nengo" else np.float32
        self.proto = proto
        self.outputs = list(network.network.outputs)
        self.counts = np.zeros((len(self.populations), 4), int)
        self.first: tuple[int, int, int, int] | None = None
        self.heights = (0.0, 0.0)

    def run(self, feed: Feed, progress: Progress) -> Verification:
        session = recording_session(self.proto, [population.value for population in self.populations])
        samples = len(next(iter(feed.values())))
        neurons = sum(int(np.prod(population.shape)) for population in self.populations)
        size = max(1, min(samples, BYTES // (self.rows * neurons * 8)))
        error, same, outputs_differing = 0.0, 0, 0
        with self.make_simulator(self.network, [p.node for p in self.populations]) as simulator:
            for start in range(0, samples, size):
                batch = self._slice(feed, slice(start, start + size))
                count = len(next(iter(batch.values())))
                arrays = session.run_batch(batch, self.n_steps, [*self.outputs, *(p.value for p in self.populations)])
                outputs, recorded = simulator.run(batch, self.rows)
                undisturbed = np.full(count, self.rows)
                for index, population in enumerate(self.populations):
                    spikes = arrays[len(self.outputs) + index].reshape(self.rows, count, -1).swapaxes(0, 1)
                    self._compare(index, spikes, recorded[population.node], start, undisturbed)
                for index, name in enumerate(self.outputs):
                    mine, theirs = arrays[index].reshape(count, -1), outputs[name][:, -1]
                    error = float(np.maximum(error, np.abs(mine - theirs).max()))
                    outputs_differing += int(np.count_nonzero(self._differs(mine, theirs)))
                    same += int((mine.argmax(1) == theirs.argmax(1)).sum()) if index == 0 else 0
                progress(f"comparing with {self.simulator}", start + count, samples)
        layers = [
            LayerComparison(p.node, p.op_type, int(np.prod(p.shape)), *(int(number) for number in counts))
            for p, counts in zip(self.populations, self.counts, strict=True)
        ]
        first = self._locate(feed) if self.first else None
        return Verification(
            self.make_simulator.name,
            samples,
            self.n_steps,
            layers,
            error,
            outputs_differing,
            same / samples,
            first,
            self.network.script.notes,
        )

    def _slice(self, feed: Feed, which: slice) -> Feed:
        """Some samples; what is no floating-point number stays as it is."""
        arrays = {name: array[which] for name, array in feed.items()}
        return {n: array.astype(self.element) if array.dtype.kind == "f" else array for n, array in arrays.items()}

    def _differs(self, mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        tolerance = TOLERANCE[self.simulator]
        same = np.isclose(mine, theirs, rtol=tolerance, atol=tolerance * float(np.abs(mine).max(initial=0)))
        differs: np.ndarray = ~same
        return differs

    def _compare(self, index: int, mine: np.ndarray, theirs: np.ndarray, start: int, undisturbed: np.ndarray) -> None:
        """A layer. ``undisturbed``: for each sample, the first step in which a layer before this one differed; updated."""
        rest = self.populations[index].resting_value
        if rest is None:
            differs, spikes = self._differs(mine, theirs), np.count_nonzero(mine)
        else:
            largest = np.abs(mine).max(axis=(0, 1))
            differs = ~np.isclose(mine, theirs, rtol=0, atol=TOLERANCE_OF_SUMS[self.simulator] * largest)
            before = np.broadcast_to(rest.astype(mine.dtype), (len(mine), 1, len(rest)))
            spikes = np.count_nonzero(np.diff(mine, axis=1, prepend=before))
        began = np.where(differs.any(axis=1), differs.argmax(axis=1), self.rows)
        original = int((began < undisturbed[:, None]).sum())
        self.counts[index] += (mine.size, spikes, np.count_nonzero(differs), original)
        np.minimum(undisturbed, began.min(axis=1), out=undisturbed)
        if not differs.any():
            return
        sample, neuron = (int(n) for n in np.unravel_index(began.argmin(), began.shape))
        step = int(began[sample, neuron])
        difference = (step, index, start + sample, neuron)
        if self.first is None or difference < self.first:
            self.first = difference
            self.heights = float(mine[sample, step, neuron]), float(theirs[sample, step, neuron])

    def _locate(self, feed: Feed) -> Difference:
        assert self.first is not None
        step, index, sample, neuron = self.first
        population = self.populations[index]
        one = self._slice(feed, slice(sample, sample + 1))
        place = tuple(int(n) for n in np.unravel_index(neuron, population.shape))
        voltages = _deciding_state(population) is not None
        return Difference(
            population.node,
            sample,
            step,
            place,
            *self.heights,
            self._onnx_voltage(population, one, step, neuron) if voltages else None,
            self._nengo_voltage(population, one, step, neuron) if voltages else None,
            population.resting_value is not None,
        )

    def _onnx_voltage(self, population: Population, one: Feed, step: int, neuron: int) -> tuple[float | None, float]:
        """The final state of runs that end before and after the step."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.proto)
        node = next(node for node in proto.graph.node if population.value in node.output)
        state = _deciding_state(population)
        assert state is not None
        names = [tensor.name for tensor in OPERATORS[node.op_type].outputs][: len(node.output)]
        wanted = [name for name in (state.output, state.base.output) if name in names]
        for name in wanted:
            node.output[names.index(name)] = f"verified_{name}"
        values = [f"verified_{name}" for name in wanted]
        session = recording_session(proto, values)

        def after(n_steps: int) -> float:
            parts = session.run_batch(one, n_steps, values)
            return float(sum(np.float64(part.reshape(-1)[neuron]) for part in parts))

        return after(step) if step else None, after(step + 1)

    def _nengo_voltage(self, population: Population, one: Feed, step: int, neuron: int) -> tuple[float | None, float]:
        state = _deciding_state(population)
        assert state is not None
        with self.make_simulator(self.network, [population.node], {population.node: state.name}) as simulator:
            trace = simulator.run(one, step + 1)[1][population.node][0, :, neuron]
        return float(trace[step - 1]) if step else None, float(trace[step])


def _deciding_state(population: Population) -> State | None:
    """The state that decides on a spike, if there is one."""
    return next(iter(OPERATORS[population.op_type].states), None)


def recording_session(proto: onnx.ModelProto, values: Sequence[str]) -> Session:
    """A session that returns these inner values too.

    Raises:
        RefusedError: ONNX Runtime cannot run the model, such as one with an operator that it does not have in float64.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    known = {output.name for output in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=value) for value in values if value not in known)
    try:
        return Session(copy)
    except Exception as error:
        wide = any(value.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE for value in proto.graph.input)
        what_to_do = "; compare in float32: --simulator nengo-dl" if wide else ""
        raise RefusedError(
            f"ONNX Runtime cannot run the model in this precision: {brief(error)}{what_to_do}"
        ) from error
