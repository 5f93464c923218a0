"""Where ONNX Runtime runs a session: on the CPU or on a CUDA GPU."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

import onnxruntime as ort

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

ProviderOptions = Mapping[str, str | int | bool]
"""Options of ONNX Runtime's CUDA provider, by its own names: ``device_id``, ``use_tf32``, ``enable_cuda_graph``, ..."""
DEFAULTS: dict[str, ProviderOptions] = {"cpu": {}, "cuda": {"cudnn_conv_algo_search": "HEURISTIC"}}
"""What we choose otherwise than ONNX Runtime does, by provider.

Its own choice for ``cudnn_conv_algo_search`` is EXHAUSTIVE: for each new shape of its input, a convolution tries all algorithms
before it runs. The number of rows of a spiking model is samples times steps, so the last batch of a run and the last chunk of a
stream are new shapes, and a search takes much longer than the convolution. HEURISTIC asks cuDNN which algorithm should be
fast. The price: that may not be the fastest one. Whoever runs the same shape for a long time may choose EXHAUSTIVE.
"""

FITTING = (
    "onnxruntime-gpu up to 1.26 is for CUDA 12 and needs NVIDIA's driver 525 or newer, from 1.27 on it is for CUDA 13 and "
    "needs driver 580 or newer; so does a library of ours that nvcc of that CUDA built"
)
"""Which versions fit, for whoever cannot start the provider."""
DRIVER = Path("/proc/driver/nvidia/version")
"""What Linux says of NVIDIA's driver, where it is loaded."""

SILENT = 4
"""ONNX Runtime's log level at which it prints nothing: what it has to say, it also raises."""


def start_session(
    source: str | bytes, options: ort.SessionOptions, provider: str, provider_options: ProviderOptions | None = None
) -> ort.InferenceSession:
    """A session on "cpu" or "cuda", never on the CPU because the GPU could not be started or failed in a run.

    Args:
        source: a model file, or its bytes.
        options: of the session, with the operators registered.
        provider: a key of `PROVIDERS`.
        provider_options: of the provider "cuda", over `DEFAULTS`; "cpu" has none.

    Raises:
        ValueError: there is no such provider, or it takes no options.
        RuntimeError: the provider is not to be had, could not be started, or does not know an option or its value.
    """
    if provider not in PROVIDERS:
        raise ValueError(f"unknown provider {provider!r}; there are {sorted(PROVIDERS)}")
    if provider == "cpu" and provider_options:
        raise ValueError(f"the provider 'cpu' takes no options; {', '.join(provider_options)} is for 'cuda'")
    name = PROVIDERS[provider]
    settings = {key: _text(value) for key, value in {**DEFAULTS[provider], **(provider_options or {})}.items()}
    if name not in ort.get_available_providers():
        raise RuntimeError(f"this onnxruntime has no {name}; install onnx-snn[gpu]. {FITTING}")
    missing = _load_cuda() if provider == "cuda" else ""
    try:
        session = ort.InferenceSession(source, options, providers=[(name, settings)], enable_fallback=0)
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(f"{name} could not be started: {_reason(error)}") from error
    if session.get_providers()[0] != name:
        raise RuntimeError(f"{name} could not be started: {missing or 'is its driver installed?'}. {_fitting()}")
    return session


def device_id(session: ort.InferenceSession) -> int:
    """Which of the provider's devices a session is on."""
    return int(session.get_provider_options()[session.get_providers()[0]].get("device_id", 0))


def without_graph() -> ort.RunOptions:
    """For a run whose inputs and outputs lie anywhere: no CUDA graph is captured, and none replayed.

    A graph repeats the run that it was captured from: the same memory, the same number of steps.
    """
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", "-1")
    return options


def _reason(error: Exception) -> str:
    """ONNX Runtime's words in a line, without the place in its source where it reads options; and what fits, if that helps."""
    said = re.sub(r".*provider_options_utils\.h:\d+ \w+ ", "", " ".join(str(error).split()))
    return f"{said}. {_fitting()}" if re.search(r"driver|libcu|kernel image|CUDA (failure|error)", said) else said


def _fitting() -> str:
    """What is here, and `FITTING`."""
    found = re.search(r"Kernel Module.*?(\d+\.[\d.]+)", DRIVER.read_text()) if DRIVER.exists() else None
    driver = f"driver {found[1]}" if found else "no driver of NVIDIA's"
    return f"Here: onnxruntime {ort.__version__}, {driver}. {FITTING}"


def _text(value: str | int | bool) -> str:
    """An option's value as ONNX Runtime reads it."""
    return str(int(value)) if isinstance(value, bool) else str(value)


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
