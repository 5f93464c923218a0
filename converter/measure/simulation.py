"""Runs a spiking model once and gives its outputs after each of several numbers of steps."""

from __future__ import annotations

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from converter.graph.run import Feed, start_quietly
from converter.io.samples import Samples
from converter.measure.instruments import BY_STEP_SUFFIX, SPIKES_SUFFIX, tail_of, with_readout, with_spike_counts
from snn_ops.provider import ProviderOptions
from snn_ops.session import Session


class Simulation(ABC):
    """Runs a batch and returns its outputs after each of `steps`, ``[steps, samples, ...]``, and spikes by layer.

    Args:
        proto: the model, with what is to be read off as further outputs.
        steps: numbers of steps, ascending.
        spikes: how the names of the outputs end that tell of spikes, a layer's name before it.
        options: of `Session`.
    """

    def __init__(self, proto: onnx.ModelProto, steps: Sequence[int], spikes: str, **options: Any) -> None:
        self._steps, self._spikes = steps, spikes
        self._session = Session(proto, **options)

    @abstractmethod
    def __call__(self, batch: Feed) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Runs a batch."""

    @property
    def rows(self) -> int:
        """Samples times steps to run at once."""
        return self._session.rows

    def _run(self, batch: Feed, n_steps: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        arrays = dict(zip(self._session.output_names, self._session.run_batch(batch, n_steps), strict=True))
        spikes = {name: arrays.pop(name) for name in list(arrays) if name.endswith(self._spikes)}
        return arrays, {name.removesuffix(self._spikes): array for name, array in spikes.items()}


class SteppedSimulation(Simulation):
    """One run for all numbers of steps; what comes after the neurons runs for each of them.

    By layer it tells each neuron's spikes, summed over steps and samples, ``[1, ...]``, or with `counted` in each step,
    ``[T, ...]``.
    """

    def __init__(
        self,
        proto: onnx.ModelProto,
        steps: Sequence[int],
        *,
        provider: str,
        provider_options: ProviderOptions | None,
        threads: int | None,
        counted: bool = False,
        **options: Any,
    ) -> None:
        readout = with_readout(proto, steps, counted=counted)
        self._same = readout.same
        place: dict[str, Any] = {"provider": provider, "provider_options": provider_options, "threads": threads}
        super().__init__(readout.model, steps, BY_STEP_SUFFIX if counted else SPIKES_SUFFIX, **place, **options)
        types = {output.name: output.type for output in self._session.ort.get_outputs()}
        tail = tail_of(proto, types)
        self._tail = start_quietly(tail, **place) if tail is not None else None
        self._tail_outputs = [output.name for output in self._tail.get_outputs()] if self._tail else []
        self._outputs = [o.name for o in proto.graph.output if o.name in (*types, *self._tail_outputs)]

    def __call__(self, batch: Feed) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Runs a batch."""
        arrays, spikes = self._run(batch, self._steps[-1])
        by_step = [self._after(arrays, index) for index in range(len(self._steps))]
        return {name: np.stack([outputs[name] for outputs in by_step]) for name in self._outputs}, spikes

    def _after(self, arrays: Mapping[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
        """The outputs after the index-th number of steps."""
        now = {name: array if name in self._same else array[index] for name, array in arrays.items()}
        if self._tail is None:
            return now
        feed = {value.name: now[value.name] for value in self._tail.get_inputs()}
        return now | dict(zip(self._tail_outputs, self._tail.run(self._tail_outputs, feed), strict=True))


class TwoPhaseSimulation(Simulation):
    """A run for each number of steps: a layer begins to fire when the layer before it has finished.

    By layer it tells each neuron's spikes, summed over steps and samples, ``[1, ...]``, those of the largest number of steps.
    """

    def __init__(self, proto: onnx.ModelProto, steps: Sequence[int], **options: Any) -> None:
        super().__init__(with_spike_counts(proto), steps, SPIKES_SUFFIX, **options)

    def __call__(self, batch: Feed) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Runs a batch."""
        runs = [self._run(batch, n_steps) for n_steps in self._steps]
        return {name: np.stack([arrays[name] for arrays, _ in runs]) for name in runs[0][0]}, runs[-1][1]


def seconds_per_sample(session: Session, samples: Samples, *, repeats: int = 5) -> float:
    """The median time of `repeats` runs, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        session.run(samples.feed)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / len(samples)
