"""Where a session runs; on a machine without a GPU, what is said of one that cannot be started."""

from __future__ import annotations

import onnxruntime as ort
import pytest

from snn_ops import provider
from snn_ops.single import operator_model


def started(name: str) -> ort.InferenceSession:
    model = operator_model("LIFRate", "float32", [2, 0], with_function=True)
    return provider.start_session(model.SerializeToString(), ort.SessionOptions(), name)


def test_unknown_provider() -> None:
    with pytest.raises(ValueError, match=r"unknown provider 'tpu'; there are \['cpu', 'cuda'\]"):
        started("tpu")


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="onnxruntime-gpu is installed")
def test_an_onnxruntime_without_cuda() -> None:
    with pytest.raises(
        RuntimeError, match=r"no CUDAExecutionProvider; install onnx-snn\[gpu\]\. .*CUDA 13 and needs driver 580"
    ):
        started("cuda")


@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ("Failed to load libcublas.so.13: no such file\nFollow a page", "libcublas.so.13: no such file; Follow a page"),
        ("", "is its driver installed"),
    ],
)
def test_cuda_that_does_not_start(printed, reason, monkeypatch, capsys) -> None:
    """Its libraries are loaded first, from the packages beside onnxruntime; what ONNX Runtime prints of that is the reason."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: list(provider.PROVIDERS.values()))
    monkeypatch.setattr(ort, "preload_dlls", lambda: print(printed))
    monkeypatch.setattr(ort, "InferenceSession", lambda *a, real=ort.InferenceSession, **k: real(*a))
    provider._load_cuda.cache_clear()
    with pytest.raises(RuntimeError, match=f"CUDAExecutionProvider could not be started: .*{reason}"):
        started("cuda")
    provider._load_cuda.cache_clear()
    assert capsys.readouterr().out == ""


def test_which_driver_fits_is_said(tmp_path, monkeypatch) -> None:
    """Beside the one that is there, where a driver may be the reason."""
    monkeypatch.setattr(provider, "DRIVER", tmp_path / "version")
    too_old = "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=0"
    said = provider._reason(RuntimeError(too_old))
    assert said.startswith(f"{too_old}. Here: onnxruntime {ort.__version__}, no driver of NVIDIA's. ")
    line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.104.05  Release Build"
    provider.DRIVER.write_text(line)
    assert ", driver 535.104.05. onnxruntime-gpu up to 1.26 is for CUDA 12" in provider._reason(RuntimeError(too_old))
    assert provider._reason(RuntimeError('Unknown provider option: "tf"')) == 'Unknown provider option: "tf"'
