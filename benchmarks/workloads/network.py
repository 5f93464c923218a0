"""A spiking network, described once for every system: layers, weights as arrays, one neuron equation. Needs numpy only.

All thresholds are 1 and every spike is 1: the thresholds are folded into the weights here, once, so that no system rounds a
scale of its own. Time is a constant input for n_steps steps; the answer is the mean over time of the last layer.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np


class Equation(Enum):
    """What a neuron computes in one step from its current J; v is 0 at the start. Only systems of the same one are compared.

    No voltage ever equals the threshold (see `catalogue`), so a system may have "above" in the place of "at least".
    """

    IF = "if"
    """v = v + J; spike = 1 if v >= 1 else 0; v = v - spike. J may be negative. (SpikingJelly, snnTorch, Norse, Sinabs, Spyx)"""
    NENGO_IF = "nengo-if"
    """v = v + max(J, 0) dt, dt = 1; spikes = floor(v); v = v - spikes. (nengo.SpikingRectifiedLinear)"""
    NENGO_LIF = "nengo-lif"
    """nengo.LIF with tau_rc = 20 steps, tau_ref = 2 steps, dt = 1, amplitude 1: exact decay, spike times within a step."""
    OWN = "own"
    """An operator of ONNX-SNN that others do not have: a layer of kind "operator"."""


@dataclass(frozen=True)
class Layer:
    """One layer. Images are [B, C, H, W] here; a system that wants another layout moves the axes itself.

    kind and what it takes (weights by name in `Network.arrays`, as NAME.weights and NAME.bias):
        conv            weights [out, in, kh, kw], bias [out]; stride, pads (top, left, bottom, right)
        conv_transpose  weights [in, out, kh, kw], bias [out]; stride, pads, output_padding
        dense           weights [out, in], bias [out]
        average_pool    size, without overlap
        flatten         [B, C, H, W] -> [B, C H W], channels first
        add             the sum of its inputs
        neuron          the network's equation
        operator        `operator` of ONNX-SNN with `attributes`
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    """Names of earlier layers; "input" is the network's."""
    stride: int = 1
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    output_padding: int = 0
    size: int = 0
    operator: str = ""
    attributes: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Network:
    """A workload with its equation."""

    name: str
    equation: Equation
    input_shape: tuple[int, ...]
    """Without the batch."""
    layers: tuple[Layer, ...]
    arrays: dict[str, np.ndarray] = field(repr=False)

    @property
    def neurons(self) -> tuple[str, ...]:
        """The names of the spiking layers, in order."""
        return tuple(layer.name for layer in self.layers if layer.kind == "neuron")

    def weights(self, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
        """Weights and bias."""
        return self.arrays[f"{layer.name}.weights"], self.arrays[f"{layer.name}.bias"]

    def save(self, path: Path) -> None:
        """As .npz: what a system's process gets."""
        about: dict[str, Any] = {
            "name": self.name,
            "equation": self.equation.value,
            "input_shape": self.input_shape,
            "layers": [asdict(layer) for layer in self.layers],
        }
        np.savez(path, about=np.asarray(json.dumps(about)), **self.arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Network:
        """What `save` wrote."""
        with np.load(path) as content:
            about = json.loads(str(content["about"]))
            arrays = {name: content[name] for name in content.files if name != "about"}
        layers = tuple(Layer(**{key: _tuples(value) for key, value in layer.items()}) for layer in about["layers"])
        return cls(about["name"], Equation(about["equation"]), tuple(about["input_shape"]), layers, arrays)


def _tuples(value: Any) -> Any:
    """Lists, of JSON, as tuples."""
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
