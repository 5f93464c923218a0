"""What the libraries on top of PyTorch have in common: layers, time around their neurons, and the search for the fastest setting.

All are given the same savings (`benchmarks.systems.phases`), the same threads and the same settings to search: layer by layer
(all steps of a layer, then the next layer) or step by step, torch.compile for a step of the neurons or not, channels last or
not, how many samples at once. All of the search happens while the network is built.
"""

from __future__ import annotations

import itertools
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.systems.phases import phases
from benchmarks.systems.system import CannotComputeError, Job, Runner
from benchmarks.workloads.network import Layer, Network

SEARCH_SECONDS = 15.0
"""No further setting is tried after so long."""

Tensor = torch.Tensor


class Neurons(ABC):
    """What a library's file says of its neurons."""

    time_axis = 0
    """Of the currents of all steps, in `sequence`: 1 for a library that wants the batch first."""
    current_scale = 1.0
    """What the weights before neurons are multiplied with: a power of 2, which rounds nothing."""

    @abstractmethod
    def start(self, current: Tensor) -> Any:
        """The state before the first step, for currents of this shape."""

    @abstractmethod
    def step(self, current: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The spikes of one step, and the new state."""

    def sequence(self, currents: Tensor) -> Tensor:
        """The spikes of all steps; a library with code of its own for that has it here."""
        state = self.start(currents.select(self.time_axis, 0))
        spikes = []
        for current in currents.unbind(self.time_axis):
            out, state = self.step(current, state)
            spikes.append(out)
        return torch.stack(spikes, self.time_axis)


@dataclass(frozen=True)
class Setting:
    """One way to run a network."""

    by_layer: bool
    compiled: bool
    channels_last: bool
    samples: int

    def named(self) -> dict[str, object]:
        """For the table."""
        return {
            "mode": "layer by layer" if self.by_layer else "step by step",
            "torch.compile": self.compiled,
            "channels last": self.channels_last,
            "samples at once": self.samples,
        }


class TorchRunner(Runner):
    """A network with a library's neurons, at the fastest setting that a short search finds."""

    def __init__(self, job: Job, neurons: Neurons) -> None:
        if job.provider == "cuda" and not torch.cuda.is_available():
            raise CannotComputeError("PyTorch sees no GPU")
        torch.set_num_threads(job.threads)
        self._device = torch.device(job.provider)
        self._job, self._network, self._neurons = job, job.network, neurons
        self._phases = phases(job.network)
        self._step = neurons.step
        scaled = {layer.inputs[0] for layer in job.network.layers if layer.kind == "neuron"}
        self._scales = {name: neurons.current_scale for name in scaled}
        if neurons.current_scale != 1:
            self._check_scales(scaled)
        self._weights = {name: self._tensor(name) for name in job.network.arrays}
        setting, seconds = self._search()
        self._setting = self._use(setting)
        self.settings = self._setting.named() | {
            "threads": torch.get_num_threads(),
            "inference mode": True,
            "search": {" ".join(f"{key} {value}" for key, value in found.named().items()): s for found, s in seconds},
            "saved": "layers before the first neurons run once; the mean over time comes before the last layers",
        }

    def _check_scales(self, scaled: set[str]) -> None:
        kinds = {layer.name: layer.kind for layer in self._network.layers}
        for name in scaled:
            if kinds.get(name) not in ("conv", "conv_transpose", "dense"):
                raise CannotComputeError("its neurons want scaled currents, and some come from a layer without weights")
        for layer in self._network.layers:
            if layer.kind != "neuron" and scaled.intersection(layer.inputs):
                raise CannotComputeError("its neurons want scaled currents, which another layer uses too")

    def _tensor(self, name: str) -> Tensor:
        scale = self._scales.get(name.rsplit(".", 1)[0], 1.0)
        return torch.from_numpy(self._network.arrays[name].astype(np.float32) * np.float32(scale)).to(self._device)

    def run(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.concatenate([self._piece(piece).cpu().numpy() for piece in self._pieces(x)])

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray]:
        found: dict[str, list[np.ndarray]] = {name: [] for name in self._network.neurons}
        with torch.inference_mode():
            for piece in self._pieces(x):
                for name, total in self._step_by_step(piece, self._network.neurons)[1].items():
                    found[name].append(total.cpu().numpy())
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _pieces(self, x: np.ndarray) -> Iterator[Tensor]:
        for piece in torch.from_numpy(x).split(self._setting.samples):
            moved = piece.to(self._device)
            yield moved.contiguous(memory_format=torch.channels_last) if self._last(moved) else moved

    def _last(self, tensor: Tensor) -> bool:
        return self._setting.channels_last and tensor.ndim == 4

    def _piece(self, x: Tensor) -> Tensor:
        return self._layer_by_layer(x) if self._setting.by_layer else self._step_by_step(x, ())[0]

    def _step_by_step(self, x: Tensor, counted: tuple[str, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        n_steps = self._job.n_steps
        fixed = {"input": x}
        for layer in self._phases.once:
            fixed[layer.name] = self._apply(layer, [fixed[name] for name in layer.inputs])
        states: dict[str, Any] = {}
        sums: dict[str, Tensor] = {}
        for _ in range(n_steps):
            values = dict(fixed)
            for layer in self._phases.steps:
                inputs = [values[name] for name in layer.inputs]
                if layer.kind == "neuron":
                    if layer.name not in states:
                        states[layer.name] = self._neurons.start(inputs[0])
                    values[layer.name], states[layer.name] = self._step(inputs[0], states[layer.name])
                else:
                    values[layer.name] = self._apply(layer, inputs)
            for name in {*self._phases.means, *counted}:
                sums[name] = sums[name].add_(values[name]) if name in sums else values[name].clone()
        means = {name: sums[name] / n_steps for name in self._phases.means}
        return self._end(fixed | means), {name: sums[name] for name in counted}

    def _layer_by_layer(self, x: Tensor) -> Tensor:
        axis, n_steps = self._neurons.time_axis, self._job.n_steps
        values = {"input": x}
        for layer in self._phases.once:
            values[layer.name] = self._apply(layer, [values[name] for name in layer.inputs])
        timed: set[str] = set()
        for layer in self._phases.steps:
            inputs = [
                values[name] if name in timed else values[name].unsqueeze(axis).expand(self._through_time(values[name]))
                for name in layer.inputs
            ]
            if layer.kind == "neuron":
                values[layer.name] = self._sequence(inputs[0])
            else:
                flat = self._apply(layer, [value.flatten(0, 1) for value in inputs])
                values[layer.name] = flat.unflatten(0, (len(x), n_steps) if axis else (n_steps, len(x)))
            timed.add(layer.name)
        for name in self._phases.means:
            values[name] = values[name].mean(axis)
        return self._end(values)

    def _through_time(self, value: Tensor) -> list[int]:
        shape = list(value.shape)
        shape.insert(self._neurons.time_axis, self._job.n_steps)
        return shape

    def _sequence(self, currents: Tensor) -> Tensor:
        return self._neurons.sequence(currents)

    def _end(self, values: dict[str, Tensor]) -> Tensor:
        for layer in self._phases.last:
            values[layer.name] = self._apply(layer, [values[name] for name in layer.inputs])
        return values[self._network.layers[-1].name]

    def _apply(self, layer: Layer, inputs: list[Tensor]) -> Tensor:
        x = inputs[0]
        if layer.kind == "average_pool":
            return F.avg_pool2d(x, layer.size)
        if layer.kind == "flatten":
            return x.flatten(1)
        if layer.kind == "add":
            return sum(inputs[1:], start=x)
        weights, bias = self._weights[f"{layer.name}.weights"], self._weights[f"{layer.name}.bias"]
        if layer.kind == "dense":
            return F.linear(x, weights, bias)
        top, left, bottom, right = layer.pads
        if layer.kind == "conv":
            if (top, left) != (bottom, right):
                x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
            return F.conv2d(x, weights, bias, layer.stride, (top, left))
        if layer.kind == "conv_transpose":
            full = F.conv_transpose2d(x, weights, bias, layer.stride, output_padding=layer.output_padding)
            return full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right]
        raise CannotComputeError(f"it has no layer '{layer.kind}'")

    def _use(self, setting: Setting) -> Setting:
        self._setting = setting
        self._step = torch.compile(self._neurons.step, dynamic=False) if setting.compiled else self._neurons.step
        for name, tensor in self._weights.items():
            form = torch.channels_last if self._last(tensor) else torch.contiguous_format
            self._weights[name] = tensor.contiguous(memory_format=form)
        return setting

    def _search(self) -> tuple[Setting, list[tuple[Setting, float]]]:
        """Tries what differs most first, then varies the best, for `SEARCH_SECONDS`."""
        batch, begun = self._job.batch, time.perf_counter()
        x = np.random.default_rng(0).random((batch, *self._network.input_shape), dtype=np.float32)
        seconds: dict[Setting, float] = {}

        def attempt(setting: Setting) -> None:
            if setting in seconds or time.perf_counter() - begun > SEARCH_SECONDS:
                return
            self._use(setting)
            try:
                seconds[setting] = self._time(x)
            except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as error:
                warnings.warn(f"{setting}: {str(error).splitlines()[0]}", stacklevel=2)

        pictures = any(layer.kind == "conv" for layer in self._network.layers)
        few = [n for n in (batch, batch // 4, batch // 16) if n] or [1]
        for by_layer, samples in itertools.product((False, True), few[:2]):
            attempt(Setting(by_layer, False, False, samples))
        for change in ({"compiled": True}, {"channels_last": pictures}, {"samples": few[-1]}, {"compiled": True}):
            best = min(seconds, key=lambda setting: seconds[setting])
            if not (best.by_layer and change.get("compiled")):
                attempt(Setting(**(vars(best) | change)))
        return min(seconds, key=lambda setting: seconds[setting]), list(seconds.items())

    def _time(self, x: np.ndarray) -> float:
        """The better of two runs after the first; one where it takes long."""
        self.run(x)
        best = float("inf")
        for _ in range(2):
            start = time.perf_counter()
            self.run(x)
            best = min(best, time.perf_counter() - start)
            if best > 1:
                break
        return best
