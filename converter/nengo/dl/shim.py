"""Imports NengoDL 3.6 with the TensorFlow that is installed, 2.16 to 2.21.

NengoDL was written for the Keras 2 of TensorFlow 2.12 and imports ``keras.engine``, which newer TensorFlow does not have.
Keras 2 lives on as tf-keras: TensorFlow is told to use it, and while NengoDL is imported, ``keras`` and the parts that NengoDL
asks for are those of tf-keras. Afterwards ``keras`` is again what it was.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import warnings
from types import ModuleType

from converter.errors import RefusedError
from converter.terminal import without_standard_error

_LEGACY = "TF_USE_LEGACY_KERAS"


@functools.cache
def import_nengo_dl() -> ModuleType:
    """The module nengo_dl.

    Raises:
        RefusedError: TensorFlow, tf-keras or NengoDL is not installed, or TensorFlow was imported with Keras 3 before.
    """
    if sys.modules.get("tensorflow") is not None and os.environ.get(_LEGACY) != "1":
        raise RefusedError(f"TensorFlow was imported before NengoDL; set {_LEGACY}=1 before you import it")
    os.environ[_LEGACY] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # oneDNN's kernels add a sum in an order that depends on the batch; TensorFlow's own add as ONNX Runtime does, term by term
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        # TensorFlow's C++ code writes about missing GPUs before anybody can tell it not to
        with without_standard_error(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("tensorflow").config.list_physical_devices()
            nengo_dl = _import_with_keras_2()
    except ModuleNotFoundError as error:
        raise RefusedError(f"{error.name} is not installed; install onnx-snn[nengo] (Python 3.11)") from None
    importlib.import_module("tensorflow").get_logger().setLevel("ERROR")
    return nengo_dl


def _import_with_keras_2() -> ModuleType:
    names = {"keras": "tf_keras"} | {
        f"keras.{part}": f"tf_keras.src.{part}" for part in ("layers", "engine", "engine.functional")
    }
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update({name: importlib.import_module(legacy) for name, legacy in names.items()})
    try:
        return importlib.import_module("nengo_dl")
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
