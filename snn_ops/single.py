"""One operator as a model of its own: for tests, benchmarks and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from snn_ops.format import DOMAIN, LOWEST_IR_VERSION, LOWEST_ONNX_OPSET, OPSET_VERSION
from snn_ops.library import PYTHON_BACKENDS, register
from snn_ops.ops import OPERATORS, Kind, Tensor
from snn_ops.provider import start_session
from snn_ops.python_ops import raising


def operator_model(
    op_type: str,
    element: np.dtype | type,
    ranks: Sequence[int],
    *,
    with_function: bool,
    with_states: bool = True,
    **attributes: float | int,
) -> onnx.ModelProto:
    """A model whose inputs and outputs are those of the operator.

    Args:
        op_type: the operator.
        element: of the currents: float16, float32 or float64.
        ranks: of the inputs.
        with_function: carry the function body, so that the model also runs without the library.
        with_states: give out the final states too; without, only the first output, as in a converted model.
        attributes: those that differ from the defaults.
    """
    operator = OPERATORS[op_type]
    given = operator.outputs if with_states else operator.outputs[:1]

    def value(tensor: Tensor, rank: int) -> onnx.ValueInfoProto:
        number = helper.np_dtype_to_tensor_dtype(tensor.kind.dtype(element))
        return helper.make_tensor_value_info(tensor.name, number, [None] * rank)

    inputs = [value(tensor, rank) for tensor, rank in zip(operator.inputs, ranks, strict=True)]
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
        opset_imports=[helper.make_opsetid("", LOWEST_ONNX_OPSET), helper.make_opsetid(DOMAIN, OPSET_VERSION)],
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
        **attributes: float | int,
    ) -> None:
        self.operator = OPERATORS[op_type]
        self._backend = backend
        self._provider = provider
        self._threads = threads
        self._with_states = with_states
        self._attributes = attributes
        self._sessions: dict[tuple[object, ...], ort.InferenceSession] = {}

    def session(self, *inputs: np.ndarray) -> ort.InferenceSession:
        """The session for inputs of these types and ranks."""
        arrays = [np.asarray(array) for array in inputs]
        ranks = tuple(array.ndim for array in arrays)
        key = arrays[0].dtype, ranks
        if key not in self._sessions:
            options = ort.SessionOptions()
            options.log_severity_level = 4
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
                **self._attributes,
            )
            self._sessions[key] = start_session(model.SerializeToString(), options, self._provider)
        return self._sessions[key]

    def __call__(self, *inputs: np.ndarray, outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        """The outputs, all or those named."""
        feed = {t.name: np.asarray(array) for t, array in zip(self.operator.inputs, inputs, strict=True)}
        session = self.session(*inputs)
        with raising() if self._backend in PYTHON_BACKENDS else nullcontext():
            result: list[np.ndarray] = session.run(outputs, feed)
        return result
