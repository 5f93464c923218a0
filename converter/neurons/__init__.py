"""The neurons that can take an activation's place, one per file."""

from __future__ import annotations

from converter.neurons._fitted import FittedNeuron
from converter.neurons._neuron import Neuron, Placed
from converter.neurons.adaptive_lif import AdaptiveLIFNeuron
from converter.neurons.choice import choose_neuron
from converter.neurons.count_if import CountIFNeuron
from converter.neurons.few_spike import FewSpikeNeuron
from converter.neurons.if_ import IFNeuron
from converter.neurons.izhikevich import IzhikevichNeuron
from converter.neurons.lif import LIFNeuron
from converter.neurons.sigma_delta import SigmaDeltaNeuron

__all__ = [
    "AdaptiveLIFNeuron",
    "CountIFNeuron",
    "FewSpikeNeuron",
    "FittedNeuron",
    "IFNeuron",
    "IzhikevichNeuron",
    "LIFNeuron",
    "Neuron",
    "Placed",
    "SigmaDeltaNeuron",
    "choose_neuron",
]
