"""Nengo 4.1's own simulator: NumPy, float64, one sample after another. Convolutions are its transforms, dt = 1, no synapse."""

from __future__ import annotations

import importlib.metadata
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.systems.system import CannotComputeError, Job, Runner, System
from benchmarks.workloads.network import Equation, Layer


class NengoRunner(Runner):
    """A simulator, reset for each sample; it carries its state from call to call in a stream."""

    def __init__(self, job: Job) -> None:
        import nengo

        if job.sequence:
            raise CannotComputeError("it simulates whole networks, not a layer of neurons alone")
        nengo.rc.set("decoder_cache", "enabled", "False")
        self._nengo, self._job = nengo, job
        self._x = np.zeros(int(np.prod(job.network.input_shape)))
        self._shapes: dict[str, tuple[int, ...]] = {"input": job.network.input_shape}
        self._simulator, self._probe = self._built(())
        self.settings = {
            "simulator": "nengo.Simulator, NumPy, float64",
            "samples at once": 1,
            "synapse": None,
            "dt": 1,
            "probe": "the last layer, every step",
        }

    def run(self, x: np.ndarray) -> np.ndarray:
        answers = []
        for sample in x:
            self._x = sample.reshape(-1).astype(np.float64)
            if not self._job.stream:
                self._simulator.reset()
            else:
                self._simulator.clear_probes()
            self._simulator.run_steps(self._job.n_steps, progress_bar=False)
            answers.append(self._simulator.data[self._probe].mean(axis=0))
        return np.stack(answers).reshape(len(x), *self._shapes[self._job.network.layers[-1].name]).astype(np.float32)

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray]:
        names = self._job.network.neurons
        simulator, probes = self._built(names)
        found: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for sample in x:
            self._x = sample.reshape(-1).astype(np.float64)
            simulator.reset()
            simulator.run_steps(self._job.n_steps, progress_bar=False)
            for name in names:
                found[name].append(simulator.data[probes[name]].sum(axis=0).reshape(self._shapes[name]))
        return {name: np.stack(parts) for name, parts in found.items()}

    def _built(self, probed: tuple[str, ...]) -> tuple[Any, Any]:
        """A simulator, and the probe of the last layer, or probes by name."""
        nengo = self._nengo
        at_rest = {"voltage": nengo.dists.Choice([0])}
        neurons: Any = {
            Equation.NENGO_IF: lambda: nengo.SpikingRectifiedLinear(initial_state=at_rest),
            Equation.NENGO_LIF: lambda: nengo.LIF(tau_rc=20.0, tau_ref=2.0, initial_state=at_rest),
        }[self._job.network.equation]()
        with nengo.Network(seed=0) as network, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values: dict[str, Any] = {"input": nengo.Node(lambda t: self._x, size_out=len(self._x))}
            for layer in self._job.network.layers:
                values[layer.name] = self._add(layer, values, neurons)
            if probed:
                probes: Any = {name: nengo.Probe(values[name]) for name in probed}
            else:
                probes = nengo.Probe(values[self._job.network.layers[-1].name])
            return nengo.Simulator(network, dt=1.0, progress_bar=False), probes

    def _add(self, layer: Layer, values: dict[str, Any], neurons: Any) -> Any:
        """What a layer is in Nengo."""
        nengo = self._nengo
        x, shape = values[layer.inputs[0]], self._shapes[layer.inputs[0]]
        if layer.kind == "neuron":
            self._shapes[layer.name] = shape
            one, zero = nengo.dists.Choice([1]), nengo.dists.Choice([0])
            made = nengo.Ensemble(int(np.prod(shape)), 1, neuron_type=neurons, gain=one, bias=zero).neurons
            nengo.Connection(x, made, synapse=None)
            return made
        if layer.kind == "flatten":
            self._shapes[layer.name] = (int(np.prod(shape)),)
            return x
        if layer.kind == "average_pool":
            channels, rows, columns = shape
            after, size = (channels, rows // layer.size, columns // layer.size), layer.size
            self._shapes[layer.name] = after

            def pool(t: float, x: np.ndarray) -> np.ndarray:
                image = x.reshape(shape)[:, : after[1] * size, : after[2] * size]
                return image.reshape(channels, after[1], size, after[2], size).mean(axis=(2, 4)).reshape(-1)

            node = nengo.Node(pool, size_in=int(np.prod(shape)), size_out=int(np.prod(after)))
            nengo.Connection(x, node, synapse=None)
            return node
        if layer.kind == "add":
            self._shapes[layer.name] = shape
            node = nengo.Node(size_in=int(np.prod(shape)))
            for name in layer.inputs:
                nengo.Connection(values[name], node, synapse=None)
            return node
        transform, after, bias = self._transform(layer, shape)
        self._shapes[layer.name] = after
        node = nengo.Node(size_in=int(np.prod(after)))
        nengo.Connection(x, node, transform=transform, synapse=None)
        nengo.Connection(nengo.Node(bias), node, synapse=None)
        return node

    def _transform(self, layer: Layer, shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...], np.ndarray]:
        nengo = self._nengo
        if layer.kind not in ("dense", "conv", "conv_transpose"):
            raise CannotComputeError(f"has no layer of kind {layer.kind}")
        weights, bias = self._job.network.weights(layer)
        if layer.kind == "dense":
            return nengo.Dense((len(bias), shape[0]), init=weights.astype(np.float64)), (len(bias),), bias
        shape_of, kernel, more = nengo.transforms.ChannelShape, weights.shape[2:], layer.output_padding
        padding = "same" if any(layer.pads) else "valid"
        options = {"kernel_size": kernel, "strides": (layer.stride,) * 2, "padding": padding, "channels_last": False}
        before = shape_of(shape, channels_last=False)
        if layer.kind == "conv":
            transform = nengo.Convolution(len(bias), before, init=weights.transpose(2, 3, 1, 0), **options)
            after = tuple(transform.output_shape.shape)
        else:
            (rows, columns), (top, left, bottom, right) = shape[1:], layer.pads
            full = [(n - 1) * layer.stride + k + more for n, k in zip((rows, columns), kernel, strict=True)]
            after = (len(bias), full[0] - top - bottom, full[1] - left - right)
            transform = nengo.transforms.ConvolutionTranspose(
                len(bias), before, shape_of(after, channels_last=False), init=weights.transpose(2, 3, 0, 1), **options
            )
        self._check_pads(layer, shape, after, kernel)
        return transform, after, np.repeat(bias, after[1] * after[2])

    def _check_pads(
        self, layer: Layer, before: tuple[int, ...], after: tuple[int, ...], kernel: tuple[int, ...]
    ) -> None:
        """Nengo has none and "same", with the larger half of the zeros after."""
        long, short = (after, before) if layer.kind == "conv_transpose" else (before, after)
        total = [max((n - 1) * layer.stride + k - m, 0) for n, m, k in zip(short[1:], long[1:], kernel, strict=True)]
        same = (total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2)
        if any(layer.pads) and (layer.pads != same or layer.output_padding):
            raise CannotComputeError(f"layer '{layer.name}' pads {list(layer.pads)}, which its convolution cannot")


class Nengo(System):
    """The reference simulator."""

    name = "nengo"
    equations = frozenset({Equation.NENGO_IF, Equation.NENGO_LIF})
    requirements = Path(__file__).parent / "requirements" / "nengo.txt"

    def build(self, job: Job) -> Runner:
        """A simulator."""
        return NengoRunner(job)

    def version(self) -> str:
        """Of Nengo and NumPy."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("nengo", "numpy"))


SYSTEM = Nengo()
