"""A spiking model's outputs against the trained model's, and its neurons' spikes, after each of several numbers of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from converter.graph.run import batches, start_quietly
from converter.io.samples import Samples
from converter.measure.scores import Score, StepResult
from converter.measure.simulation import Simulation, SteppedSimulation, TwoPhaseSimulation
from converter.normalise.ann import Ann


class Reference:
    """What the trained model gives for some samples; each batch is run once.

    Args:
        ann: the trained model.
        samples: the samples.
    """

    def __init__(self, ann: Ann, samples: Samples) -> None:
        self.samples = samples
        self._session = start_quietly(ann.model)
        self._names = [output.name for output in self._session.get_outputs()]
        self._known: dict[tuple[int, int], dict[str, np.ndarray]] = {}

    def outputs(self, first: int, count: int) -> dict[str, np.ndarray]:
        """By name, of `count` samples from `first` on. A sample may have several rows."""
        key = first, count
        if key not in self._known:
            batch = self.samples.take(slice(first, first + count)).feed
            self._known[key] = dict(zip(self._names, self._session.run(self._names, batch), strict=True))
        return self._known[key]


@dataclass(frozen=True)
class AfterSteps:
    """A spiking model after some steps.

    Attributes:
        result: its outputs against the trained model's.
        spikes: of each neuron up to there, mean over samples, by the name of its layer.
        ann_accuracy: of the trained model on the same samples.
    """

    result: StepResult
    spikes: Mapping[str, np.ndarray]
    ann_accuracy: float | None


def after_steps(
    proto: onnx.ModelProto,
    schedule: str,
    reference: Reference,
    steps: Sequence[int],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[AfterSteps]:
    """Runs the samples once and reads off after each of `steps`; of the two-phase schedule, after the one number.

    Args:
        proto: a spiking model.
        schedule: how it spikes.
        reference: the samples, and what the trained model gives for them.
        steps: numbers of steps, ascending.
        progress: called with samples done and their number.
    """
    place: dict[str, Any] = {"provider": "cpu", "provider_options": None, "threads": None}
    simulate: Simulation = (
        TwoPhaseSimulation(proto, steps, **place)
        if schedule == "two-phase"
        else SteppedSimulation(proto, steps, counted=True, **place)
    )
    samples = reference.samples
    score = Score(len(steps), samples.labels is not None, against=True)
    totals: dict[str, np.ndarray] = {}
    done = 0
    for batch in batches(samples.feed, max(1, simulate.rows // steps[-1])):
        count = len(next(iter(batch.values())))
        readout, spikes = simulate(batch)
        theirs = reference.outputs(done, count)
        score.add(
            readout,
            [theirs[name] for name in readout],
            None if samples.labels is None else samples.labels[done : done + count],
        )
        for name, array in spikes.items():
            totals[name] = totals.get(name, 0.0) + array.astype(np.float64)
        done += count
        progress(done, len(samples))
    if schedule != "two-phase":
        totals = {name: np.cumsum(array, axis=0)[np.asarray(steps) - 1] for name, array in totals.items()}
    return [
        AfterSteps(
            score.result(index, n_steps),
            {name: array[index : index + 1] / done for name, array in totals.items()},
            score.ann_accuracy(),
        )
        for index, n_steps in enumerate(steps)
    ]
