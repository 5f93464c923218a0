"""The workloads by name, and their weights. Needs numpy only.

All numbers lie on a grid on which float32 sums are exact in whatever order: weights are multiples of 2^-8 below 2 (9 bits, of
which TF32 loses none), inputs multiples of 2^-4. `TIE` is added to every current, so that no voltage ever equals a threshold,
and "above" is the same as "at least". So two systems that compute `Equation.IF` or `Equation.NENGO_IF` agree to the last spike,
and a difference is never rounding. `Equation.NENGO_LIF` has exponentials, which libraries round differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.workloads.network import Equation, Layer, Network

FOLDER = Path(__file__).parent / "weights"
WEIGHT_GRID, MOST_WEIGHT, INPUT_GRID = 2.0**-8, 2.0 - 2.0**-8, 2.0**-4
TIE = 2.0**-20
"""Added to biases: in up to 127 steps it does not add up to a step of the grid of voltages, 2^-12."""
COUNTING = (Equation.IF, Equation.NENGO_IF)


def on_grid(weights: np.ndarray) -> np.ndarray:
    """The nearest weights on the grid."""
    rounded = np.round(weights / WEIGHT_GRID) * WEIGHT_GRID
    return np.clip(rounded, -MOST_WEIGHT, MOST_WEIGHT).astype(np.float32)


def inputs_on_grid(x: np.ndarray) -> np.ndarray:
    """The nearest inputs on the grid, of numbers from 0 to 1."""
    return (np.round(x / INPUT_GRID) * INPUT_GRID).astype(np.float32)


@dataclass(frozen=True)
class Workload:
    """A network, its equations and its data."""

    name: str
    summary: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    shapes: dict[str, tuple[int, ...]] = field(repr=False)
    """Of the weights, by layer."""
    equations: tuple[Equation, ...] = COUNTING
    trained: bool = True
    """Weights as `benchmarks.workloads.train` left them in the repository; else random ones, the same everywhere."""
    data: str = "random"
    """mnist: images that the project embeds. random: smooth random fields."""
    stream: bool = False
    """One step a call, its state carried from call to call."""
    sequence: bool = False
    """Neurons alone, with other inputs at each step."""

    @property
    def kind(self) -> str:
        """network, stream or sequence."""
        return "stream" if self.stream else "sequence" if self.sequence else "network"

    def network(self, equation: Equation) -> Network:
        """With weights.

        Raises:
            ValueError: the workload has no such equation.
            FileNotFoundError: it is one of the trained ones, and their file is missing.
        """
        if equation not in self.equations:
            raise ValueError(f"{self.name} has no equation {equation.value}")
        arrays = self.trained_weights() if self.trained else self.random_weights(equation)
        for name in arrays:
            if name.endswith(".bias"):
                arrays[name] = arrays[name] + np.float32(TIE)
        return Network(self.name, equation, self.input_shape, self.layers, arrays)

    def trained_weights(self) -> dict[str, np.ndarray]:
        """As the repository has them: float16, which holds numbers on the grid exactly."""
        with np.load(FOLDER / f"{weights_file(self.name)}.npz") as content:
            return {name: content[name].astype(np.float32) for name in content.files}

    def random_weights(self, equation: Equation = Equation.IF) -> dict[str, np.ndarray]:
        """Of a size that lets some per cent of the neurons fire at each step."""
        rng = np.random.default_rng(0)
        arrays = {}
        for index, (name, shape) in enumerate(self.shapes.items()):
            scale = _gain(index, equation) / np.sqrt(np.prod(shape[1:]))
            arrays[f"{name}.weights"] = on_grid(scale * rng.standard_normal(shape, np.float32))
            arrays[f"{name}.bias"] = np.zeros(shape[0], np.float32)
        return arrays

    def inputs(self, count: int, n_steps: int = 1) -> np.ndarray:
        """[count, ...], on the grid; of a sequence [n_steps, count, ...]."""
        if self.sequence:
            currents = np.random.default_rng(0).random((n_steps, count, *self.input_shape), np.float32)
            return 3 * inputs_on_grid(currents) + np.float32(TIE)
        if self.data == "mnist":
            return inputs_on_grid(_mnist(count))
        return inputs_on_grid(_random_fields(count, self.input_shape))


def _gain(index: int, equation: Equation) -> float:
    """Of the weights of a random layer: inputs are dense numbers about 1/2, spikes are sparse, and a LIF neuron fires above a
    current of 1 only."""
    if equation is Equation.NENGO_LIF:
        return 4.0
    return 0.5 if index == 0 else 1.5


def _mnist(count: int) -> np.ndarray:
    path = Path(__file__).parents[2] / "converter" / "demo" / "data" / "mnist_test.npz"
    with np.load(path) as content:
        x = content["x"].astype(np.float32) / 255
    return x.reshape(-1, 1, 28, 28)[np.arange(count) % len(x)]


def _random_fields(count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from 0 to 1; images are smooth."""
    rng = np.random.default_rng(1)
    if len(shape) == 1:
        return rng.random((count, *shape), np.float32)
    channels, height, width = shape
    coarse = rng.random((count, channels, -(-height // 4), -(-width // 4)), np.float32)
    return np.kron(coarse, np.ones((1, 1, 4, 4), np.float32))[:, :, :height, :width]


def weights_file(name: str) -> str:
    """Whose weights a workload takes."""
    return {"stream": "mlp"}.get(name, name)


class _Stack:
    """Layers one after another, with the shapes of their weights."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.layers: list[Layer] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.input_shape, self.shape, self.last = input_shape, input_shape, "input"

    def add(self, name: str, kind: str, inputs: tuple[str, ...] = (), **settings: object) -> str:
        self.layers.append(Layer(name, kind, inputs or (self.last,), **settings))  # type: ignore[arg-type]
        self.last = name
        return name

    def conv(
        self,
        name: str,
        filters: int,
        size: int,
        stride: int = 1,
        *,
        same: bool = False,
        spikes: bool = True,
        of: str = "",
    ) -> str:
        """A convolution and its neurons; `same`: as many outputs as inputs / stride, zeros after rather than before them."""
        channels, height, width = self.shape
        pads = _same_pads(height, size, stride) if same else (0, 0, 0, 0)
        self.add(name, "conv", (of,) if of else (), stride=stride, pads=pads)
        self.shapes[name] = (filters, channels, size, size)
        self.shape = (filters, *((n + pads[0] + pads[2] - size) // stride + 1 for n in (height, width)))
        return self.neurons(name) if spikes else name

    def conv_transpose(self, name: str, filters: int) -> None:
        """3x3, twice as many outputs, and its neurons."""
        channels, height, width = self.shape
        self.add(name, "conv_transpose", stride=2, pads=(0, 0, 1, 1))
        self.shapes[name] = (channels, filters, 3, 3)
        self.shape = (filters, 2 * height, 2 * width)
        self.neurons(name)

    def dense(self, name: str, size: int, *, spikes: bool = True) -> None:
        if len(self.shape) > 1:
            self.flatten()
        self.add(name, "dense")
        self.shapes[name] = (size, *self.shape)
        self.shape = (size,)
        if spikes:
            self.neurons(name)

    def flatten(self) -> None:
        self.add(f"{self.last}_flat", "flatten")
        self.shape = (int(np.prod(self.shape)),)

    def pool(self, size: int = 2) -> None:
        self.add(f"{self.last}_pool", "average_pool", size=size)
        self.shape = (self.shape[0], *(n // size for n in self.shape[1:]))

    def neurons(self, name: str) -> str:
        return self.add(f"{name}_neurons", "neuron")


def _same_pads(length: int, size: int, stride: int) -> tuple[int, int, int, int]:
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total // 2, total - total // 2, total - total // 2


def _workload(name: str, summary: str, stack: _Stack, **settings: object) -> Workload:
    return Workload(name, summary, stack.input_shape, tuple(stack.layers), stack.shapes, **settings)  # type: ignore[arg-type]


def lenet(name: str) -> Workload:
    """LeNet-1, LeNet-4 and LeNet-5 of Y. LeCun et al. (1998), with average pooling, as both papers have them."""
    filters, dense, same = {
        "lenet-1": ((4, 12), (), False),
        "lenet-4": ((4, 16), (120,), True),
        "lenet-5": ((6, 16), (120, 84), True),
    }[name]
    stack = _Stack((1, 28, 28))
    stack.conv("conv1", filters[0], 5, same=same)
    stack.pool()
    stack.conv("conv2", filters[1], 5)
    stack.pool()
    for index, size in enumerate(dense, 1):
        stack.dense(f"dense{index}", size)
    stack.dense("scores", 10, spikes=False)
    return _workload(name, f"{name.replace('lenet', 'LeNet')}, average pooling, MNIST", stack, data="mnist")


def mlp() -> Workload:
    """Paper 2: dense 32, 64, 128, 10."""
    stack = _Stack((1, 28, 28))
    for index, size in enumerate((32, 64, 128), 1):
        stack.dense(f"dense{index}", size)
    stack.dense("scores", 10, spikes=False)
    return _workload("mlp", "dense 784-32-64-128-10, MNIST", stack, data="mnist")


def stream() -> Workload:
    """The MLP, one sample, one step a call."""
    base = mlp()
    summary = "the MLP, 1 sample, 1 step a call, its state carried from call to call"
    return Workload("stream", summary, base.input_shape, base.layers, base.shapes, data="mnist", stream=True)


def cnn() -> Workload:
    """Paper 2: 3x3 convolutions with 32, 64, 128 filters and strides 1, 2, 2, no padding; dense 10."""
    stack = _Stack((1, 28, 28))
    for index, (filters, stride) in enumerate(((32, 1), (64, 2), (128, 2)), 1):
        stack.conv(f"conv{index}", filters, 3, stride)
    stack.dense("scores", 10, spikes=False)
    return _workload("cnn", "3x3 convolutions 32, 64, 128, strides 1, 2, 2, dense 10, MNIST", stack, data="mnist")


def autoencoder() -> Workload:
    """Paper 2: convolutions 64, 32 and transposed convolutions 32, 64 with stride 2, convolution 1 (its sigmoid left out)."""
    stack = _Stack((1, 28, 28))
    for index, filters in enumerate((64, 32), 1):
        stack.conv(f"conv{index}", filters, 3, 2, same=True)
    for index, filters in enumerate((32, 64), 1):
        stack.conv_transpose(f"transposed{index}", filters)
    stack.conv("image", 1, 3, same=True, spikes=False)
    return _workload("autoencoder", "convolutions 64, 32, transposed 32, 64, convolution 1, MNIST", stack, data="mnist")


def resnet8() -> Workload:
    """ResNet-8 of MLPerf Tiny: 3x3 convolutions of 16, 32, 64 filters in three blocks, for CIFAR-10."""
    stack = _Stack((3, 32, 32))
    before = stack.conv("conv1", 16, 3, same=True)
    for block, filters in enumerate((16, 32, 64), 1):
        stride, shape = (1, stack.shape) if block == 1 else (2, stack.shape)
        stack.conv(f"block{block}a", filters, 3, stride, same=True)
        main = stack.conv(f"block{block}b", filters, 3, same=True, spikes=False)
        after, shortcut = stack.shape, before
        if block > 1:
            stack.shape = shape
            shortcut = stack.conv(f"block{block}s", filters, 1, stride, same=True, spikes=False, of=before)
        stack.shape = after
        stack.add(f"block{block}", "add", (main, shortcut))
        before = stack.neurons(f"block{block}")
    stack.pool(8)
    stack.dense("scores", 10, spikes=False)
    return _workload("resnet-8", "ResNet-8 (MLPerf Tiny), CIFAR-10's shape", stack)


def vgg11() -> Workload:
    """VGG-11 for 32x32 images with average pooling: 9.2 million random weights."""
    stack = _Stack((3, 32, 32))
    index = 0
    for filters in (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"):
        if isinstance(filters, str):
            stack.pool()
        else:
            index += 1
            stack.conv(f"conv{index}", filters, 3, same=True)
    stack.dense("scores", 10, spikes=False)
    return _workload(
        "vgg-11", "VGG-11, average pooling, 32x32, random weights", stack, trained=False, equations=(Equation.IF,)
    )


def layer(name: str, size: int) -> Workload:
    """Dense n -> n with neurons, as the Open Neuromorphic benchmark has it; forward only, random weights."""
    stack = _Stack((size,))
    stack.dense("dense", size)
    summary = f"dense {size} -> {size} and neurons, random weights"
    return _workload(name, summary, stack, trained=False, equations=(*COUNTING, Equation.NENGO_LIF))


NEURONS = 1_000_000
"""Of an operator: more than a cache holds."""
OPERATORS: dict[str, tuple[Equation, str, dict[str, float]]] = {
    "operator-if": (Equation.IF, "IF", {}),
    "operator-nengo-if": (Equation.NENGO_IF, "IF", {"max_spikes": 0}),
    "operator-lif": (Equation.NENGO_LIF, "LIF", {}),
    "operator-if-bursts": (Equation.OWN, "IF", {"max_spikes": 4}),
    "operator-if-signed": (Equation.OWN, "IF", {"signed": 1}),
    "operator-sigma-delta": (Equation.OWN, "SigmaDelta", {}),
    "operator-running-mean": (Equation.OWN, "RunningMean", {}),
    "operator-running-difference": (Equation.OWN, "RunningDifference", {}),
}
"""Operators by workload."""


def operator(name: str) -> Workload:
    """A million neurons alone, their currents different at each step, their spikes at each step the result."""
    equation, op_type, attributes = OPERATORS[name]
    kind = "operator" if equation is Equation.OWN else "neuron"
    layer = Layer("neurons", kind, ("input",), operator=op_type, attributes=tuple(attributes.items()))
    named = ", ".join(f"{key} {value}" for key, value in attributes.items())
    summary = f"a million neurons alone: {op_type}{f' with {named}' if named else ''}"
    return Workload(name, summary, (NEURONS,), (layer,), {}, equations=(equation,), trained=False, sequence=True)


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "lenet-1": lambda: lenet("lenet-1"),
    "lenet-4": lambda: lenet("lenet-4"),
    "lenet-5": lambda: lenet("lenet-5"),
    "mlp": mlp,
    "cnn": cnn,
    "autoencoder": autoencoder,
    "resnet-8": resnet8,
    "vgg-11": vgg11,
    "layer-1k": lambda: layer("layer-1k", 1024),
    "layer-4k": lambda: layer("layer-4k", 4096),
    "layer-16k": lambda: layer("layer-16k", 16384),
    "stream": stream,
    **{name: partial(operator, name) for name in OPERATORS},
}
