"""The parts of exported networks in TensorFlow, so that NengoDL runs them fast and trains through them.

While NengoDL trains, neurons compute their rate at a constant current, and a running mean is its input: one step is enough.
Import this module only after `import_nengo_dl`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import nengo
import numpy as np

from converter.nengo import parts
from converter.nengo.dl.shim import import_nengo_dl

nengo_dl = import_nengo_dl()

import tensorflow as tf
from nengo.builder.transforms import ConvInc
from nengo_dl.builder import Builder
from nengo_dl.neuron_builders import (
    LIFBuilder,
    SimNeuronsBuilder,
    SoftLIFRateBuilder,
    TFNeuronBuilder,
)
from nengo_dl.transform_builders import ConvIncBuilder, ConvSet

Tensor = Any


class _Builder(TFNeuronBuilder):
    """Reads parameters that are a number for each neuron."""

    spiking = True

    def parameter(self, name: str, signals: Any, change: Callable[[np.ndarray], np.ndarray] = np.asarray) -> Tensor:
        """All neurons' values of a parameter, changed in float64: NengoDL's 1 / dt in float32 would be 999.99994."""
        rows = [np.broadcast_to(getattr(op.neurons, name), op.J.shape) for op in self.ops]
        return tf.constant(change(np.concatenate(rows)[None]), dtype=signals.dtype)


class _CountingBuilder(_Builder):
    """Spikes are counted, up to `most` in a step."""

    def build_pre(self, signals: Any, config: Any) -> None:
        super().build_pre(signals, config)
        self.threshold = self.parameter("threshold", signals)
        most = self.parameter("max_spikes", signals)
        self.most = tf.where(most > 0, most, tf.constant(np.inf, most.dtype))


class IFBuilder(_CountingBuilder):
    """`converter.nengo.parts.IF`; trained as a ReLU that cannot exceed its largest rate."""

    def build_pre(self, signals: Any, config: Any) -> None:
        super().build_pre(signals, config)
        self.signed = self.parameter("signed", signals) > 0

    def step(self, J: Tensor, dt: Tensor, voltage: Tensor, net_count: Tensor) -> tuple[Tensor, ...]:
        u = voltage + J
        least = tf.where(self.signed, -tf.minimum(net_count, self.most), tf.zeros_like(net_count))
        n = tf.minimum(tf.maximum(tf.floor(u / self.threshold), least), self.most)
        spikes = n * self.threshold
        return spikes, u - spikes, net_count + n

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return tf.minimum(tf.nn.relu(J), self.most * self.threshold)


class BoundedIFBuilder(_CountingBuilder):
    """`converter.nengo.parts.BoundedIF`; trained as a ReLU, or signed as its input, within its largest rates."""

    def build_pre(self, signals: Any, config: Any) -> None:
        super().build_pre(signals, config)
        signed = self.parameter("signed", signals) > 0
        self.least = tf.where(signed, -self.most, tf.zeros_like(self.most))
        self.lowest = self.parameter("memory", signals, lambda values: -values) * self.threshold
        self.highest = self.parameter("memory", signals, lambda values: 1 + values) * self.threshold

    def step(self, J: Tensor, dt: Tensor, voltage: Tensor) -> tuple[Tensor, ...]:
        u = voltage + J
        spikes = tf.clip_by_value(tf.floor(u / self.threshold), self.least, self.most) * self.threshold
        return spikes, tf.clip_by_value(u - spikes, self.lowest, self.highest)

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return tf.clip_by_value(J, self.least * self.threshold, self.most * self.threshold)


class SigmaDeltaBuilder(_CountingBuilder):
    """`converter.nengo.parts.SigmaDelta`; trained as the target that it tracks."""

    def step(self, J: Tensor, dt: Tensor, net_count: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        steps += 1
        n = tf.round(steps * J / self.threshold) - net_count
        n = tf.minimum(tf.maximum(n, -self.most), self.most)
        return n * self.threshold, net_count + n, steps

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return tf.clip_by_value(J, -self.most * self.threshold, self.most * self.threshold)


class _DeltaBuilder(_Builder):
    """Neurons of the delta code; trained as the value that they send."""

    def build_pre(self, signals: Any, config: Any) -> None:
        super().build_pre(signals, config)
        self.threshold = self.parameter("threshold", signals)
        self.rest = self.parameter("resting_value", signals)
        self.finest = self.parameter("finest_exponent", signals, parts.bounded)
        self.max_spikes = self.parameter("max_spikes", signals)
        self.most = max(op.neurons.max_spikes for op in self.ops)
        self.heights = tf.constant(2.0 ** -np.arange(-30.0, 31), dtype=signals.dtype)

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return J

    def towards(self, missing: Tensor, finest: Tensor) -> Tensor:
        """See `converter.nengo.parts.towards`; here j is found bit by bit."""
        smallest = 0.75 * tf.gather(self.heights, tf.cast(finest, tf.int32) + 30)
        total = tf.zeros_like(missing)
        for number in range(self.most):
            left = missing - total
            size, height = tf.abs(left), tf.ones_like(left)
            for bit in (16, 8, 4, 2, 1):
                height = tf.where(size < 0.75 * 2.0 ** (1 - bit) * height, height * 2.0**-bit, height)
            sends = (size >= smallest) & (number < self.max_spikes)
            total += tf.where(sends, tf.sign(left) * height, tf.zeros_like(left))
        return total


class MultiThresholdSumBuilder(_DeltaBuilder):
    """`converter.nengo.parts.MultiThresholdSum`."""

    def step(self, J: Tensor, dt: Tensor) -> tuple[Tensor, ...]:
        sent = self.towards((J - self.rest) / self.threshold, self.finest)
        return (self.rest + self.threshold * sent,)


class MultiThresholdBuilder(_DeltaBuilder):
    """`converter.nengo.parts.MultiThreshold`."""

    def build_pre(self, signals: Any, config: Any) -> None:
        super().build_pre(signals, config)
        self.refinements = self.parameter("refinements", signals)

    def step(self, J: Tensor, dt: Tensor, sent: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        finest = tf.minimum(self.finest + tf.minimum(steps, self.refinements), 30)
        sent += self.towards((J - self.rest) / self.threshold - sent, finest)
        return self.rest + self.threshold * sent, sent, steps + 1


class RateBuilder(_Builder):
    """`converter.nengo.parts.Rate`."""

    def step(self, J: Tensor, dt: Tensor) -> tuple[Tensor, ...]:
        return (J,)

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return J


class RunningMeanBuilder(_Builder):
    """`converter.nengo.parts.RunningMean`."""

    def step(self, J: Tensor, dt: Tensor, sum: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        sum += J
        steps += 1
        return sum / steps, sum, steps

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return J


class LeakyMeanBuilder(_Builder):
    """`converter.nengo.parts.LeakyMean`."""

    def build_pre(self, signals: Any, config: Any) -> None:
        super().build_pre(signals, config)
        self.steps = self.parameter("steps", signals)

    def step(self, J: Tensor, dt: Tensor, mean: Tensor, done: Tensor) -> tuple[Tensor, ...]:
        done += 1
        mean += (J - mean) / tf.minimum(done, self.steps)
        return mean, mean, done

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return J


class RunningDifferenceBuilder(_Builder):
    """`converter.nengo.parts.RunningDifference`."""

    def step(self, J: Tensor, dt: Tensor, total: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        steps += 1
        new_total = steps * J
        return new_total - total, new_total, steps

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return J


class AdaptiveLIFBuilder(LIFBuilder, _Builder):
    """nengo.AdaptiveLIF; trained as LIF, at the adaptation that it has."""

    def build_pre(self, signals: Any, config: Any) -> None:
        super().build_pre(signals, config)
        by_neuron = isinstance(self.ops[0].neurons, parts.AdaptiveLIF)
        amplitude = "amplitudes" if by_neuron else "amplitude"
        self.amplitude = self.parameter(amplitude, signals)
        self.alpha = self.parameter(amplitude, signals, lambda values: values / signals.dt_val)
        self.inc_n = self.parameter("inc_n", signals)
        self.rate = self.parameter("tau_n", signals, lambda values: signals.dt_val / values)

    def step(
        self,
        J: Tensor,
        dt: Tensor,
        voltage: Tensor,
        refractory_time: Tensor,
        adaptation: Tensor,
    ) -> tuple[Tensor, ...]:
        spikes, voltage, refractory_time = super().step(J - adaptation, dt, voltage, refractory_time)
        return spikes, voltage, refractory_time, adaptation + self.rate * (self.inc_n * spikes - adaptation)


class IzhikevichBuilder(_Builder):
    """nengo.Izhikevich; it is not trained."""

    def build_pre(self, signals: Any, config: Any) -> None:
        super().build_pre(signals, config)
        names = ("tau_recovery", "coupling", "reset_voltage", "reset_recovery")
        self.a, self.b, self.c, self.d = (self.parameter(name, signals) for name in names)
        self.height = tf.constant(1 / signals.dt_val, dtype=signals.dtype)

    def step(self, J: Tensor, dt: Tensor, voltage: Tensor, recovery: Tensor) -> tuple[Tensor, ...]:
        drive = tf.maximum(J, -30)
        voltage += (0.04 * (voltage * voltage) + 5 * voltage + 140 - recovery + drive) * 1000 * dt
        spiked = voltage >= 30
        voltage = tf.where(spiked, self.c, voltage)
        recovery += (self.a * (self.b * voltage - recovery)) * 1000 * dt
        recovery = tf.where(spiked, recovery + self.d, recovery)
        return tf.cast(spiked, J.dtype) * self.height, voltage, recovery

    def training_step(self, J: Tensor, dt: Tensor, **state: Tensor) -> Tensor:
        return tf.zeros_like(J)


class ConvolutionBuilder(ConvIncBuilder):
    """nengo.Convolution, whose sums are added term by term whatever the machine, as ONNX Runtime adds them.

    TensorFlow's matrix product with few filters adds even and odd terms apart where the CPU has AVX2 only. Groups are convolved
    one by one, as TensorFlow has no gradient for them on a CPU.
    """

    FILTERS = 16

    def build_step(self, signals: Any) -> None:
        x, kernel = signals.gather(self.X_data), signals.gather(self.W_data)
        axes, groups = self.conv.dimensions, self.conv.groups
        if not self.conv.channels_last:
            x = tf.transpose(x, [0, *range(2, axes + 2), 1])
        parts = zip(tf.split(x, groups, axis=-1), tf.split(kernel, groups, axis=-1), strict=True)
        y = tf.concat([self._of_group(*part) for part in parts], axis=-1)
        if not self.conv.channels_last:
            y = tf.transpose(y, [0, axes + 1, *range(1, axes + 1)])
        y.set_shape((signals.minibatch_size, *self.conv.output_shape.shape))
        signals.scatter(self.Y_data, y, mode=self.mode)

    def _of_group(self, x: Tensor, kernel: Tensor) -> Tensor:
        filters = self.conv.n_filters // self.conv.groups
        kernel = tf.pad(kernel, [[0, 0]] * (self.conv.dimensions + 1) + [[0, -filters % self.FILTERS]])
        return tf.nn.convolution(x, kernel, strides=self.conv.strides, padding=self.conv.padding.upper())[..., :filters]

    @staticmethod
    def mergeable(x: Any, y: Any) -> bool:
        return False


Builder.builders.update({ConvInc: ConvolutionBuilder, ConvSet: ConvolutionBuilder})
SimNeuronsBuilder.TF_NEURON_IMPL.update(
    {
        parts.IF: IFBuilder,
        parts.BoundedIF: BoundedIFBuilder,
        parts.SigmaDelta: SigmaDeltaBuilder,
        parts.MultiThreshold: MultiThresholdBuilder,
        parts.MultiThresholdSum: MultiThresholdSumBuilder,
        parts.Rate: RateBuilder,
        parts.RunningMean: RunningMeanBuilder,
        parts.LeakyMean: LeakyMeanBuilder,
        parts.RunningDifference: RunningDifferenceBuilder,
        parts.SoftLIFRate: SoftLIFRateBuilder,
        parts.AdaptiveLIF: AdaptiveLIFBuilder,
        nengo.AdaptiveLIF: AdaptiveLIFBuilder,
        nengo.Izhikevich: IzhikevichBuilder,
    }
)


def apply(label: str, function: Callable[..., Tensor], sources: Sequence[Any], size: int) -> Any:
    """A function of one value, or of several of the same size, as a TensorNode."""
    total = sum(x.size_out for x in sources)
    y = nengo_dl.TensorNode(
        lambda x: function(*tf.split(x, len(sources), axis=1)),
        shape_in=(total,),
        shape_out=(size,),
        pass_time=False,
        label=label,
    )
    start = 0
    for x in sources:
        parts.connect(x, y[start : start + x.size_out])
        start += x.size_out
    return y


def _largest(index: np.ndarray) -> Callable[[Tensor], Tensor]:
    def largest(x: Tensor) -> Tensor:
        padded = tf.pad(x, [[0, 0], [0, 1]], constant_values=x.dtype.min)
        return tf.reduce_max(tf.gather(padded, np.where(index < 0, x.shape[1], index), axis=1), axis=2)

    return largest


NAMESPACE: dict[str, Any] = {
    "apply": apply,
    "relu": tf.nn.relu,
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
    "leaky_relu": lambda slope: lambda x: tf.where(x < 0, slope * x, x),
    "elu": lambda alpha: lambda x: tf.where(x < 0, alpha * tf.math.expm1(tf.minimum(x, 0)), x),
    "clip": lambda low, high: lambda x: tf.clip_by_value(x, low, high),
    "softplus": tf.nn.softplus,
    "hard_sigmoid": lambda alpha, beta: lambda x: tf.clip_by_value(alpha * x + beta, 0, 1),
    "hard_swish": lambda x: x * tf.clip_by_value(x / 6 + 0.5, 0, 1),
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "exp": tf.exp,
    "softmax": tf.nn.softmax,
    "log_softmax": tf.nn.log_softmax,
    "multiply": tf.multiply,
    "largest": _largest,
}
"""What stands in for the parts and functions of scripts."""
