"""Trained models that are not ONNX yet: Keras, TensorFlow and PyTorch files go through the exporter of their framework.

The exporter runs in a process of its own, which keeps the state and memory of the framework apart.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from converter.errors import RefusedError
from converter.io.optional import search_path
from converter.normalise.frameworks.keras_files import code_in_keras_file, keras_that_wrote
from snn_ops.files import temporary_folder


@dataclass(frozen=True)
class Framework:
    """How a framework's files are known, and what exports them.

    Attributes:
        name: as messages call it.
        suffixes: of its files.
        needs: packages; the first ones of a message when they are missing.
        module: the exporter, called with the file, the ONNX file to write, and the lengths of a sample.
        is_program: why a file of it can run code of its author when it is loaded; empty: its content decides.
    """

    name: str
    suffixes: tuple[str, ...]
    needs: tuple[str, ...]
    module: str
    install: str
    is_program: str = ""


KERAS = Framework(
    "Keras",
    (".keras", ".h5", ".hdf5"),
    ("tensorflow", "tf2onnx"),
    "converter.normalise.frameworks.keras",
    "onnx-snn[nengo]",
)
SAVED_MODEL = Framework(
    "TensorFlow",
    (),
    KERAS.needs,
    "converter.normalise.frameworks.keras",
    KERAS.install,
    "a SavedModel is a program of TensorFlow's operators, which also read and write files",
)
TORCH = Framework(
    "PyTorch",
    (".pt2",),
    ("torch",),
    "converter.normalise.frameworks.torch_export",
    "torch",
    "PyTorch evaluates text of a .pt2 file as Python",
)
TORCHSCRIPT = Framework(
    "PyTorch",
    (".pt", ".pth", ".ts"),
    ("torch",),
    "converter.normalise.frameworks.torchscript",
    "torch",
    "a TorchScript file is a program",
)


def framework_of(path: Path) -> Framework | None:
    """The framework whose file this is; None: ONNX."""
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return SAVED_MODEL
    return next((f for f in (KERAS, TORCH, TORCHSCRIPT) if path.suffix.lower() in f.suffixes), None)


def export_to_onnx(
    path: Path, framework: Framework, sample_shape: Sequence[int] | None = None, *, trust: bool = False
) -> onnx.ModelProto:
    """The model as ONNX.

    Args:
        path: the framework's file, or the folder of a SavedModel.
        framework: as `framework_of` says.
        sample_shape: of the input without the batch axis, for files that do not say it.
        trust: run what code the file holds, with the user's rights.

    Raises:
        RefusedError: no such file, the framework is not installed, its exporter fails, with its last words, or the file can run
            code of its author and is not trusted.
    """
    if not path.exists():
        raise RefusedError("there is no such file", file=path)
    missing = [name for name in framework.needs if importlib.util.find_spec(name) is None]
    if missing:
        raise RefusedError(
            f"reading {framework.name} models needs {' and '.join(missing)}; install {framework.install}, or "
            f"{_way_out(path, framework)}",
            file=path,
        )
    if framework is TORCHSCRIPT and sample_shape is None:
        raise RefusedError(
            "TorchScript does not say the shape of its input; save the model with torch.export.save (.pt2) instead",
            file=path,
        )
    reason = "" if trust else framework.is_program or (code_in_keras_file(path) if framework is KERAS else "")
    if reason:
        raise RefusedError(
            f"{reason}; if you trust whoever made it, say --trust (in Python trust=True), or export the model to ONNX yourself",
            file=path,
        )
    with temporary_folder() as folder:
        target = folder / "model.onnx"
        command = [
            sys.executable,
            "-m",
            framework.module,
            str(path.resolve()),
            str(target),
            *map(str, sample_shape or ()),
        ]
        environment = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
            "PYTHONPATH": search_path(),
        }
        environment.pop("TF_USE_LEGACY_KERAS", None)
        # in an empty folder: Python looks for libraries in the current one first
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
        if done.returncode or not target.is_file():
            last = [line for line in done.stderr.splitlines() if line.strip()]
            raise RefusedError(
                f"{framework.name} cannot export it: {last[-1].strip()[:300] if last else 'it gave no message'}; "
                f"{_way_out(path, framework)}",
                file=path,
            )
        return onnx.load(target)


def _way_out(path: Path, framework: Framework) -> str:
    """What to do where the file cannot be exported here; of Keras, with the version that wrote it and that of the one here."""
    wrote = keras_that_wrote(path) if framework is KERAS else ""
    if not wrote:
        return "export the model to ONNX yourself"
    is_legacy = wrote.partition(".")[0] in ("1", "2")
    try:
        here = f"here is {importlib.metadata.version('tf-keras' if is_legacy else 'keras')}"
    except importlib.metadata.PackageNotFoundError:
        here = "here is none"
    how = (
        "tf2onnx.convert.from_keras(model, output_path='m.onnx')"
        if is_legacy
        else "model.export('m.onnx', format='onnx')"
    )
    return f"export the model to ONNX with the Keras that wrote it, {wrote} ({here}): {how}"


__all__ = ["Framework", "export_to_onnx", "framework_of"]
