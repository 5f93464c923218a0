"""The operators of ONNX-SNN and running them: all that a deployment needs.

>>> import onnxruntime, snn_ops
>>> options = snn_ops.register(onnxruntime.SessionOptions())
>>> session = onnxruntime.InferenceSession("model.snn.onnx", options)

or, with steps and batches taken care of, ``snn_ops.Session("model.snn.onnx").run(x)``. Without a model, each operator is a
function on arrays, ``snn_ops.lif(current, n_steps=100).spikes``, and in NumPy ``snn_ops.reference.lif``.

It needs NumPy and ONNX Runtime. `OPERATORS`, the operators' definitions, is imported when it is first used; it needs onnx, and
so do the functions when they are called.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

try:
    import onnxruntime as _onnxruntime  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "onnxruntime":
        raise
    message = "snn_ops needs ONNX Runtime: pip install 'onnx-snn[cpu]', or 'onnx-snn[gpu]' for an NVIDIA GPU"
    raise ModuleNotFoundError(message, name=error.name) from None

from snn_ops import functions, reference
from snn_ops.format import DOMAIN, OPSET_VERSION, FormatError
from snn_ops.functions import *  # noqa: F403
from snn_ops.library import LibraryNotFoundError, cpu_isa, library_path, register
from snn_ops.recording import Recording, RecordingError
from snn_ops.session import Session
from snn_ops.stream import Stream

if TYPE_CHECKING:
    from snn_ops.ops import OPERATORS

    __version__: str

__all__ = [
    "DOMAIN",
    "OPERATORS",
    "OPSET_VERSION",
    "FormatError",
    "LibraryNotFoundError",
    "Recording",
    "RecordingError",
    "Session",
    "Stream",
    "__version__",
    "cpu_isa",
    "library_path",
    "reference",
    "register",
]
__all__ += functions.__all__


def __getattr__(name: str) -> Any:
    """What takes long to import, or needs onnx, when it is first used."""
    if name == "OPERATORS":
        from snn_ops.ops import OPERATORS  # noqa: PLC0415

        return OPERATORS
    if name == "__version__":
        return _version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _version() -> str:
    from importlib import metadata  # noqa: PLC0415

    try:
        return metadata.version("onnx-snn")
    except metadata.PackageNotFoundError:  # imported from a checkout that was not installed
        return "0"
