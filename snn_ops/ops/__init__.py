"""The operator set: one file per operator. ``OPERATORS`` maps op_type to `Operator`.

Importing this package registers the schemas with ``onnx.defs``, so that ``onnx.checker`` and ``onnx.shape_inference`` know
the domain.
"""

from __future__ import annotations

import onnx.defs

from snn_ops.format import DOMAIN
from snn_ops.ops import (
    adaptive_lif,
    alpha,
    count_if,
    few_spike,
    if_,
    izhikevich,
    lif,
    lif_rate,
    lowpass,
    poisson_spiking,
    regular_spiking,
    running_difference,
    running_mean,
    sigma_delta,
    soft_lif_rate,
    stochastic_spiking,
    time_mean,
    time_repeat,
)
from snn_ops.ops._operator import (
    Attribute,
    Operator,
    Tensor,
    decimal,
)

__all__ = [
    "OPERATORS",
    "Attribute",
    "Operator",
    "Tensor",
    "decimal",
]

_MODULES = (
    if_,
    count_if,
    few_spike,
    lif,
    adaptive_lif,
    izhikevich,
    lif_rate,
    soft_lif_rate,
    regular_spiking,
    stochastic_spiking,
    poisson_spiking,
    sigma_delta,
    lowpass,
    alpha,
    running_mean,
    running_difference,
    time_repeat,
    time_mean,
)

OPERATORS: dict[str, Operator] = {module.OPERATOR.name: module.OPERATOR for module in _MODULES}


def _register_schemas() -> None:
    for operator in OPERATORS.values():
        if not onnx.defs.has(operator.name, DOMAIN):
            onnx.defs.register_schema(operator.schema())


_register_schemas()
