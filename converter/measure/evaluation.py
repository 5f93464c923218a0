"""How well a spiking model does, over the number of steps, from one simulation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from converter.errors import RefusedError
from converter.graph.run import RUNTIME_ERRORS, batches, start_quietly
from converter.io.samples import Samples
from converter.measure.scores import Score, StepResult, strange_labels
from converter.measure.simulation import Simulation, SteppedSimulation, TwoPhaseSimulation
from converter.normalise.ann import Ann
from converter.spiking.model import SpikingModel
from snn_ops.provider import ProviderOptions


@dataclass
class Evaluation:
    """What `evaluate` measured."""

    samples: int
    ann_accuracy: float | None
    steps: list[StepResult]
    spike_rates: dict[str, float] = field(default_factory=dict)
    """Spikes per neuron and step, by layer, over the longest run."""
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    """Those of each neuron in that run, per sample, ``[1, ...]``, by layer."""
    notes: list[str] = field(default_factory=list)
    """What makes these numbers say less than they seem to."""

    def summary(self) -> dict[str, Any]:
        """Everything measured, ready for JSON."""
        return {
            "samples": self.samples,
            "ann": {"accuracy": self.ann_accuracy},
            "steps": [asdict(step) for step in self.steps],
            "spike_rates": self.spike_rates,
            "notes": self.notes,
        }


STEPS = {"rate": (4, 8, 16, 32), "delta": (1, 2, 3, 4, 6, 8)}
"""Numbers of steps that are worth a look, by code."""


def usual_steps(spiking: SpikingModel) -> list[int]:
    """Numbers of steps to evaluate where nobody says: those of its code, and its own; of a layer's slots its own only.

    Raises:
        RefusedError: the file's metadata are damaged in what tells its steps.
    """
    if spiking.code == "delta" and spiking.schedule == "two-phase":
        return [spiking.n_steps]
    return sorted({*STEPS[spiking.code], spiking.n_steps})


def evaluate(
    spiking: SpikingModel,
    samples: Samples,
    steps: Sequence[int],
    *,
    against: Ann | None = None,
    backend: str = "native",
    provider: str = "cpu",
    provider_options: ProviderOptions | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    ann: Ann | None = None,
) -> Evaluation:
    """Runs the samples once, for the largest number of steps, and reads the outputs off after each of `steps`.

    Args:
        spiking: the model.
        samples: with or without labels.
        steps: numbers of time steps, each at least 1.
        against: the trained model, for agreement and error.
        backend, provider, provider_options, threads: as for `snn_ops.Session`.
        progress: called with samples done and their number.
        ann: the old name of `against`.

    Raises:
        RefusedError: no steps, or a number below 1; what `snn_ops.Session` does not take.
    """
    if ann is not None:
        warnings.warn("evaluate(ann=...) is now called evaluate(against=...)", DeprecationWarning, stacklevel=2)
        against = ann
    steps = sorted(set(steps))
    if not steps or steps[0] < 1:
        raise RefusedError(f"the number of steps must be at least 1, it is {steps[0] if steps else 'missing'}")
    simulation = TwoPhaseSimulation if spiking.schedule == "two-phase" else SteppedSimulation
    try:
        simulate: Simulation = simulation(
            spiking.proto,
            steps,
            backend=backend,
            provider=provider,
            provider_options=provider_options,
            threads=threads,
            libraries=spiking.libraries,
        )
    except RUNTIME_ERRORS as error:
        raise spiking.refusal(error) from error
    trained = start_quietly(against.model, threads=threads) if against is not None else None
    score = Score(len(steps), samples.labels is not None, trained is not None)
    totals: dict[str, np.ndarray] = {}
    notes: list[str] = []
    not_numbers = np.zeros(len(steps), bool)
    done = 0
    for batch in batches(samples.feed, max(1, simulate.rows // steps[-1])):
        count = len(next(iter(batch.values())))
        readout, spikes = simulate(batch)
        if not readout:
            raise RefusedError("it has no output, or none but its states: nothing can be evaluated", file=spiking.path)
        if not done and (strange := strange_labels(samples.labels, next(iter(readout.values()))[0])):
            notes.append(strange)
        reference = trained.run(list(readout), batch) if trained is not None else None
        labels = samples.labels[done : done + count] if samples.labels is not None else None
        score.add(readout, reference, labels)
        for mine, theirs in zip(readout.values(), reference or [], strict=False):
            if theirs.dtype.kind == "f":
                bad = np.isnan(mine) & ~np.isnan(theirs.reshape(mine.shape[1:]))
                not_numbers |= bad.any(axis=tuple(range(1, bad.ndim)))
        for name, counted in spikes.items():
            totals[name] = totals.get(name, np.zeros(())) + counted.astype(np.float64)
        done += count
        progress(done, len(samples))
    results = [score.result(index, n_steps) for index, n_steps in enumerate(steps)]
    if not_numbers.any():
        after = ", ".join(str(n_steps) for n_steps, bad in zip(steps, not_numbers, strict=True) if bad)
        notes.append(
            f"after {after} steps, outputs are not numbers where the trained model's are: a value is divided by its own norm "
            "or sum, and is 0 until a spike comes; take more steps"
        )
    return Evaluation(
        len(samples),
        score.ann_accuracy(),
        results,
        {name: float(total.sum()) / max(1, total.size) / steps[-1] / done for name, total in totals.items()},
        {name: total / done for name, total in totals.items()},
        notes,
    )
