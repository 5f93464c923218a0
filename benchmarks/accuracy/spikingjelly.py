"""SpikingJelly's ann2snn. Every recipe is tried on some test images; the usual ones and the one that did best run on all.

Each is one simulation: the figure at T comes from the mean output of its first T steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import ann2snn, functional, neuron
from spikingjelly.logger import logger
from torch import nn

from benchmarks.accuracy.task import SCREENED, TIMED_SAMPLES, Figures, Task
from benchmarks.workloads.network import Layer, Network

BATCH = 100
LTB_BATCH = 16
SIGNED_LEVELS = 1024

Recipe = Callable[[torch.Tensor], ann2snn.FXConversionRecipe]


def _rate(calibration: torch.Tensor, **options: Any) -> ann2snn.FXConversionRecipe:
    """In one batch: from several, the recipe would keep a moving average of their maxima."""
    return ann2snn.RateCodingRecipe([calibration], **options)


def _channels(calibration: torch.Tensor, mode: str) -> ann2snn.FXConversionRecipe:
    """The recipe "robust" of SpikingJelly's ImageNet example."""
    return _rate(calibration, mode=mode, channel_wise=True, pre_spike_maxpool=True, half_threshold=True)


def _signed(calibration: torch.Tensor, mode: str) -> ann2snn.FXConversionRecipe:
    """Neurons that may take spikes back, as many as they sent: of SpikingJelly, but in none of its recipes for ReLU."""

    def factory(_: float) -> nn.Module:
        return neuron.STBIFNode(1.0, level=SIGNED_LEVELS)

    return _rate(calibration, mode=mode, channel_wise=True, pre_spike_maxpool=True, neuron_factory=factory)


def balanced(calibration: torch.Tensor, passes: int) -> ann2snn.FXConversionRecipe:
    """Every batch lets the thresholds grow a little: the number of passes matters."""
    return ann2snn.LocalThresholdBalancingRecipe(list(calibration.split(LTB_BATCH)) * passes)


OWN_NEURON = "channel-wise 99.9%, STBIFNode"
RECIPES: dict[str, Recipe] = {
    "max": partial(_rate, mode="max"),
    "99.9%": partial(_rate, mode="99.9%"),
    "99%": partial(_rate, mode="99%"),
    "channel-wise max, V0 = 1/2": partial(_channels, mode="max"),
    "channel-wise 99.9%, V0 = 1/2": partial(_channels, mode="99.9%"),
    "channel-wise 99%, V0 = 1/2": partial(_channels, mode="99%"),
    "LTB, 1 pass": partial(balanced, passes=1),
    "LTB, 8 passes": partial(balanced, passes=8),
    OWN_NEURON: partial(_signed, mode="99.9%"),
}
ALWAYS = ("max", "99.9%")


class TrainedModel(nn.Module):
    """The network with ReLU, as modules that ann2snn can trace."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        for layer in network.layers:
            self.add_module(layer.name, _module(network, layer))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The last layer."""
        values = {"input": x}
        for layer in self.network.layers:
            inputs = [values[name] for name in layer.inputs]
            values[layer.name] = inputs[0] + inputs[1] if layer.kind == "add" else getattr(self, layer.name)(inputs[0])
        return values[self.network.layers[-1].name]


def _module(network: Network, layer: Layer) -> nn.Module:
    simple = {"flatten": nn.Flatten, "add": nn.Identity, "neuron": nn.ReLU}
    if layer.kind in simple:
        return simple[layer.kind]()
    if layer.kind == "average_pool":
        return nn.AvgPool2d(layer.size)
    weights, bias = (torch.from_numpy(np.array(array, np.float32)) for array in network.weights(layer))
    if layer.kind == "dense":
        module: nn.Linear | nn.Conv2d = nn.Linear(weights.shape[1], weights.shape[0])
    else:
        weights, padding = _even_padding(weights, layer.pads)
        module = nn.Conv2d(weights.shape[1], weights.shape[0], weights.shape[2:], layer.stride, padding)
    module.weight, module.bias = nn.Parameter(weights), nn.Parameter(bias)
    return module


def _even_padding(weights: torch.Tensor, pads: tuple[int, int, int, int]) -> tuple[torch.Tensor, tuple[int, int]]:
    """PyTorch pads both sides alike: pad as the wider side, with zero weights over what is too much."""
    top, left, bottom, right = pads
    more = [max(end - start, 0) for start, end in ((left, right), (top, bottom))]
    less = [max(start - end, 0) for start, end in ((left, right), (top, bottom))]
    weights = nn.functional.pad(weights, (more[0], less[0], more[1], less[1]))
    return weights, (max(top, bottom), max(left, right))


class Simulation:
    """A converted network, and the spikes that its neurons send."""

    def __init__(self, task: Task, recipe: str, trained: nn.Module) -> None:
        converter = ann2snn.Converter(RECIPES[recipe](torch.from_numpy(task.calibration)))
        self._spiking, self._task = converter.convert(trained), task
        self._counts: list[float] = []
        for module in self._spiking.modules():
            if isinstance(module, neuron.BaseNode):
                module.register_forward_hook(self._count)

    def _count(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        self._counts.append(float((output != 0).float().mean()))

    def step_by_step(self, x: np.ndarray, n_steps: int) -> torch.Tensor:
        """The outputs of each step: [n_steps, N, classes]."""
        functional.reset_net(self._spiking)
        image = torch.from_numpy(x)
        return torch.stack([self._spiking(image) for _ in range(n_steps)])

    def accuracy(self, count: int) -> tuple[dict[int, float], dict[int, float]]:
        """And spikes per synapse, of the first test images, by number of steps."""
        steps, names = self._task.steps, self._task.network.neurons
        means, spikes = [], []
        for start in range(0, count, BATCH):
            self._counts = []
            outputs = self.step_by_step(self._task.x[start : min(start + BATCH, count)], max(steps))
            means.append(outputs.cumsum(0).numpy())
            spikes.append(np.reshape(self._counts, (max(steps), len(names))).cumsum(0))
        scores, sent = np.concatenate(means, axis=1), np.mean(spikes, axis=0)
        return (
            {t: self._task.accuracy(scores[t - 1]) for t in steps},
            {t: self._task.spikes_per_synapse(dict(zip(names, sent[t - 1], strict=True))) for t in steps},
        )


@torch.no_grad()
def measure(task: Task) -> Iterator[Figures]:
    """The usual recipes, and the best of all on some images."""
    logger.disable("spikingjelly")
    warnings.simplefilter("ignore")
    torch.set_num_threads(task.threads)
    trained = TrainedModel(task.network).eval()
    screened = {}
    for recipe in RECIPES:
        try:
            found, _ = Simulation(task, recipe, trained).accuracy(min(SCREENED, len(task.x)))
            screened[recipe] = sum(found.values())
        except ValueError as error:
            print(f"ann2snn refuses {recipe}: {error}", flush=True)
    best = max(screened, key=lambda recipe: screened[recipe])
    some = task.x[:TIMED_SAMPLES]
    for recipe in dict.fromkeys((*ALWAYS, best)):
        simulation = Simulation(task, recipe, trained)
        accuracy, spikes = simulation.accuracy(len(task.x))
        with torch.inference_mode():
            times = task.milliseconds({t: partial(simulation.step_by_step, some, t) for t in task.steps})
        yield Figures(f"ann2snn: {recipe}" + " (its best here)" * (recipe == best), accuracy, spikes, times)
