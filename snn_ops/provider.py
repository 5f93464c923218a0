"""Where ONNX Runtime runs a session: on the CPU or on a CUDA GPU."""

from __future__ import annotations

import functools
import io
from contextlib import redirect_stdout

import onnxruntime as ort

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

SILENT = 4
"""ONNX Runtime's log level at which it prints nothing: what it has to say, it also raises."""


def start_session(source: str | bytes, options: ort.SessionOptions, provider: str) -> ort.InferenceSession:
    """A session on "cpu" or "cuda", never on the CPU because the GPU could not be started.

    Args:
        source: a model file, or its bytes.
        options: of the session, with the operators registered.
        provider: a key of `PROVIDERS`.

    Raises:
        ValueError: there is no such provider.
        RuntimeError: the provider is not to be had, or could not be started.
    """
    if provider not in PROVIDERS:
        raise ValueError(f"unknown provider {provider!r}; there are {sorted(PROVIDERS)}")
    name = PROVIDERS[provider]
    if name not in ort.get_available_providers():
        raise RuntimeError(f"this onnxruntime has no {name}; install onnx-snn[gpu]")
    missing = _load_cuda() if provider == "cuda" else ""
    session = ort.InferenceSession(source, options, providers=[name])
    if session.get_providers()[0] != name:
        reason = missing or "is its driver installed?"
        raise RuntimeError(f"{name} could not be started: {reason}")
    return session


@functools.cache
def _load_cuda() -> str:
    """Loads the CUDA libraries from the packages beside onnxruntime, where the system does not look for them.

    Returns:
        What is missing, in a line.
    """
    said = io.StringIO()
    with redirect_stdout(said):  # where ONNX Runtime reports
        ort.preload_dlls()
    return said.getvalue().strip().replace("\n", "; ")
