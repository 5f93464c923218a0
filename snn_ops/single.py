"""One operator as a model of its own: for the public functions, tests, benchmarks and calibration."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from operator import index
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from snn_ops.format import DOMAIN, LOWEST_IR_VERSION, LOWEST_ONNX_OPSET, N_STEPS, OPSET_VERSION
from snn_ops.library import PYTHON_BACKENDS, register
from snn_ops.ops import OPERATORS, Kind, Operator, Tensor
from snn_ops.provider import SILENT, start_session
from snn_ops.python_ops import raising


def operator_model(
    op_type: str,
    element: np.dtype | type,
    ranks: Sequence[int],
    *,
    with_function: bool,
    with_states: bool = True,
    version: int = OPSET_VERSION,
    **attributes: float | int,
) -> onnx.ModelProto:
    """A model whose inputs and outputs are those of the operator.

    Args:
        op_type: the operator.
        element: of the currents: float16, float32 or float64.
        ranks: of the inputs; those that version 1 did not have are scalars where they are left out.
        with_function: carry the function body, so that the model also runs without the library.
        with_states: give out the final states too; without, only the first output, as in a converted model.
        version: of the domain.
        attributes: those that differ from the defaults.
    """
    operator = OPERATORS[op_type].at(version)
    given = operator.outputs if with_states else operator.outputs[:1]

    def value(tensor: Tensor, rank: int) -> onnx.ValueInfoProto:
        number = helper.np_dtype_to_tensor_dtype(tensor.kind.dtype(element))
        return helper.make_tensor_value_info(tensor.name, number, [None] * rank)

    all_ranks = [np.ndim(given) for given in operator.completed([np.empty((1,) * rank) for rank in ranks])]
    inputs = [value(tensor, rank) for tensor, rank in zip(operator.inputs, all_ranks, strict=True)]
    outputs = [value(tensor, 0 if tensor.kind is Kind.INTEGER else ranks[0]) for tensor in given]
    node = helper.make_node(
        op_type,
        [tensor.name for tensor in operator.inputs],
        [tensor.name for tensor in given],
        name=op_type,
        domain=DOMAIN,
        **{**operator.defaults, **attributes},  # type: ignore[arg-type]
    )
    return helper.make_model(
        helper.make_graph([node], op_type, inputs, outputs),
        opset_imports=[helper.make_opsetid("", LOWEST_ONNX_OPSET), helper.make_opsetid(DOMAIN, version)],
        ir_version=LOWEST_IR_VERSION,
        functions=[operator.function()] if with_function else [],
    )


class SingleOperator:
    """An operator as a callable on arrays, run by ONNX Runtime.

    Args:
        op_type: the operator.
        backend: as for `snn_ops.Session`.
        provider: "cpu" or "cuda"; a native kernel runs there or not at all.
        threads: of ONNX Runtime.
        with_states: give out the final states too; without, only the first output, as in a converted model.
        version: of the domain.
        attributes: those that differ from the defaults.
    """

    def __init__(
        self,
        op_type: str,
        *,
        backend: str = "native",
        provider: str = "cpu",
        threads: int = 1,
        with_states: bool = True,
        version: int = OPSET_VERSION,
        **attributes: float | int,
    ) -> None:
        self.operator = OPERATORS[op_type].at(version)
        self._version = version
        self._backend = backend
        self._provider = provider
        self._threads = threads
        self._with_states = with_states
        self._attributes = attributes
        self._sessions: dict[tuple[object, ...], ort.InferenceSession] = {}

    def session(self, *inputs: np.ndarray) -> ort.InferenceSession:
        """The session for inputs of these types and ranks."""
        arrays = [np.asarray(array) for array in self.operator.completed(inputs)]
        ranks = tuple(array.ndim for array in arrays)
        key = arrays[0].dtype, ranks
        if key not in self._sessions:
            options = ort.SessionOptions()
            options.log_severity_level = SILENT
            options.intra_op_num_threads = self._threads
            if self._backend == "native" and self._provider != "cpu":
                options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
            register(options, self._backend)
            model = operator_model(
                self.operator.name,
                arrays[0].dtype,
                ranks,
                with_function=self._backend == "functions",
                with_states=self._with_states,
                version=self._version,
                **self._attributes,
            )
            self._sessions[key] = start_session(model.SerializeToString(), options, self._provider)
        return self._sessions[key]

    def __call__(self, *inputs: np.ndarray, outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        """The outputs, all or those named. Low parts that are left out are 0."""
        arrays = self.operator.completed(inputs)
        feed = {t.name: np.asarray(array) for t, array in zip(self.operator.inputs, arrays, strict=True)}
        session = self.session(*inputs)
        with raising() if self._backend in PYTHON_BACKENDS else nullcontext():
            result: list[np.ndarray] = session.run(outputs, feed)
        return result


def native(op_type: str, inputs: Sequence[Any], attributes: Mapping[str, float]) -> tuple[Any, ...]:
    """The operator's native kernel on what a caller of `snn_ops.functions` gives; numbers of steps come back as int.

    Raises:
        TypeError: a number of steps or samples that is no integer, or inputs that are no real numbers.
        ValueError: n_steps, a shape or an attribute that the operator does not take.
    """
    operator = OPERATORS[op_type]
    with _refusing(op_type):
        arrays, checked = _arguments(operator, inputs, attributes)
        return _results(operator, _session_of(op_type, tuple(checked.items()))(*arrays))


def reference(op_type: str, inputs: Sequence[Any], attributes: Mapping[str, float]) -> tuple[Any, ...]:
    """As `native`, computed by the operator's NumPy reference."""
    operator = OPERATORS[op_type]
    with _refusing(op_type):
        arrays, checked = _arguments(operator, inputs, attributes)
        return _results(operator, operator.run(*arrays, **checked))


