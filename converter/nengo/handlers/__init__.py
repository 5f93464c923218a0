"""What each operator is in Nengo: a function ``handler(node, script)`` that adds statements to the script."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from converter.nengo.handlers import arithmetic, convolution, dense, elementwise, movement, neurons, pooling, time
from converter.nengo.script import Script
from converter.nengo.windows import WINDOW_DOMAIN, WINDOW_MEAN
from snn_ops.format import DOMAIN

Handler = Callable[[ir.Node, Script], None]

_STANDARD: dict[str, Handler] = {
    "Conv": convolution.conv,
    "ConvTranspose": convolution.conv_transpose,
    "Gemm": dense.gemm,
    "MatMul": dense.matmul,
    "Add": arithmetic.add,
    "Sub": arithmetic.sub,
    "Sum": arithmetic.add,
    "Neg": arithmetic.neg,
    "Mul": arithmetic.mul,
    "Div": arithmetic.div,
    "BatchNormalization": arithmetic.batch_normalization,
    "AveragePool": pooling.average_pool,
    "GlobalAveragePool": pooling.global_average_pool,
    "ReduceMean": pooling.reduce_mean,
    "MaxPool": pooling.max_pool,
    "GlobalMaxPool": pooling.global_max_pool,
    **dict.fromkeys(("Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"), movement.alias),
    **dict.fromkeys(
        ("Concat", "DepthToSpace", "Expand", "Gather", "Pad", "Slice", "SpaceToDepth", "Split", "Tile", "Transpose"),
        movement.move,
    ),
    **dict.fromkeys(elementwise.FUNCTIONS, elementwise.function),
}
_OURS: dict[str, Handler] = {
    "IF": neurons.integrate_and_fire,
    "BoundedIF": neurons.bounded_if,
    "LIF": neurons.lif,
    "AdaptiveLIF": neurons.adaptive_lif,
    "Izhikevich": neurons.izhikevich,
    "LIFRate": neurons.lif_rate,
    "SoftLIFRate": neurons.soft_lif_rate,
    "RegularSpiking": neurons.spikes_from_rate,
    "PoissonSpiking": neurons.spikes_from_rate,
    "StochasticSpiking": neurons.spikes_from_rate,
    "SigmaDelta": neurons.sigma_delta,
    "MultiThreshold": neurons.multi_threshold,
    "MultiThresholdSum": neurons.multi_threshold_sum,
    "RunningMean": time.running,
    "LeakyMean": time.leaky_mean,
    "RunningDifference": time.running,
    "TimeMean": time.time_mean,
    "TimeLast": movement.alias,
    "TimeRepeat": movement.alias,
    "Lowpass": time.synapse,
    "Alpha": time.synapse,
}
HANDLERS: dict[tuple[str, str], Handler] = {("", name): handler for name, handler in _STANDARD.items()} | {
    **{(DOMAIN, name): handler for name, handler in _OURS.items()},
    (WINDOW_DOMAIN, WINDOW_MEAN): time.window_mean,
}
"""By domain and op_type."""

__all__ = ["HANDLERS", "Handler"]
