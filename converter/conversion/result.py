"""What a conversion gives: the spiking model, and everything that reports say about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from converter.activations.sites import KeptAnalog
from converter.graph.build import to_proto
from converter.graph.passes import PassReport
from converter.io.onnx_files import write_model
from converter.measure.cost import Work
from converter.measure.memory import memory_traffic
from converter.measure.totals import EightBit, Measured, WorkTotals
from converter.measure.traces import Traces
from converter.normalise.ann import Ann
from converter.options import Options
from converter.spiking.islands import Island
from snn_ops.explicit_inputs import with_explicit_inputs


@dataclass(frozen=True)
class Recipe:
    """How a model is converted, with nothing left open: what `auto` stands for."""

    neuron: str
    method: str
    correction: str

    def __str__(self) -> str:
        return ", ".join(word for word in (self.neuron, self.method, self.correction) if word != "none")


@dataclass(frozen=True)
class Trial:
    """A recipe, measured.

    Attributes:
        errors: relative error of the outputs by number of steps.
        spike_rate: spikes per neuron and step, mean over layers.
    """

    recipe: Recipe
    errors: dict[int, float]
    spike_rate: float

    @property
    def error(self) -> float:
        """The geometric mean over the numbers of steps; infinite where one is not a number."""
        if np.isnan(list(self.errors.values())).any():
            return float("inf")
        return float(np.exp(np.mean(np.log(np.maximum(list(self.errors.values()), 1e-12)))))


@dataclass(frozen=True)
class Point:
    """A spiking model that was measured on the way to the one that was taken.

    Attributes:
        code, schedule, neuron: of its spikes.
        n_steps: T; two-phase, slots of a layer.
        exponent: J of the finest height of the two-phase delta code.
        accuracy: None without labels.
        loss: the trained model's accuracy minus its own, on the same samples.
        agreement: share of samples with the trained model's class; None where the outputs are no classes.
        relative_error: ||snn - ann|| / ||ann|| of the outputs.
        spikes_per_synapse, energy_ratio: as in `WorkTotals`.
        steps_to_answer: until event-driven hardware has the answer.
    """

    code: str
    schedule: str
    neuron: str
    n_steps: int
    exponent: int | None
    accuracy: float | None
    loss: float | None
    agreement: float | None
    relative_error: float | None
    spikes_per_synapse: float | None
    energy_ratio: float | None
    steps_to_answer: int

    @property
    def family(self) -> tuple[str, str, str]:
        """Points of one family differ in T or J alone."""
        return self.code, self.schedule, self.neuron

    def __str__(self) -> str:
        finest = "" if self.exponent is None else f", J = {self.exponent}"
        return f"{self.code} {self.schedule}, T = {self.n_steps}{finest}"


@dataclass(frozen=True)
class Front:
    """Accuracy against energy: what was measured, and what was taken.

    Attributes:
        points: of each family in the order of T or J.
        taken: which of them was taken.
        beside: the choice in the other schedule, by the same rule; None where there is none.
        samples: on how many, of those that ranges did not follow from.
        output: what the outputs were taken for: "classes", "values", or "both".
        min_agreement, max_error, max_energy: what was asked, as shares; of the first two a default where the user named none.
        reached: whether a point has that.
        safety: the point that was taken is one T or J more than the cheapest that has it.
        eight_bit: the 8-bit network on the same samples.
        ann_accuracy: of the trained model on them.
    """

    points: list[Point]
    taken: int
    beside: int | None
    samples: int
    output: str
    min_agreement: float | None
    max_error: float | None
    max_energy: float | None
    reached: bool
    safety: bool
    eight_bit: EightBit | None = None
    ann_accuracy: float | None = None

    @property
    def chosen(self) -> Point:
        """The one that was taken."""
        return self.points[self.taken]


@dataclass(frozen=True)
class Layer:
    """A layer of spiking neurons, as reports show it."""

    name: str
    activation: str
    neuron: str
    max_spikes: int | None
    """In one step; None for neurons without such a limit."""
    channels: int
    threshold: tuple[float, float, float]
    """Smallest, median and largest height of a spike."""
    relative_error: float
    """||snn - ann|| / ||ann|| of the layer's mean over `Conversion.compared_steps`, on the samples of `Conversion.measured`."""
    spike_rate: float
    """Spikes per neuron and step, each of a burst counted and those taken back as well."""
    synaptic_operations: float
    """Additions that its spikes cause, per sample in T steps."""
    reason: str = ""
    """Why it has another neuron than the user named; "" where it has that, or the user named none."""


@dataclass
class Conversion:
    """A spiking model and what was done to get it."""

    ann: Ann
    model: ir.Model
    options: Options
    recipe: Recipe
    layers: list[Layer]
    islands: list[Island]
    kept_analog: list[KeptAnalog]
    """Activations that no neuron took the place of, with the reason."""
    work: Work
    measured: Measured
    eight_bit: EightBit
    """The network with 8-bit integers, on the same samples."""
    calibration_samples: int
    steps_to_answer: int
    """When event-driven hardware has the answer: after T steps; in the two-phase schedule, where a layer begins when the one
    before it has sent, after T steps for each layer of the longest chain."""
    compared_steps: int
    """Steps after which the layers' errors and spike rates were taken; fewer than T for large models."""
    front: Front | None = None
    """Accuracy against energy, measured; None where nothing was to choose, or too few samples were there."""
    is_unchosen: bool = False
    """T, or J, is the default, as there were too few samples to choose it."""
    trials: list[Trial] = field(default_factory=list)
    """Recipes measured on held-out calibration samples, the chosen one last; empty if nothing was left to choose."""
    notes: list[str] = field(default_factory=list)
    reports: tuple[PassReport, ...] = ()
    """What each pass over the graph changed, and what it declined."""
    traces: Traces | None = None
    """What neurons do over time; None unless it was asked for."""

    def proto(self) -> onnx.ModelProto:
        """The spiking model as ONNX."""
        proto = to_proto(self.model)
        return with_explicit_inputs(proto) if self.options.explicit_inputs else proto

    def save(self, path: str | Path) -> None:
        """Writes the `.snn.onnx` file, whole or not at all."""
        write_model(self.proto(), path)

    def totals(self) -> WorkTotals:
        """What the file says about its work."""
        return replace(
            self.work.totals(),
            measured=self.measured,
            eight_bit=self.eight_bit,
            memory=memory_traffic(self.work),
        )

    def summary(self) -> dict[str, Any]:
        """Everything that reports say, ready for JSON."""
        return {
            "source": str(self.ann.path),
            "source_sha256": self.ann.sha256,
            "options": asdict(self.options),
            "recipe": asdict(self.recipe),
            "trials": [
                {**asdict(trial.recipe), "errors": trial.errors, "spike_rate": trial.spike_rate}
                for trial in self.trials
            ],
            "front": None if self.front is None else asdict(self.front),
            "calibration_samples": self.calibration_samples,
            "steps_to_answer": self.steps_to_answer,
            "compared_steps": self.compared_steps,
            "layers": [asdict(layer) for layer in self.layers],
            "islands": [asdict(island) for island in self.islands],
            "kept_analog": [asdict(kept) for kept in self.kept_analog],
            "work": asdict(self.totals()),
            "notes": self.notes,
        }