@functools.lru_cache(maxsize=128)
def _session_of(op_type: str, attributes: tuple[tuple[str, float | int], ...]) -> SingleOperator:
    keywords: dict[str, Any] = dict(attributes)
    return SingleOperator(op_type, **keywords)


@contextmanager
def _refusing(op_type: str) -> Iterator[None]:
    """Errors of the caller have one type and begin with the operator's name, whoever finds them."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{op_type}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{op_type}: {error}") from error
    except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
        raise ValueError(str(error).rpartition("Status Message: ")[2]) from error


def _arguments(
    operator: Operator, inputs: Sequence[Any], attributes: Mapping[str, float]
) -> tuple[list[np.ndarray], dict[str, float | int]]:
    """Inputs and attributes as a node would get them; a state that is None is at rest."""
    checked = operator.checked_attributes(attributes)
    rest = {state.name: state for state in operator.states}
    given = np.asarray(inputs[0])
    if given.dtype.kind not in "fiub":
        raise TypeError(f"{operator.input.name} must be real numbers, not {given.dtype}")
    element = np.dtype(given.dtype.type) if given.dtype.char in "efd" else np.dtype(np.float64)
    arrays = [given.astype(element, copy=False)]
    for tensor, value in zip(operator.inputs[1:], operator.completed(inputs)[1:], strict=True):
        if tensor.kind is Kind.INTEGER:
            arrays.append(np.asarray(_integer(tensor.name, value), np.int64))
        else:
            if value is None and tensor.name not in rest:
                raise TypeError(f"{tensor.name} must be numbers, not None")
            number = rest[tensor.name].at_rest(checked) if value is None else value
            arrays.append(np.asarray(number, tensor.kind.dtype(element)))
    return arrays, checked


def _integer(name: str, value: Any) -> int:
    try:
        number = index(value)
    except TypeError as error:
        raise TypeError(f"{name} must be an integer, it is {value!r}") from error
    if number >= 2**63 or (number < 0 and name != N_STEPS):  # which n_steps are too small is the operator's to say
        raise ValueError(f"{name} must be from 0 to 2^63 - 1, it is {value}")
    return number


def _results(operator: Operator, outputs: Sequence[np.ndarray]) -> tuple[Any, ...]:
    pairs = zip(operator.outputs, outputs, strict=True)
    return tuple(int(array) if tensor.kind is Kind.INTEGER else array for tensor, array in pairs)
