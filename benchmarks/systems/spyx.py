"""Spyx 1.0 on JAX: `IF`, all of a run in one compiled function.

Its neuron gives the spikes of the voltage that it was handed, before it adds the current: a step late. Called a second time,
without a current, it gives those of the new voltage; the compiler leaves out what is not used.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.systems._channels_last import ChannelsLast, first, last
from benchmarks.systems._phases import phases
from benchmarks.systems.system import CannotComputeError, Job, Runner, Searching, System, portion
from benchmarks.workloads.network import Equation, Layer

Values = dict[str, Any]
QUARTER = 4
"""One in so many samples of a batch."""


@dataclass(frozen=True)
class SpyxSetting:
    """One way to run.

    Attributes:
        by_layer: all steps of a layer, then the next layer.
        unrolled: steps of the loop.
        share: of the batch, one in so many samples run at once.
    """

    by_layer: bool = False
    unrolled: int = 1
    share: int = 1

    def named(self) -> dict[str, object]:
        """For the table."""
        mode = "layer by layer" if self.by_layer else "step by step"
        return {
            "mode": mode,
            "unrolled steps of jax.lax.scan": self.unrolled,
            "samples at once": portion(self.share),
        }


class SpyxRunner(Searching[SpyxSetting]):
    """A compiled function."""

    form = SpyxSetting

    def __init__(self, job: Job) -> None:
        import jax

        if job.provider == "cuda" and jax.default_backend() != "gpu":
            raise CannotComputeError("its JAX sees no GPU")
        jax.config.update("jax_default_matmul_precision", "highest")
        self._jax, self._job, self._phases = jax, job, phases(job.network)
        self._moved = ChannelsLast(job.network)
        self._neurons = self._made_neurons()
        self._state: Values | None = None
        self.begin(job)

    def _made_neurons(self) -> Values:
        import jax.numpy as jnp
        from spyx import nn

        def fires(u: Any) -> Any:
            return (u >= 0).astype(jnp.float32)

        shapes = self._moved.shapes
        return {name: nn.IF(shapes[name], threshold=1.0, activation=fires) for name in self._job.network.neurons}

    # ------------------------------------------------------------------ what the harness calls

    def place(self, x: np.ndarray) -> Any:
        return self._jax.device_put(x) if self._job.sequence else x

    def take(self, y: Any) -> np.ndarray:
        return np.asarray(y)

    def run(self, x: Any) -> Any:
        if self._job.sequence:
            return self._compiled(x).block_until_ready()
        if self._job.stream:
            if self._state is None:
                self._state = {n: node.initial_state(len(x)) for n, node in self._neurons.items()}
            y, self._state = self._compiled(last(x), self._state)
            return first(np.asarray(y))
        moved, size = last(x), self._samples
        return first(np.concatenate([np.asarray(self._compiled(moved[i : i + size])) for i in range(0, len(x), size)]))

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray]:
        counted = self._jax.jit(self._counts)(last(x))
        return {name: first(np.asarray(count)) for name, count in counted.items()}

    # ------------------------------------------------------------------ ways to run

    def _neuron(self, name: str, current: Any, voltage: Any) -> tuple[Any, Any]:
        node = self._neurons[name]
        _, voltage = node(current, voltage)
        spikes, _ = node(self._jax.numpy.zeros_like(current), voltage)
        return spikes, voltage

    def _before(self, x: Any) -> Values:
        values = {"input": x}
        for layer in self._phases.once:
            values[layer.name] = self._apply(layer, [values[name] for name in layer.inputs])
        return values

    def _one_step(self, fixed: Values, states: Values) -> tuple[Values, Values]:
        values, after = dict(fixed), {}
        for layer in self._phases.steps:
            inputs = [values[name] for name in layer.inputs]
            if layer.kind == "neuron":
                values[layer.name], after[layer.name] = self._neuron(layer.name, inputs[0], states[layer.name])
            else:
                values[layer.name] = self._apply(layer, inputs)
        return values, after

    def _sums(self, x: Any, names: tuple[str, ...], unrolled: int) -> tuple[Values, Values]:
        fixed = self._before(x)

        def step(carried: tuple[Values, Values], _: None) -> tuple[tuple[Values, Values], None]:
            states, sums = carried
            values, states = self._one_step(fixed, states)
            return (states, {name: sums[name] + values[name] for name in names}), None

        states = {name: node.initial_state(len(x)) for name, node in self._neurons.items()}
        zeros = {n: self._jax.numpy.zeros((len(x), *self._moved.shapes[n])) for n in names}
        (_, sums), _ = self._jax.lax.scan(step, (states, zeros), None, length=self._job.n_steps, unroll=unrolled)
        return fixed, sums

    def _step_by_step(self, x: Any) -> Any:
        fixed, sums = self._sums(x, self._phases.means, self._setting.unrolled)
        return self._end(fixed | {name: total / self._job.n_steps for name, total in sums.items()})

    def _counts(self, x: Any) -> Values:
        return self._sums(x, self._job.network.neurons, 1)[1]

    def _stream(self, x: Any, states: Values) -> tuple[Any, Values]:
        values, states = self._one_step(self._before(x), states)
        return self._end(values), states

    def _sequence(self, name: str, currents: Any) -> Any:
        def step(voltage: Any, current: Any) -> tuple[Any, Any]:
            spikes, voltage = self._neuron(name, current, voltage)
            return voltage, spikes

        start = self._neurons[name].initial_state(currents.shape[1])
        return self._jax.lax.scan(step, start, currents, unroll=self._setting.unrolled)[1]

    def _layer_by_layer(self, x: Any) -> Any:
        jnp, steps = self._jax.numpy, self._job.n_steps
        values, timed = self._before(x), set[str]()
        for layer in self._phases.steps:
            inputs = [
                values[name] if name in timed else jnp.broadcast_to(values[name], (steps, *values[name].shape))
                for name in layer.inputs
            ]
            if layer.kind == "neuron":
                values[layer.name] = self._sequence(layer.name, inputs[0])
            else:
                flat = self._apply(layer, [value.reshape(-1, *value.shape[2:]) for value in inputs])
                values[layer.name] = flat.reshape(steps, len(x), *flat.shape[1:])
            timed.add(layer.name)
        return self._end(values | {name: values[name].mean(axis=0) for name in self._phases.means})

    def _end(self, values: Values) -> Any:
        for layer in self._phases.last:
            values[layer.name] = self._apply(layer, [values[name] for name in layer.inputs])
        return values[self._job.network.layers[-1].name]

    def _apply(self, layer: Layer, inputs: list[Any]) -> Any:
        jax, x = self._jax, inputs[0]
        if layer.kind == "average_pool":
            size = (1, layer.size, layer.size, 1)
            return jax.lax.reduce_window(x, 0.0, jax.lax.add, size, size, "VALID") / layer.size**2
        if layer.kind == "flatten":
            return x.reshape(len(x), -1)
        if layer.kind == "add":
            return sum(inputs[1:], start=x)
        weights, bias = self._moved.weights[layer.name], self._moved.bias[layer.name]
        if layer.kind == "dense":
            return x @ weights + bias
        top, left, bottom, right = layer.pads
        names = ("NHWC", "HWIO", "NHWC")
        if layer.kind == "conv":
            pads, strides = ((top, bottom), (left, right)), (layer.stride, layer.stride)
            return jax.lax.conv_general_dilated(x, weights, strides, pads, dimension_numbers=names) + bias
        kernel, more = weights.shape[:2], layer.output_padding
        pads = tuple(
            (k - 1 - start, k - 1 - end + more)
            for k, start, end in ((kernel[0], top, bottom), (kernel[1], left, right))
        )
        turned = np.ascontiguousarray(weights[::-1, ::-1].transpose(0, 1, 3, 2))
        dilated = (layer.stride, layer.stride)
        return (
            jax.lax.conv_general_dilated(x, turned, (1, 1), pads, lhs_dilation=dilated, dimension_numbers=names) + bias
        )

    # ------------------------------------------------------------------ settings

    def use(self, setting: SpyxSetting) -> None:
        """Compiled anew at the next run."""
        self._setting, self._state = setting, None
        self._samples = max(1, self._job.batch // setting.share)
        function: Callable[..., Any] = self._layer_by_layer if setting.by_layer else self._step_by_step
        if self._job.stream:
            function = self._stream
        elif self._job.sequence:
            (name,) = self._neurons

            def function(currents: Any) -> Any:
                return self._sequence(name, currents)

        self._compiled = self._jax.jit(function)
        self.settings = setting.named() | {
            "samples at once": self._samples,
            "jit": True,
            "once": [layer.name for layer in self._phases.once],
            "after the mean over time": [layer.name for layer in self._phases.last],
        }

    def candidates(self, tried: Mapping[SpyxSetting, float]) -> Iterator[SpyxSetting]:
        """A stream has one way, a layer of neurons alone two."""
        job = self._job
        yield SpyxSetting()
        if job.stream:
            return
        yield SpyxSetting(unrolled=4)
        if not job.sequence:
            yield SpyxSetting(by_layer=True)
            if job.batch >= QUARTER:
                yield SpyxSetting(share=QUARTER)
                yield SpyxSetting(by_layer=True, share=QUARTER)


class Spyx(System):
    """With JAX."""

    name = "spyx"
    equations = frozenset({Equation.IF})
    requirements = Path(__file__).parent / "requirements" / "spyx.txt"
    providers = ("cpu", "cuda")
    searches = True

    def build(self, job: Job) -> Runner:
        """Compiled for the batch and the steps."""
        return SpyxRunner(job)

    def version(self) -> str:
        """Of Spyx and JAX."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("spyx", "jax"))


SYSTEM = Spyx()
