"""The compiled neuron that an operator is: its structs in kernels/neurons.h, their constants, CUDA source for NVRTC."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snn_ops.ops._signature import Attributes

INCLUDE = Path(__file__).parents[1] / "kernels"
"""Where the headers are."""
HEADERS = ("neurons.h", "temporal.h", "cuda/walk_neuron.h")
"""What NVRTC compiles; the wheel ships them."""
COMPILER_OPTIONS = ("--std=c++17", "-fmad=false", f"-I{INCLUDE}")
"""For NVRTC. As in cmake/CudaKernels.cmake, no product is contracted with a sum."""
ENTRY = "onnx_snn_walk"
THREADS = 256

Constant = tuple[str, float | int]
"""A member of a C++ struct: its type ("S", "double" or "long long"; S is the arithmetic type) and its number."""
Constants = Callable[[Attributes, np.dtype], Sequence[Constant]]
"""``constants(attributes, type of the currents)``, in the order of the struct."""


@dataclass(frozen=True)
class Kernel:
    """The neuron of kernels/neurons.h that an operator is.

    Attributes:
        variants: the structs by the names of kernels/generated/variants.h. Each is compiled by itself, so that a loop over
            neurons holds no branch on an attribute.
        variant: ``variant(attributes, type of the currents)``: the name of the one that gives all states.
        constants: the numbers of the struct's ``Constants<S>``.
    """

    variants: Mapping[str, str]
    variant: Callable[[Attributes, np.dtype], str]
    constants: Constants

    def source(self, attributes: Attributes, element: np.dtype) -> str:
        """What is compiled for a GPU, for all attributes of the operator and currents of this type."""
        neuron = self.variants[self.variant(attributes, element)]
        number = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}[element]
        return f"""// {_digest(INCLUDE)}
#include "cuda/walk_neuron.h"
using namespace onnx_snn;
extern "C" __global__ void {ENTRY}(const TemporalCall* call, const {neuron}::Constants<{number}>* constants) {{
  const int64_t neuron = int64_t(blockIdx.x) * {THREADS} + threadIdx.x;
  if (neuron < call->n_neurons) walk_neurons<{neuron}, {number}, 1>(*call, *constants, neuron);
}}
"""

    def packed(self, attributes: Attributes, element: np.dtype) -> np.ndarray:
        """The constants as the bytes of the struct."""
        constants = self.constants(attributes, element)
        types = {"S": element, "double": np.dtype(np.float64), "long long": np.dtype(np.int64)}
        fields = [(f"_{index}", types[kind]) for index, (kind, _) in enumerate(constants)]
        struct = np.zeros((), np.dtype(fields or [("_", np.dtype(np.uint8))], align=True))
        for name, (_, value) in zip(struct.dtype.names or (), constants, strict=False):
            struct[name] = value
        return struct.reshape(1).view(np.uint8)


def as_they_stand(*names: str) -> Constants:
    """Constants that are these attributes."""
    return lambda attributes, element: [("S", attributes[name]) for name in names]


def only(neuron: str, constants: Constants | None = None) -> Kernel:
    """A neuron without variants, called as its struct; by default without constants."""
    return Kernel({neuron: neuron}, lambda attributes, element: neuron, constants or as_they_stand())


@functools.cache
def _digest(folder: Path) -> str:
    """Of the headers. CuPy keeps compiled kernels on disk by their source alone: without it, it would go on using those of an
    older release."""
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in HEADERS)).hexdigest()
