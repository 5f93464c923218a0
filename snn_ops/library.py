"""The native library: where it is, and registering it with ONNX Runtime."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

LIBRARY_NAMES = {"win32": "onnx_snn.dll", "darwin": "libonnx_snn.dylib"}
"""By `sys.platform`; everywhere else libonnx_snn.so."""
PYTHON_BACKENDS = ("numpy", "cupy")
BACKENDS = ("native", "functions", *PYTHON_BACKENDS)


class LibraryNotFoundError(RuntimeError):
    """A library was not built, or is not where it should be."""


def library_name(platform: str = sys.platform) -> str:
    """The native library's file name on a platform, as `sys.platform` names it."""
    return LIBRARY_NAMES.get(platform, "libonnx_snn.so")


def library_path() -> str:
    """The native library's path, for ``SessionOptions.register_custom_ops_library`` in any language.

    The environment variable ``ONNX_SNN_LIBRARY`` names another one.

    Raises:
        LibraryNotFoundError: there is no such file.
    """
    path = Path(os.environ.get("ONNX_SNN_LIBRARY") or Path(__file__).parent / library_name())
    if not path.is_file():
        raise LibraryNotFoundError(
            f"{path} does not exist. Build it with `pip install -e .` or `make`; after `pip install .` start Python in "
            "another folder than the sources, which it would import; or name it in ONNX_SNN_LIBRARY. Without it, "
            "a .snn.onnx file still runs in plain ONNX Runtime, more slowly."
        )
    return str(path)


def register(
    session_options: onnxruntime.SessionOptions,
    backend: str = "native",
    libraries: Iterable[str | PathLike[str]] = (),
) -> onnxruntime.SessionOptions:
    """Makes the operators known to sessions created with `session_options`, which is also returned.

    Call it once for a `SessionOptions`: ONNX Runtime refuses a domain that is registered twice.

    Args:
        session_options: of the session to come.
        backend: "native", the kernels of the library; "functions" registers nothing, so that the function bodies run that
            the model file carries; "numpy", the references, and "cupy", kernels on a GPU, run through
            onnxruntime-extensions. Those two want every output of a node named and no float16, which `Session` sees to, and
            sequential execution; run such a session inside ``snn_ops.python_ops.raising()``.
        libraries: files with operators of others, such as ``onnxruntime_extensions.get_library_path()``. A library is a
            program: it runs with the rights of the process. One that is named twice, or is what the backend registers
            anyway, is registered once.

    Raises:
        RuntimeError: a Python backend cannot be used here, or a file is no library of operators.
        LibraryNotFoundError: backend "native", and the library was not built; or one of `libraries` does not exist.
        ValueError: there is no such backend.
    """
    if backend not in BACKENDS:
        raise ValueError(f"there is no backend {backend!r}; choose one of {', '.join(BACKENDS)}")
    others = existing(libraries)
    ours = []
    if backend == "native":
        ours = [library_path()]
    elif backend in PYTHON_BACKENDS:
        python_ops = _python_ops(backend)
        python_ops.refuse_parallel(session_options)
        ours = [python_ops.install(backend)]
    if backend not in PYTHON_BACKENDS and "snn_ops.python_ops" in sys.modules:
        sys.modules["snn_ops.python_ops"].refuse_beside(others)
    for path in dict.fromkeys(os.path.realpath(path) for path in (*ours, *others)):
        try:
            session_options.register_custom_ops_library(path)
        except Exception as error:  # ONNX Runtime's classes have nothing in common
            reason = str(error).partition(" : FAIL : ")[2] or str(error)
            raise RuntimeError(f"{path} is no library of operators for ONNX Runtime: {reason}") from error
    return session_options


def existing(libraries: Iterable[str | PathLike[str]]) -> tuple[str, ...]:
    """Their whole paths, which are what the system's search for libraries leaves alone.

    Raises:
        LibraryNotFoundError: there is no such file.
    """
    paths = [Path(fspath(path)).absolute() for path in libraries]
    for path in paths:
        if not path.is_file():
            raise LibraryNotFoundError(
                f"{path} does not exist; `libraries` names files with operators for ONNX Runtime"
            )
    return tuple(map(str, paths))


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
