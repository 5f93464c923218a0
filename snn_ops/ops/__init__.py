"""The operator set: one file per operator. ``OPERATORS`` maps op_type to `Operator`.

Importing this package registers the schemas with ``onnx.defs``, so that ``onnx.checker`` and ``onnx.shape_inference`` know
the domain.
"""

from __future__ import annotations

import onnx.defs

from snn_ops.ops import if_, lif, running_difference, running_mean, sigma_delta, time_mean, time_repeat
from snn_ops.ops._operator import DOMAIN, LOWEST_ONNX_OPSET, OPSET_VERSION, Attribute, Operator, Tensor, decimal

__all__ = [
    "DOMAIN",
    "LOWEST_ONNX_OPSET",
    "OPERATORS",
    "OPSET_VERSION",
    "Attribute",
    "Operator",
    "Tensor",
    "decimal",
]

_MODULES = (if_, lif, sigma_delta, running_mean, running_difference, time_repeat, time_mean)

OPERATORS: dict[str, Operator] = {module.OPERATOR.name: module.OPERATOR for module in _MODULES}


def _register_schemas() -> None:
    for operator in OPERATORS.values():
        if not onnx.defs.has(operator.name, DOMAIN):
            onnx.defs.register_schema(operator.schema())


_register_schemas()
