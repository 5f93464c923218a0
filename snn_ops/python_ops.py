"""The operators as Python, in the same domain, through onnxruntime-extensions: NumPy references, or CuPy kernels on a GPU.

A process runs one of the two: onnxruntime-extensions keeps its operators for the whole process. Two of its habits are
worked around here (version 0.15.2; `install` replaces its hook for our operators only):

* an exception in an operator would end the process: it is kept, and `raising` gives it to the caller;
* outputs would travel as Python lists: they travel as flat arrays.
"""

from __future__ import annotations

import importlib
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference
import onnxruntime as ort

from snn_ops import cupy_ops
from snn_ops.feed import Model
from snn_ops.format import DOMAIN, OPSET_VERSION
from snn_ops.ops import OPERATORS, Operator

Compute = Callable[..., tuple[np.ndarray, ...]]
"""(operator, *inputs, **attributes) -> outputs"""


class PythonOperatorsError(RuntimeError):
    """The Python operators cannot be used here."""


@dataclass(frozen=True)
class _Definition:
    """An operator for one type of currents."""

    operator: Operator
    element: np.dtype
    native: Any
    """What onnxruntime-extensions knows of it; it must stay alive."""

    def call(self, compute: Compute, inputs: list[np.ndarray], attributes: dict[str, str]) -> list[np.ndarray]:
        defaults = self.operator.defaults
        values = {name: type(defaults[name])(text) for name, text in attributes.items()}
        try:
            outputs = compute(self.operator, *inputs, **values)
        except ValueError as error:
            raise ValueError(f"{self.operator.name}: {error}") from error
        return [np.asarray(o, dtype) for o, dtype in zip(outputs, self.output_types, strict=True)]

    @property
    def output_types(self) -> list[np.dtype]:
        return [o.kind.dtype(self.element) for o in self.operator.outputs]


class _Caught(threading.local):
    """What an operator raised in this thread; operators run in the thread that calls ONNX Runtime."""

    error: BaseException | None = None
    wanted = False  # by a `raising` around the call


_lock = threading.Lock()
_definitions: dict[int, _Definition] = {}
_installed: tuple[str, Compute] | None = None
_caught = _Caught()


def install(backend: str) -> str:
    """Makes the operators known to onnxruntime-extensions, once.

    Returns:
        The library for ``SessionOptions.register_custom_ops_library``.

    Raises:
        PythonOperatorsError: a package is missing, there is no GPU for CuPy, or this process runs the other backend.
    """
    global _installed
    try:
        _ocos = importlib.import_module("onnxruntime_extensions._ocos")
    except ImportError as error:
        raise PythonOperatorsError(
            f"backend {backend!r} needs onnxruntime-extensions: pip install 'onnx-snn[python-ops]'"
        ) from error
    with _lock:
        if _installed is None:
            compute = _compute(backend)
            for operator in (version for newest in OPERATORS.values() for version in newest.versions):
                for element in (np.dtype(np.float32), np.dtype(np.float64)):
                    _define(_ocos, operator, element)
            _ocos.PyCustomOpDef.install_hooker(_hook(_ocos._on_pyop_invocation, compute))
            _installed = backend, compute
        if _installed[0] != backend:
            raise PythonOperatorsError(
                f"this process runs the Python operators on {_installed[0]!r}; use another process for {backend!r}"
            )
    path: str = _ocos.get_library_path()
    return path


def refuse_beside(libraries: Sequence[str]) -> None:
    """Other backends do not run beside onnxruntime-extensions once it has our Python operators: it gives them to every session.

    Raises:
        PythonOperatorsError: one of the libraries is its.
    """
    if _installed is None:
        return
    own = os.path.realpath(importlib.import_module("onnxruntime_extensions._ocos").get_library_path())
    if own in map(os.path.realpath, libraries):
        raise PythonOperatorsError(
            f"this process runs the Python operators on {_installed[0]!r}, and {own} gives them to every session that "
            "registers it; use another process for other backends"
        )


def refuse_parallel(options: ort.SessionOptions) -> None:
    """An operator's exception belongs to the thread that calls ONNX Runtime, so the operator must run there.

    Raises:
        PythonOperatorsError: the session would run its nodes in threads of its own.
    """
    if options.execution_mode != ort.ExecutionMode.ORT_SEQUENTIAL:
        raise PythonOperatorsError(
            "Python operators need sequential execution: ExecutionMode.ORT_SEQUENTIAL, the default"
        )


