"""Where ONNX Runtime runs a session: on the CPU or on a CUDA GPU."""

from __future__ import annotations

import onnxruntime as ort

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


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
    session = ort.InferenceSession(source, options, providers=[name])
    if session.get_providers()[0] != name:
        raise RuntimeError(f"{name} could not be started; is its driver installed?")
    return session
