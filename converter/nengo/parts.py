"""What exported networks are made of besides Nengo's own objects. Needs Nengo and NumPy only: scripts carry it with them.

All values are flat vectors in the order of the ONNX model (channels first), one sample at a time.
"""

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import IntParam, NdarrayParam, NumberParam


class _Elementwise(nengo.neurons.NeuronType):
    """Something with a state for each element; the same in every simulator."""

    negative = True
    spiking = True

    def gain_bias(self, max_rates, intercepts):
        """Elements are driven directly: gain 1, bias 0."""
        return np.ones_like(max_rates), np.zeros_like(intercepts)

    def max_rates_intercepts(self, gain, bias):
        """Not meaningful here."""
        return np.ones_like(gain), np.zeros_like(bias)


class IF(_Elementwise):
    """Integrate and fire with soft reset, which Nengo has only without memory of negative currents.

    u = voltage + J; n = clip(floor(u / threshold), least, max_spikes), least = 0 or, signed, -min(net_count, max_spikes);
    output = n threshold; voltage = u - output; net_count = net_count + n (max_spikes 0: no limit)
    """

    state = {"voltage": Choice([0]), "net_count": Choice([0])}
    threshold = NdarrayParam("threshold")
    max_spikes = IntParam("max_spikes", low=0)
    signed = IntParam("signed", low=0, high=1)

    def __init__(self, threshold, max_spikes=1, signed=0, initial_state=None):
        super().__init__(initial_state)
        self.threshold, self.max_spikes, self.signed = threshold, max_spikes, signed

    def step(self, dt, J, output, voltage, net_count):
        """One time step."""
        u = voltage + J
        most = self.max_spikes or np.inf
        least = -np.minimum(net_count, most) if self.signed else 0
        n = np.clip(np.floor(u / self.threshold), least, most)
        output[...] = n * self.threshold
        voltage[...] = u - output
        net_count += n


class BoundedIF(_Elementwise):
    """Integrate and fire with bounded memory.

    u = voltage + J; n = clip(floor(u / threshold), least, max_spikes), least = 0 or, signed, -max_spikes;
    output = n threshold; voltage = clip(u - output, -memory threshold, (1 + memory) threshold)
    """

    state = {"voltage": Choice([0])}
    threshold = NdarrayParam("threshold")
    max_spikes = IntParam("max_spikes", low=1)
    signed = IntParam("signed", low=0, high=1)
    memory = NumberParam("memory", low=0)

    def __init__(self, threshold, max_spikes=1, signed=0, memory=1.0, initial_state=None):
        super().__init__(initial_state)
        self.threshold, self.max_spikes, self.signed, self.memory = threshold, max_spikes, signed, memory

    def step(self, dt, J, output, voltage):
        """One time step."""
        u = voltage + J
        n = np.clip(np.floor(u / self.threshold), -self.max_spikes if self.signed else 0, self.max_spikes)
        output[...] = n * self.threshold
        voltage[...] = np.clip(u - output, -self.memory * self.threshold, (1 + self.memory) * self.threshold)


class SigmaDelta(_Elementwise):
    """Signed spikes that track a target: n = clip(round(step J / threshold) - net_count, -max_spikes, max_spikes)."""

    state = {"net_count": Choice([0]), "steps": Choice([0])}
    threshold = NdarrayParam("threshold")
    max_spikes = IntParam("max_spikes", low=0)

    def __init__(self, threshold, max_spikes=1, initial_state=None):
        super().__init__(initial_state)
        self.threshold, self.max_spikes = threshold, max_spikes

    def step(self, dt, J, output, net_count, steps):
        """One time step."""
        steps += 1
        n = np.round(steps * J / self.threshold) - net_count
        if self.max_spikes:
            n = np.clip(n, -self.max_spikes, self.max_spikes)
        net_count += n
        output[...] = n * self.threshold


class MultiThreshold(_Elementwise):
    """The delta code: signed spikes of heights threshold 2^-j, each a change of the value; the output is their sum up to now.

    missing = (J - resting_value) / threshold - sent; up to max_spikes times a spike, see `towards`, down to j = finest_exponent
    + min(steps, refinements); output = resting_value + threshold sent
    """

    state = {"sent": Choice([0]), "steps": Choice([0])}
    threshold = NdarrayParam("threshold")
    resting_value = NdarrayParam("resting_value")
    finest_exponent = NdarrayParam("finest_exponent")
    max_spikes = IntParam("max_spikes", low=1)
    refinements = IntParam("refinements", low=0)

    def __init__(self, threshold, resting_value, finest_exponent, max_spikes=1, refinements=0, initial_state=None):
        super().__init__(initial_state)
        self.threshold, self.resting_value, self.finest_exponent = threshold, resting_value, finest_exponent
        self.max_spikes, self.refinements = max_spikes, refinements

    def step(self, dt, J, output, sent, steps):
        """One time step."""
        missing = (J - self.resting_value) / self.threshold - sent
        sent += towards(
            missing, bounded(bounded(self.finest_exponent) + np.minimum(steps, self.refinements)), self.max_spikes
        )
        steps += 1
        output[...] = self.resting_value + self.threshold * sent


