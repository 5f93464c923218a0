"""Everything from a trained network to a spiking one, and out again.

>>> import converter
>>> converter.convert("model.onnx", calibration=x).save("model.snn.onnx")

Each name is imported when it is first used, so that `onnx-snn` starts quickly and can say which package is missing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.bench.main import Benchmark, benchmark
    from converter.conversion.check import Check, check
    from converter.conversion.main import convert
    from converter.conversion.result import Conversion
    from converter.errors import RefusedError
    from converter.measure.evaluation import Evaluation, evaluate
    from converter.normalise.ann import Ann, load_ann
    from converter.options import Options
    from converter.report.figures import plot_accuracy, plot_energy, plot_raster, plot_rates, plot_voltage
    from converter.spiking.model import SpikingModel

__all__ = [
    "Ann",
    "Benchmark",
    "Check",
    "Conversion",
    "Evaluation",
    "Options",
    "RefusedError",
    "SpikingModel",
    "benchmark",
    "check",
    "convert",
    "evaluate",
    "load_ann",
    "plot_accuracy",
    "plot_energy",
    "plot_raster",
    "plot_rates",
    "plot_voltage",
]

_MODULES = {
    "Ann": "normalise.ann",
    "Benchmark": "bench.main",
    "Check": "conversion.check",
    "Conversion": "conversion.result",
    "Evaluation": "measure.evaluation",
    "Options": "options",
    "RefusedError": "errors",
    "SpikingModel": "spiking.model",
    "benchmark": "bench.main",
    "check": "conversion.check",
    "convert": "conversion.main",
    "evaluate": "measure.evaluation",
    "load_ann": "normalise.ann",
    **dict.fromkeys(("plot_accuracy", "plot_energy", "plot_raster", "plot_rates", "plot_voltage"), "report.figures"),
}


def __getattr__(name: str) -> Any:
    """The public names, when they are first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"converter.{_MODULES[name]}"), name)
    return value


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext converter``: results show themselves in the notebook."""
    importlib.import_module("converter.report.notebook").register(shell)


def _show_in_notebooks() -> None:
    """The same where this package is imported in a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is not None:
        load_ipython_extension(shell)


_show_in_notebooks()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
