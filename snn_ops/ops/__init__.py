"""The operator set: one file per operator, which declares it. ``OPERATORS`` maps op_type to `Operator`.

Importing this package registers the schemas with ``onnx.defs``, so that ``onnx.checker`` and ``onnx.shape_inference`` know
the domain.
"""

from __future__ import annotations

import importlib

import onnx.defs

from snn_ops.format import DOMAIN
from snn_ops.ops._kernel import COMPILER_OPTIONS, ENTRY, INCLUDE, THREADS, Kernel
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import (
    SMALLEST,
    STEP_OUT,
    Attribute,
    Attributes,
    Height,
    Kind,
    Parameter,
    Range,
    State,
    Tensor,
    Time,
    Unit,
    arithmetic,
    decimal,
)

__all__ = [
    "OPERATORS",
    "Operator",
    "Tensor",
    "Kind",
    "Parameter",
    "State",
    "Attribute",
    "Attributes",
    "Range",
    "Time",
    "Height",
    "Unit",
    "arithmetic",
    "decimal",
    "Kernel",
    "SMALLEST",
    "STEP_OUT",
    "COMPILER_OPTIONS",
    "ENTRY",
    "INCLUDE",
    "THREADS",
]

_FILES = (
    "if_",
    "bounded_if",
    "count_if",
    "few_spike",
    "few_spike_mean",
    "lif",
    "adaptive_lif",
    "izhikevich",
    "lif_rate",
    "soft_lif_rate",
    "regular_spiking",
    "stochastic_spiking",
    "poisson_spiking",
    "sigma_delta",
    "multi_threshold",
    "multi_threshold_sum",
    "lowpass",
    "alpha",
    "running_mean",
    "leaky_mean",
    "running_difference",
    "time_repeat",
    "time_mean",
    "time_last",
)
"""The operators, in the order of docs/operators.md: each declares its `Operator` in a file of this folder."""


def _declared(file: str) -> Operator:
    operator: Operator = importlib.import_module(f"{__name__}.{file}").OPERATOR
    return operator


OPERATORS: dict[str, Operator] = {operator.name: operator for operator in map(_declared, _FILES)}


def _register_schemas() -> None:
    for operator in OPERATORS.values():
        if not onnx.defs.has(operator.name, DOMAIN):
            for version in operator.versions:
                onnx.defs.register_schema(version.schema())


_register_schemas()