class MultiThresholdSum(_Elementwise):
    """All that MultiThreshold sends of a value, up to max_spikes spikes, in one step and without a state: two-phase."""

    threshold = NdarrayParam("threshold")
    resting_value = NdarrayParam("resting_value")
    finest_exponent = NdarrayParam("finest_exponent")
    max_spikes = IntParam("max_spikes", low=1)

    def __init__(self, threshold, resting_value, finest_exponent, max_spikes=1):
        super().__init__()
        self.threshold, self.resting_value, self.finest_exponent = threshold, resting_value, finest_exponent
        self.max_spikes = max_spikes

    def step(self, dt, J, output):
        """One time step."""
        missing = (J - self.resting_value) / self.threshold
        sent = towards(missing, bounded(self.finest_exponent), self.max_spikes)
        output[...] = self.resting_value + self.threshold * sent


class Rate(_Elementwise):
    """A rate as it is, also below 0: what nengo.RegularSpiking and StochasticSpiking turn into spikes."""

    spiking = False

    def step(self, dt, J, output):
        """One time step."""
        output[...] = J


class RunningMean(_Elementwise):
    """The mean of all inputs up to now."""

    state = {"sum": Choice([0]), "steps": Choice([0])}
    spiking = False

    def step(self, dt, J, output, sum, steps):
        """One time step."""
        sum += J
        steps += 1
        output[...] = sum / steps


class LeakyMean(_Elementwise):
    """A mean that forgets: mean += (J - mean) / min(steps done with this one, steps)."""

    state = {"mean": Choice([0]), "done": Choice([0])}
    spiking = False
    steps = IntParam("steps", low=1)

    def __init__(self, steps=8, initial_state=None):
        super().__init__(initial_state)
        self.steps = steps

    def step(self, dt, J, output, mean, done):
        """One time step."""
        done += 1
        mean += (J - mean) / np.minimum(done, self.steps)
        output[...] = mean


