"""What the libraries on top of PyTorch have in common: layers, time around their neurons, the search for the best setting.

All are given the same savings (`_phases`), threads, and settings to search: layer by layer (all
steps of a layer, then the next layer) or step by step, a step compiled with torch.compile or not, channels last or not, how
many samples at once.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.systems._phases import phases
from benchmarks.systems.system import CannotComputeError, Job, Searching, portion
from benchmarks.workloads.network import Layer

SHARES = (1, 4, 16)
"""Of a batch, one in so many samples."""
Tensor = torch.Tensor
Values = dict[str, Tensor]
States = dict[str, Any]


class Neurons(ABC):
    """What a library's file says of its neurons."""

    time_axis = 0
    """Of the currents of all steps, in `sequence`: 1 for a library that wants the batch first."""
    current_scale = 1.0
    """What currents must be multiplied with: a power of 2, which rounds nothing. Weights and biases are, where that will do."""

    @abstractmethod
    def start(self, current: Tensor) -> Any:
        """The state before the first step, for currents of this shape: a tensor, or a tuple or dict of them."""

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
class TorchSetting:
    """One way to run a network.

    Attributes:
        by_layer: all steps of a layer, then the next layer.
        compiled: a step, with torch.compile.
        channels_last: of images.
        share: of the batch, one in so many samples run at once.
        captured: all kernels of a run, replayed as a CUDA graph.
    """

    by_layer: bool = False
    compiled: bool = False
    channels_last: bool = False
    share: int = 1
    captured: bool = False

    def named(self) -> dict[str, object]:
        """For the table."""
        return {
            "mode": "layer by layer" if self.by_layer else "step by step",
            "torch.compile": self.compiled,
            "channels last": self.channels_last,
            "samples at once": portion(self.share),
            **({"CUDA graph": True} if self.captured else {}),
        }


