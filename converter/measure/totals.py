"""What a conversion was found to cost, as reports show it and the file's metadata keep it (`onnx_snn.work`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NeuroBench:
    """NeuroBench's metrics under its names, per sample.

    Attributes:
        Dense: products of all steps, zeros included.
        Effective_MACs, Effective_ACs: those in which neither number nor weight is 0: of layers whose inputs are graded, and of
            layers whose inputs are -1, 0 or 1, the height of a spike taken into the weights.
        ActivationSparsity: share of neurons and steps without a spike.
        ConnectionSparsity: share of weights that are 0.
        Footprint: bytes of parameters.
        MembraneUpdates: neurons in the first step, then those that spike.
    """

    Dense: float = 0.0
    Effective_MACs: float = 0.0
    Effective_ACs: float = 0.0
    ActivationSparsity: float = 0.0
    ConnectionSparsity: float = 0.0
    Footprint: int = 0
    MembraneUpdates: float = 0.0


@dataclass(frozen=True)
class Following:
    """The spiking model as a stream: the same samples one after the other without a reset, each for T steps.

    Attributes:
        frames: answers that were compared; those of the first sample of each stream are not.
        agreement: share with the trained model's class for the sample of that frame; None with one score only.
        relative_error: ||snn - ann|| / ||ann|| of the outputs.
    """

    frames: int
    agreement: float | None
    relative_error: float | None


@dataclass(frozen=True)
class Measured:
    """The spiking model on the samples on which spikes were counted.

    Attributes:
        samples: how many.
        held_out: calibration did not see them; else there were too few to hold any out, and it did.
        steps: how many were run; where fewer than T, spikes are those of T steps at the same rate.
        ann_accuracy, accuracy: of the trained and the spiking model; None without labels.
        agreement: share of samples with the trained model's class; None with one score only.
        relative_error: ||snn - ann|| / ||ann|| of the outputs.
        stream: how a file made for streams follows its input; None of others.
    """

    samples: int
    held_out: bool
    steps: int
    ann_accuracy: float | None
    accuracy: float | None
    agreement: float | None
    relative_error: float | None
    stream: Following | None = None


@dataclass(frozen=True)
class EightBit:
    """What the 8-bit network gives and takes on the same samples. Energies are shares of the trained model's.

    Attributes:
        accuracy, agreement, relative_error: as in `Measured`.
        energy_ratio: of all products.
        energy_ratio_skipping: of those whose activation is not 0.
        energy_ratio_all, energy_ratio_all_skipping: with rescaling and what lies between layers.
    """

    accuracy: float | None
    agreement: float | None
    relative_error: float | None
    energy_ratio: float | None
    energy_ratio_skipping: float | None
    energy_ratio_all: float | None
    energy_ratio_all_skipping: float | None


@dataclass(frozen=True)
class MemoryTraffic:
    """What moves for one sample.

    Attributes:
        trained, spiking, eight_bit: bytes.
        energy_trained, energy_spiking, energy_eight_bit: pJ.
    """

    trained: float
    spiking: float
    eight_bit: float
    energy_trained: float
    energy_spiking: float
    energy_eight_bit: float


@dataclass(frozen=True)
class WorkTotals:
    """What there is to compute for a sample. Files of earlier releases have the first four fields only.

    Attributes:
        multiply_adds: of the trained model.
        analog: those that stay multiply-adds in the spiking model.
        synaptic_operations: additions that spikes cause in T steps.
        energy_ratio: energy of these as a share of the trained model's.
        executed: the multiply-adds of `analog` in all steps in which they are run.
        synapses: multiply-adds of the layers fed by spikes.
        spikes_per_synapse: synaptic operations for each of them.
        energy_ratio_all: with the neurons, and in both models what lies between layers.
        spikes: of all neurons in T steps.
        neuron_updates: neurons times the steps in which they are computed.
        neurobench, measured, eight_bit, memory: what else was found.
    """

    multiply_adds: int
    analog: int
    synaptic_operations: float
    energy_ratio: float | None
    executed: int | None = None
    synapses: int | None = None
    spikes_per_synapse: float | None = None
    energy_ratio_all: float | None = None
    spikes: float | None = None
    neuron_updates: int | None = None
    neurobench: NeuroBench | None = None
    measured: Measured | None = None
    eight_bit: EightBit | None = None
    memory: MemoryTraffic | None = None

    def verdict(self) -> str | None:
        """In one sentence, where the spiking model takes more energy than the 8-bit network; None where it does not."""
        if self.eight_bit is None or self.energy_ratio is None or not self.eight_bit.energy_ratio:
            return None
        times = self.energy_ratio / self.eight_bit.energy_ratio
        if times <= 1:
            return None
        return (
            f"on single samples this spiking model, in floats, takes {times:.3g} times the energy of the 8-bit network; spikes "
            "win on streams that change little, on dense layers, and on event-driven hardware"
        )