class WindowMean(nengo.Process):
    """The mean of the last `steps` inputs, or of all while there are fewer."""

    steps = IntParam("steps", low=1)

    def __init__(self, steps, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        """The last inputs, and how many there were."""
        return {"kept": np.zeros((self.steps, *shape_in), dtype), "done": np.zeros(1, dtype)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """What is done in each step."""
        kept, done = state["kept"], state["done"]

        def step(t, x):
            kept[:-1] = kept[1:].copy()
            kept[-1] = x
            done[0] += 1
            return kept.sum(axis=0) / min(done[0], self.steps)

        return step


class RunningDifference(_Elementwise):
    """The inverse of RunningMean."""

    state = {"total": Choice([0]), "steps": Choice([0])}
    spiking = False

    def step(self, dt, J, output, total, steps):
        """One time step."""
        steps += 1
        new_total = steps * J
        output[...] = new_total - total
        total[...] = new_total


class AdaptiveLIF(nengo.AdaptiveLIF):
    """Nengo's, with an amplitude for each neuron."""

    amplitudes = NdarrayParam("amplitudes", shape=("*",))

    def __init__(self, amplitudes, **kwargs):
        super().__init__(**kwargs)
        self.amplitudes = amplitudes

    def step(self, dt, J, output, voltage, refractory_time, adaptation):
        """One time step."""
        nengo.LIF.step(self, dt, J - adaptation, output, voltage, refractory_time)
        output *= self.amplitudes
        adaptation += (dt / self.tau_n) * (self.inc_n * output - adaptation)


class SoftLIFRate(nengo.LIFRate):
    """LIFRate with a soft threshold, as nengo_dl.SoftLIFRate."""

    sigma = NumberParam("sigma", low=0, low_open=True)

    def __init__(self, sigma=1.0, **kwargs):
        super().__init__(**kwargs)
        self.sigma = sigma

    def step(self, dt, J, output):
        """One time step."""
        js = (J - 1) / self.sigma
        z = self.sigma * np.where(js > 34, js, np.log1p(np.exp(np.minimum(js, 34))))
        with np.errstate(divide="ignore"):
            q = np.where(js > -20, np.log1p(1 / z), -js - np.log(self.sigma))
        output[:] = self.amplitude / (self.tau_ref + self.tau_rc * q)


def bounded(exponent):
    """A whole number from -30 to 30, as heights 2^-j have it."""
    return np.clip(np.trunc(exponent), -30, 30)


def towards(missing, finest, most):
    """The sum of up to `most` spikes that bring `missing` towards 0.

    A spike is 2^-j high, j the smallest whole number >= 0 with |missing| >= 3/4 2^-j; none where j is above `finest`.
    """
    total = np.zeros_like(missing)
    for _ in range(most):
        left = missing - total
        mantissa, exponent = np.frexp(np.abs(left))  # |left| = mantissa 2^exponent, 1/2 <= mantissa < 1
        height = np.ldexp(1.0, np.minimum(exponent - (mantissa < 0.75), 0))
        total += np.where(np.abs(left) >= 0.75 * 2.0**-finest, np.copysign(height, left), 0)
    return total


def spread(values, shape):
    """A parameter per channel, as one per element of `shape`."""
    return np.broadcast_to(values, shape).ravel().astype(np.float64)


def value(label, size):
    """A value of the model that is the sum of what is connected to it."""
    return nengo.Node(size_in=size, label=label)


def neurons(label, current, neuron_type):
    """Neurons driven by a current as it is: gain 1, bias 0."""
    n = current.size_out
    ensemble = nengo.Ensemble(
        n, 1, neuron_type=neuron_type, gain=np.ones(n), bias=np.zeros(n), encoders=np.ones((n, 1)), label=label
    )
    nengo.Connection(current, ensemble.neurons, synapse=None)
    return ensemble.neurons


def driven_by(label, x, synapse, factors=1.0):
    """What neurons drive: their output through a synapse, times a factor for each."""
    y = value(label, x.size_out)
    nengo.Connection(x, y, transform=factors, synapse=synapse)
    return y


def scaled(label, x, factors):
    """x times a factor for each element."""
    return driven_by(label, x, None, factors)


def connect(x, y, transform=None):
    """Adds transform(x) to y, without delay."""
    return nengo.Connection(x, y, synapse=None, **({} if transform is None else {"transform": transform}))


def add_constant(y, values, shape):
    """Adds numbers, one for each channel or element of `shape`, to y; they are the returned connection's weights."""
    one = nengo.Node([1.0], label=f"{y.label}_one")
    index = np.broadcast_to(np.arange(values.size).reshape(values.shape), shape).ravel()
    if np.array_equal(index, np.arange(values.size)):
        return connect(one, y, values.reshape(-1, 1))
    channels = value(f"{y.label}_channels", values.size)
    connection = connect(one, channels, values.reshape(-1, 1))
    rows = np.column_stack([np.arange(len(index)), index])
    connect(channels, y, nengo.Sparse((len(index), values.size), indices=rows, init=np.ones(len(index))))
    return connection


def move(x, y, index):
    """Adds x[index[i]] to y[i]; nothing where index[i] is -1."""
    target = np.flatnonzero(index >= 0)
    rows = np.column_stack([target, index[target]])
    connect(x, y, nengo.Sparse((len(index), x.size_out), indices=rows, init=np.ones(len(target))))


def windows(shape, kernel, strides, pads, dilations, output):
    """For each output of a pooling over [channels, ...] the indices of its inputs, -1 in the padding: [outputs, window]."""
    channels, *lengths = shape
    axes = lengths, kernel, strides, pads, dilations, output[1:]
    positions = np.zeros((1, 1), int)
    inside = np.ones((1, 1), bool)
    for length, k, stride, pad, dilation, out in zip(*axes, strict=True):
        axis = np.arange(out)[:, None] * stride - pad + np.arange(k)[None] * dilation
        valid = (axis >= 0) & (axis < length)
        positions = (positions[:, None, :, None] * length + axis[None, :, None, :]).reshape(len(positions) * out, -1)
        inside = (inside[:, None, :, None] & valid[None, :, None, :]).reshape(len(inside) * out, -1)
    size = int(np.prod(lengths))
    every = np.arange(channels)[:, None, None] * size + positions[None]
    return np.where(inside[None], every, -1).reshape(channels * len(positions), -1)


def average(x, y, index, divisors):
    """Adds the sum of x over each window, divided, to y; see `windows`."""
    rows, columns = np.nonzero(index >= 0)
    entries = np.column_stack([rows, index[rows, columns]])
    weights = 1 / np.asarray(divisors, float)[rows]
    connect(x, y, nengo.Sparse((len(index), x.size_out), indices=entries, init=weights))


def apply(label, function, sources, size):
    """A function of one value, or of several of the same size."""
    y = nengo.Node(
        lambda t, x: function(*np.split(x, len(sources))),
        size_in=sum(x.size_out for x in sources),
        size_out=size,
        label=label,
    )
    start = 0
    for x in sources:
        connect(x, y[start : start + x.size_out])
        start += x.size_out
    return y
