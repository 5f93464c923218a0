"""The operators of ONNX-SNN and running them: all that a deployment needs.

>>> import onnxruntime, snn_ops
>>> options = snn_ops.register(onnxruntime.SessionOptions())
>>> session = onnxruntime.InferenceSession("model.snn.onnx", options)

or, with steps and batches taken care of, ``snn_ops.Session("model.snn.onnx").run(x)``. Without a model, each operator is a
function on arrays, ``snn_ops.lif(current, n_steps=100).spikes``, and in NumPy ``snn_ops.reference.lif``.
"""

from __future__ import annotations

from importlib import metadata

from snn_ops import functions, reference
from snn_ops.format import DOMAIN, OPSET_VERSION
from snn_ops.functions import *  # noqa: F403
from snn_ops.library import LibraryNotFoundError, cpu_isa, library_path, register
from snn_ops.ops import OPERATORS
from snn_ops.session import Session
from snn_ops.stream import Stream

try:
    __version__ = metadata.version("onnx-snn")
except metadata.PackageNotFoundError:  # imported from a checkout that was not installed
    __version__ = "0"

__all__ = [
    "DOMAIN",
    "OPERATORS",
    "OPSET_VERSION",
    "LibraryNotFoundError",
    "Session",
    "Stream",
    "__version__",
    "cpu_isa",
    "library_path",
    "reference",
    "register",
]
__all__ += functions.__all__