def _compute(backend: str) -> Compute:
    if backend == "numpy":
        return Operator.run
    try:
        device = cupy_ops.CupyDevice()
    except Exception as error:  # whatever CuPy says of a missing driver or package
        raise PythonOperatorsError(
            f"backend 'cupy' needs CuPy and an NVIDIA GPU (pip install 'onnx-snn[cupy]'): {error}"
        ) from error
    return lambda operator, *inputs, **attributes: cupy_ops.run(device, operator, inputs, attributes)


def _name(operator: Operator) -> str:
    """The op_type: ONNX Runtime keeps one schema for each, so an earlier version of an operator has one of its own."""
    newest = OPERATORS[operator.name]
    return operator.name if operator is newest else f"{operator.name}_{operator.since_version}"


def _define(ocos: Any, operator: Operator, element: np.dtype) -> None:
    kind = ocos.PyCustomOpDef
    types = {
        np.dtype(np.int64): kind.dt_int64,
        np.dtype(np.float32): kind.dt_float,
        np.dtype(np.float64): kind.dt_double,
    }
    native = kind()
    native.op_type = f"{DOMAIN}::{_name(operator)}"
    native.obj_id = id(native)
    native.input_types = [types[tensor.kind.dtype(element)] for tensor in operator.inputs]
    native.output_types = [types[tensor.kind.dtype(element)] for tensor in operator.outputs]
    native.attrs = {
        a.name: kind.dt_float if isinstance(a.default, float) else kind.dt_int64 for a in operator.attributes
    }
    _definitions[native.obj_id] = _Definition(operator, element, native)
    ocos.add_custom_op(native)


def _hook(others: Callable[..., tuple[Any, ...]], compute: Compute) -> Callable[..., tuple[Any, ...]]:
    """What onnxruntime-extensions calls for every Python operator; it must not raise."""

    def invoke(key: int, inputs: list[np.ndarray], attributes: dict[str, str]) -> tuple[Any, ...]:
        definition = _definitions.get(key)
        if definition is None:
            return others(key, inputs, attributes)
        outputs = [np.zeros(0, dtype) for dtype in definition.output_types]
        if _caught.error is None:
            try:
                outputs = definition.call(compute, inputs, attributes)
            except BaseException as error:
                if _caught.wanted:
                    _caught.error = error
                else:
                    traceback.print_exc()
        flat = [part for array in outputs for part in (array.shape, np.ascontiguousarray(array).reshape(-1))]
        return (key, *flat)

    return invoke


@contextmanager
def raising() -> Iterator[None]:
    """Around ``InferenceSession.run``: raises here what a Python operator raised inside; `snn_ops.Session` does it by itself.

    Without it, an operator that fails prints its traceback and gives empty outputs. Bind no output to memory of its own
    (``bind_ortvalue_output``): where an empty output does not fit, onnxruntime-extensions ends the process.
    """
    _caught.error, _caught.wanted = None, True
    try:
        try:
            yield
        finally:
            error, _caught.error, _caught.wanted = _caught.error, None, False
    except Exception as consequence:  # ONNX Runtime about the empty outputs
        raise (error or consequence) from (consequence if error else consequence.__cause__)
    if error:
        raise error


def loaded(model: Model) -> onnx.ModelProto:
    """The model, read from its file or bytes unless it is one already."""
    if isinstance(model, onnx.ModelProto):
        return model
    return onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)


def fitted(model: onnx.ModelProto, backend: str) -> onnx.ModelProto:
    """The model as Python operators can run it: with a name for every output of our nodes, none of them float16, and names of
    their own for operators of an earlier version.

    Raises:
        PythonOperatorsError: a node computes in float16, which ends the process in onnxruntime-extensions.
    """
    model = onnx.shape_inference.infer_shapes(model)
    graph = model.graph
    version = next((entry.version for entry in model.opset_import if entry.domain == DOMAIN), OPSET_VERSION)
    types = {v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info, *graph.output)}
    for number, node in enumerate(graph.node):
        if node.domain != DOMAIN:
            continue
        if types.get(node.input[0]) == onnx.TensorProto.FLOAT16:
            raise PythonOperatorsError(
                f"node {node.name!r} computes in float16, backend {backend!r} in float32 and float64; "
                "use backend 'native' or 'functions'"
            )
        operator = OPERATORS[node.op_type].at(version)
        node.op_type = _name(operator)
        for index in range(len(operator.outputs)):
            if index >= len(node.output):
                node.output.append("")
            node.output[index] = node.output[index] or f"{DOMAIN}_unused_{number}_{index}"
    return model
