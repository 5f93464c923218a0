"""The main job: a trained model becomes a spiking one."""

from __future__ import annotations

from converter.conversion.main import convert
from converter.conversion.result import Conversion, Layer
from converter.options import Options

__all__ = ["Conversion", "Layer", "Options", "convert"]
