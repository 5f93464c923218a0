"""Everything from a trained network to a spiking one, and out again.

>>> import converter
>>> converter.convert("model.onnx", calibration=x).save("model.snn.onnx")
"""

from __future__ import annotations

from converter.conversion.main import convert
from converter.conversion.result import Conversion
from converter.errors import RefusedError
from converter.measure.evaluation import Evaluation, evaluate
from converter.normalise.ann import Ann, load_ann
from converter.options import Options
from converter.spiking.model import SpikingModel

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
