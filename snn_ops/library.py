"""The native library: where it is, and registering it with ONNX Runtime."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

LIBRARY_NAME = "libonnx_snn.so"
PYTHON_BACKENDS = ("numpy", "cupy")
BACKENDS = ("native", "functions", *PYTHON_BACKENDS)


class LibraryNotFoundError(RuntimeError):
    """The native library was not built, or is not where it should be."""


def library_path() -> str:
    """The native library's path, for ``SessionOptions.register_custom_ops_library`` in any language.

    The environment variable ``ONNX_SNN_LIBRARY`` names another one.

    Raises:
        LibraryNotFoundError: there is no such file.
    """
    path = Path(os.environ.get("ONNX_SNN_LIBRARY") or Path(__file__).parent / LIBRARY_NAME)
    if not path.is_file():
        raise LibraryNotFoundError(
            f"{path} does not exist. Build it with `pip install .` or `make`, or name it in ONNX_SNN_LIBRARY; without it, "
            "a .snn.onnx file still runs in plain ONNX Runtime, more slowly."
        )
    return str(path)


def register(session_options: onnxruntime.SessionOptions, backend: str = "native") -> onnxruntime.SessionOptions:
    """Makes the operators known to sessions created with `session_options`, which is also returned.

    Call it once for a `SessionOptions`: ONNX Runtime refuses a domain that is registered twice.

    Args:
        session_options: of the session to come.
        backend: "native", the kernels of the library; "functions" registers nothing, so that the function bodies run that
            the model file carries; "numpy", the references, and "cupy", kernels on a GPU, run through
            onnxruntime-extensions. Those two want every output of a node named and no float16, which `Session` sees to, and
            sequential execution; run such a session inside ``snn_ops.python_ops.raising()``.

    Raises:
        RuntimeError: a Python backend cannot be used here.
        LibraryNotFoundError: backend "native", and the library was not built.
        ValueError: there is no such backend.
    """
    if backend not in BACKENDS:
        raise ValueError(f"there is no backend {backend!r}; choose one of {', '.join(BACKENDS)}")
    if backend == "native":
        session_options.register_custom_ops_library(library_path())
    elif backend in PYTHON_BACKENDS:
        python_ops = _python_ops(backend)
        python_ops.refuse_parallel(session_options)
        session_options.register_custom_ops_library(python_ops.install(backend))
    return session_options


def _python_ops(backend: str) -> ModuleType:
    """The module `snn_ops.python_ops`, which needs packages that the other backends do without."""
    try:
        from snn_ops import python_ops  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise RuntimeError(f"backend {backend!r} needs {error.name}: pip install 'onnx-snn[python-ops]'") from error
    return python_ops


def cpu_isa() -> str:
    """The instruction set that the CPU kernels use here: "avx512", "avx2" or "generic".

    The environment variable ``ONNX_SNN_ISA`` lowers it.
    """
    function = ctypes.CDLL(library_path()).OnnxSnnCpuIsa
    function.restype = ctypes.c_char_p
    return str(function().decode())