class TorchRunner(Searching[TorchSetting]):
    """A network with a library's neurons."""

    form = TorchSetting

    def __init__(self, job: Job, neurons: Neurons) -> None:
        if job.provider == "cuda" and not torch.cuda.is_available():
            raise CannotComputeError("its PyTorch sees no GPU")
        torch.set_num_threads(job.threads)
        self._job, self._network, self._neurons = job, job.network, neurons
        self._device = torch.device(job.provider)
        self._phases = phases(job.network)
        self._scales = self._current_scales()
        self._weights = {name: self._tensor(name) for name in job.network.arrays}
        self._states: States = {}
        self.begin(job)

    def _current_scales(self) -> dict[str, float]:
        """Of the weights, by layer. Where currents do not come from one such layer alone, neurons get them multiplied."""
        scale, by_name = self._neurons.current_scale, {layer.name: layer for layer in self._network.layers}
        scales: dict[str, float] = {}
        self._multiplied: set[str] = set()
        for layer in self._network.layers:
            if layer.kind != "neuron" or scale == 1:
                continue
            (before,) = layer.inputs
            users = [other.name for other in self._network.layers if before in other.inputs]
            if (
                users == [layer.name]
                and before in by_name
                and by_name[before].kind in ("conv", "conv_transpose", "dense")
            ):
                scales[before] = scale
            else:
                self._multiplied.add(layer.name)
        return scales

    def _current(self, layer: Layer, value: Tensor) -> Tensor:
        return value * self._neurons.current_scale if layer.name in self._multiplied else value

    def _tensor(self, name: str) -> Tensor:
        scale = np.float32(self._scales.get(name.rpartition(".")[0], 1.0))
        return torch.from_numpy(self._network.arrays[name].astype(np.float32) * scale).to(self._device)

    # ------------------------------------------------------------------ what the harness calls

    def place(self, x: np.ndarray) -> Any:
        return torch.from_numpy(x).to(self._device) if self._job.sequence else x

    def take(self, y: Any) -> np.ndarray:
        result: np.ndarray = y.cpu().numpy() if self._job.sequence else y
        return result

    def run(self, x: Any) -> Any:
        with torch.inference_mode():
            if self._job.sequence:
                return self._neurons_alone(x)
            if self._job.stream:
                return self._stream(self._ready(torch.from_numpy(x))).cpu().numpy()
            return np.concatenate([self._answer(piece).cpu().numpy() for piece in self._pieces(x)])

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray]:
        found: dict[str, list[np.ndarray]] = {name: [] for name in self._network.neurons}
        with torch.inference_mode():
            for piece in self._pieces(x):
                for name, total in self._counts(piece).items():
                    found[name].append(total.cpu().numpy())
        return {name: np.concatenate(parts) for name, parts in found.items()}

    # ------------------------------------------------------------------ ways to run

    def _neurons_alone(self, x: Tensor) -> Tensor:
        axis = self._neurons.time_axis
        scaled = x * self._neurons.current_scale if self._neurons.current_scale != 1 else x
        spikes = self._neurons.sequence(scaled.transpose(0, 1) if axis else scaled)
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return spikes.transpose(0, 1) if axis else spikes

    def _pieces(self, x: np.ndarray) -> Iterator[Tensor]:
        for piece in torch.from_numpy(x).split(self._samples):
            yield self._ready(piece)

    def _ready(self, x: Tensor) -> Tensor:
        x = x.to(self._device)
        return x.contiguous(memory_format=torch.channels_last) if self._channels_last(x) else x

    def _channels_last(self, tensor: Tensor) -> bool:
        return self._setting.channels_last and tensor.ndim == 4

    def _answer(self, x: Tensor) -> Tensor:
        return self._replayed(x) if self._setting.captured else self._computed(x)

    def _computed(self, x: Tensor) -> Tensor:
        return self._layer_by_layer(x) if self._setting.by_layer else self._step_by_step(x)

    def _replayed(self, x: Tensor) -> Tensor:
        """As PyTorch describes it: some runs on another stream first, then one that is captured. A last piece that is smaller
        than the others runs as it is."""
        if self._graph is None:
            self._given = x.clone()
            other = torch.cuda.Stream()
            other.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(other):
                for _ in range(3):
                    self._computed(self._given)
            torch.cuda.current_stream().wait_stream(other)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._result = self._computed(self._given)
        if x.shape != self._given.shape:
            return self._computed(x)
        self._given.copy_(x)
        self._graph.replay()
        return self._result

    def _before(self, x: Tensor) -> Values:
        values = {"input": x}
        for layer in self._phases.once:
            values[layer.name] = self._apply(layer, [values[name] for name in layer.inputs])
        return values

    def _one_step(self, fixed: Values, states: States) -> tuple[Values, States]:
        """The values of all layers, and the new states."""
        values, after = dict(fixed), {}
        for layer in self._phases.steps:
            inputs = [values[name] for name in layer.inputs]
            if layer.kind == "neuron":
                current = self._current(layer, inputs[0])
                state = states[layer.name] if layer.name in states else self._neurons.start(current)
                values[layer.name], after[layer.name] = self._neurons.step(current, state)
            else:
                values[layer.name] = self._apply(layer, inputs)
        return values, after

    def _summing_step(self, fixed: Values, states: States, sums: Values) -> tuple[States, Values]:
        values, states = self._one_step(fixed, states)
        return states, {name: sums[name] + values[name] if sums else values[name] for name in self._phases.means}

    def _step_by_step(self, x: Tensor) -> Tensor:
        fixed, states, sums = self._before(x), States(), Values()
        for _ in range(self._job.n_steps):
            states, sums = self._step(fixed, states, sums)
        return self._end(fixed | {name: total / self._job.n_steps for name, total in sums.items()})

    def _stream(self, x: Tensor) -> Tensor:
        fixed = self._before(x)
        self._states, sums = self._step(fixed, self._states, {})
        return self._end(fixed | sums)

    def _counts(self, x: Tensor) -> Values:
        fixed, states, counts = self._before(x), States(), Values()
        for _ in range(self._job.n_steps):
            values, states = self._one_step(fixed, states)
            for name in self._network.neurons:
                counts[name] = counts[name] + values[name] if name in counts else values[name]
        return counts

    def _layer_by_layer(self, x: Tensor) -> Tensor:
        axis, n_steps = self._neurons.time_axis, self._job.n_steps
        values, timed = self._before(x), set[str]()
        for layer in self._phases.steps:
            inputs = [values[name] if name in timed else self._repeated(values[name]) for name in layer.inputs]
            if layer.kind == "neuron":
                values[layer.name] = self._neurons.sequence(self._current(layer, inputs[0]))
            else:
                flat = self._apply(layer, [value.flatten(0, 1) for value in inputs])
                values[layer.name] = flat.unflatten(0, (len(x), n_steps) if axis else (n_steps, len(x)))
            timed.add(layer.name)
        return self._end(values | {name: values[name].mean(axis) for name in self._phases.means})

    def _repeated(self, value: Tensor) -> Tensor:
        """The same at every step, without copies."""
        axis = self._neurons.time_axis
        shape = [*value.shape[:axis], self._job.n_steps, *value.shape[axis:]]
        return value.unsqueeze(axis).expand(shape)

    def _end(self, values: Values) -> Tensor:
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
        if layer.kind not in ("dense", "conv", "conv_transpose"):
            raise CannotComputeError(f"it has no layer of kind {layer.kind}")
        weights, bias = self._weights[f"{layer.name}.weights"], self._weights[f"{layer.name}.bias"]
        if layer.kind == "dense":
            return F.linear(x, weights, bias)
        top, left, bottom, right = layer.pads
        if layer.kind == "conv":
            if (top, left) != (bottom, right):
                x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
            return F.conv2d(x, weights, bias, layer.stride, (top, left))
        full = F.conv_transpose2d(x, weights, bias, layer.stride, output_padding=layer.output_padding)
        return full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right]

    # ------------------------------------------------------------------ settings

    def use(self, setting: TorchSetting) -> None:
        """Compiles at the next run, where it shall."""
        self._setting, self._states = setting, {}
        self._graph: torch.cuda.CUDAGraph | None = None
        self._samples = max(1, self._job.batch // setting.share)
        self._step = torch.compile(self._summing_step, dynamic=False) if setting.compiled else self._summing_step
        for name, tensor in self._weights.items():
            form = torch.channels_last if self._channels_last(tensor) else torch.contiguous_format
            self._weights[name] = tensor.contiguous(memory_format=form)
        self.settings = setting.named() | {
            "samples at once": self._samples,
            "threads": torch.get_num_threads(),
            "inference mode": True,
            "once": [layer.name for layer in self._phases.once],
            "after the mean over time": [layer.name for layer in self._phases.last],
        }

    def candidates(self, tried: Mapping[TorchSetting, float]) -> Iterator[TorchSetting]:
        """Compiling, which takes longest to try, comes last. Neurons alone have one way: all steps at once."""
        if self._job.sequence:
            yield TorchSetting(by_layer=True)
            return
        shares = [share for share in SHARES if share <= self._job.batch]
        modes = (False,) if self._job.stream else (False, True)
        if self._device.type == "cuda" and not self._job.stream:
            yield from (TorchSetting(by_layer, captured=True) for by_layer in modes)
        for share, by_layer in itertools.product(shares[:2], modes):
            yield TorchSetting(by_layer, share=share)
        if any(layer.kind.startswith("conv") for layer in self._network.layers):
            yield replace(fastest(tried), channels_last=True)
        yield replace(fastest(tried), share=shares[-1])
        yield replace(fastest(tried), by_layer=False, compiled=True, captured=False)


def fastest(tried: Mapping[TorchSetting, float]) -> TorchSetting:
    """So far."""
    return min(tried, key=lambda setting: tried[setting])
