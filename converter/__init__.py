"""Everything from a trained network to a spiking one, and out again.

>>> import converter
>>> converter.convert("model.onnx", calibration=x).save("model.snn.onnx")
"""

from __future__ import annotations

from converter.conversion import Conversion, Options, convert
from converter.errors import RefusedError
from converter.evaluation import Evaluation, SpikingModel, evaluate
from converter.model import Ann, load_ann

__all__ = [
    "Ann",
    "Conversion",
    "Evaluation",
    "Options",
    "RefusedError",
    "SpikingModel",
    "convert",
    "evaluate",
    "load_ann",
]
