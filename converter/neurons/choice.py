"""Which neuron takes an activation's place."""

from __future__ import annotations

from converter.activations.known import Activation
from converter.neurons.fitted import AdaptiveLIFNeuron, IzhikevichNeuron, LIFNeuron
from converter.neurons.neuron import Neuron
from converter.neurons.rate import IFNeuron, SigmaDeltaNeuron
from converter.neurons.two_phase import CountIFNeuron, FewSpikeNeuron
from converter.options import Options


def choose_neuron(activation: Activation, options: Options) -> Neuron:
    """The neuron for an activation: the wanted one, or the activation's default where it does not fit the activation."""
    most = options.most_spikes()
    if options.schedule == "two-phase":
        few = options.neuron == "few-spike" and "few-spike" in activation.neurons
        return FewSpikeNeuron() if few else CountIFNeuron(most)
    name = options.neuron if options.neuron in activation.neurons else activation.neurons[0]
    if name == "lif":
        return LIFNeuron(options.tau_rc, options.min_voltage, options.dt)
    if name == "adaptive-lif":
        return AdaptiveLIFNeuron(options.tau_rc, options.min_voltage, options.dt, options.tau_n, options.inc_n)
    if name == "izhikevich":
        return IzhikevichNeuron(options.dt)
    if name == "sigma-delta":
        return SigmaDeltaNeuron(most)
    return IFNeuron(most, signed=name != "if")
