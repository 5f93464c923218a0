"""Which neuron takes an activation's place."""

from __future__ import annotations

from dataclasses import dataclass

from converter.activations.known import Activation
from converter.neurons.fitted import AdaptiveLIFNeuron, IzhikevichNeuron, LIFNeuron
from converter.neurons.neuron import Neuron
from converter.neurons.rate import BoundedIFNeuron, IFNeuron, SigmaDeltaNeuron
from converter.neurons.two_phase import CountIFNeuron, FewSpikeNeuron
from converter.options import AUTO, Options


@dataclass(frozen=True)
class Choice:
    """A neuron for an activation.

    Attributes:
        neuron: its kind.
        reason: why it is another one than the user named; "" where it is the one that was named, or none was.
    """

    neuron: Neuron
    reason: str = ""


def choose_neuron(activation: Activation, options: Options) -> Choice:
    """The neuron for an activation: the wanted one, or the activation's default where that cannot stand for it."""
    fits = options.neuron in activation.neurons
    reason = "" if fits or options.neuron == AUTO else f"{options.neuron} neurons cannot stand for {activation.name}"
    if options.schedule == "two-phase":
        few_spike = options.neuron == "few-spike"
        neuron = FewSpikeNeuron() if few_spike and fits else CountIFNeuron(options.most_spikes())
        return Choice(neuron, reason if few_spike else "")
    return Choice(_neuron(options.neuron if fits else activation.neurons[0], options), reason)


def _neuron(name: str, options: Options) -> Neuron:
    """The neuron of that name in the stepped schedule."""
    if name == "lif":
        return LIFNeuron(options.tau_rc, options.lowest_voltage, options.dt)
    if name == "adaptive-lif":
        return AdaptiveLIFNeuron(options.tau_rc, options.lowest_voltage, options.dt, options.tau_n, options.inc_n)
    if name == "izhikevich":
        return IzhikevichNeuron(options.dt)
    if options.forgets and name in ("sigma-delta", "if", "if-burst"):
        return BoundedIFNeuron(options.most_spikes(), of_function=name == "sigma-delta")
    if name == "sigma-delta":
        return SigmaDeltaNeuron(options.most_spikes())
    if name in ("if", "if-signed", "if-burst"):
        return IFNeuron(options.most_spikes(), signed=name != "if")
    raise ValueError(f"there is no neuron {name!r}")
