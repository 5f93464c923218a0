"""Running ONNX models quietly, whole or with a look inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state

from converter.errors import RefusedError
from converter.graph.build import constant_of, to_proto
from snn_ops.files import temporary_folder
from snn_ops.library import register
from snn_ops.provider import SILENT, ProviderOptions, start_session

Feed = Mapping[str, np.ndarray]
RUNTIME_VERSION = str(ort.__version__)
"""Of ONNX Runtime."""
ONNX_RUNTIME_ERRORS: tuple[type[Exception], ...] = tuple(
    e for e in vars(onnxruntime_pybind11_state).values() if isinstance(e, type) and issubclass(e, Exception)
)
"""What ONNX Runtime raises of its own; these classes have nothing in common."""
RUNTIME_ERRORS: tuple[type[Exception], ...] = (RuntimeError, ValueError, *ONNX_RUNTIME_ERRORS)
"""What ONNX Runtime raises, and `snn_ops` in its place."""
CANNOT_RUN = "ONNX Runtime cannot run the model on these samples"
"""How a refusal begins that may be the samples' fault."""
_NOT_FOR_USERS = (
    (r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", ""),
    (r"Load model from .*? failed: ?", ""),
    (r"Non-zero status code returned while running (\w+) node\. Name:'([^']*)' Status Message: ", r"node '\2', \1: "),
    (r"\S+\.(?:h|cc):\d+ (?:.*? was false\. )?", ""),  # a position in its source, a function, a condition
)
"""Parts of ONNX Runtime's messages, and what becomes of them."""


def silence_runtime() -> None:
    """In a process that is ours, kernels warn nobody of a model: what they say does not go to the log of their session."""
    ort.set_default_logger_severity(SILENT)


def start_quietly(
    model: ir.Model | onnx.ModelProto | bytes | str,
    *,
    threads: int | None = None,
    spiking: bool = False,
    provider: str = "cpu",
    provider_options: ProviderOptions | None = None,
    libraries: Sequence[str] = (),
) -> ort.InferenceSession:
    """A session that takes as little memory as it can.

    Args:
        model: an ordinary ONNX model, or with `spiking` one with the operators of ONNX-SNN.
        threads: ONNX Runtime's threads; default: its own choice.
        spiking: register those operators.
        provider, provider_options: as for `snn_ops.Session`.

    Raises:
        RefusedError: ONNX Runtime cannot load the model.
    """
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    options.enable_cpu_mem_arena = False  # large models: memory goes back at once
    if threads:
        options.intra_op_num_threads = threads
    if spiking:
        register(options, libraries=libraries)
    if isinstance(model, ir.Model):
        model = to_proto(model)
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else model
    del model  # a second copy of the weights, if nobody else holds it
    try:
        return start_session(source, options, provider, provider_options)
    except Exception as error:
        raise RefusedError(f"ONNX Runtime cannot load the model: {brief(error)}") from error


def optimised(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The spiking model as ONNX Runtime rewrites it before it runs: a factor after a Conv is multiplied into its weights.

    In float32 that rounds otherwise than a factor after the sum.
    """
    options = register(ort.SessionOptions())
    options.log_severity_level = SILENT
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with temporary_folder() as folder:
        options.optimized_model_filepath = f"{folder}/model.onnx"
        ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        rewritten = onnx.load(options.optimized_model_filepath)
    rewritten.functions.extend(proto.functions)
    return rewritten


def brief(error: Exception) -> str:
    """ONNX Runtime's message without what only its developers understand."""
    text = " ".join(str(error).split())
    for pattern, instead in _NOT_FOR_USERS:
        text = re.sub(pattern, instead, text)
    return text[:300]


def with_outputs(model: ir.Model, values: Sequence[ir.Value]) -> onnx.ModelProto:
    """A copy of the model that returns `values` (of its main graph) and nothing else."""
    proto = to_proto(model)
    del proto.graph.output[:]
    for value in values:
        proto.graph.output.append(onnx.ValueInfoProto(name=value.name))
    return proto


class Probe:
    """Runs a model and returns chosen inner values.

    Values are `ir.Value` of the model's main graph; those that no node makes (inputs, initialisers) are allowed.
    """

    def __init__(
        self, model: ir.Model, values: Sequence[ir.Value], *, spiking: bool = False, libraries: Sequence[str] = ()
    ) -> None:
        self.names = [str(value.name) for value in values]
        self._session = start_quietly(with_outputs(model, values), spiking=spiking, libraries=libraries)
        inputs = (*self._session.get_inputs(), *self._session.get_overridable_initializers())
        self._inputs = {i.name for i in inputs}

    def run(self, feed: Feed) -> dict[str, np.ndarray]:
        """One call of ONNX Runtime.

        Raises:
            RefusedError: the model does not accept the feed.
        """
        if not self.names:
            return {}
        try:
            arrays = self._session.run(self.names, {k: v for k, v in feed.items() if k in self._inputs})
        except Exception as error:
            raise RefusedError(f"{CANNOT_RUN}: {brief(error)}") from error
        return dict(zip(self.names, arrays, strict=True))


def zeros(model: ir.Model, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """A feed of zeros, of these shapes."""
    return {str(v.name): np.zeros(shapes[str(v.name)], v.dtype.numpy()) for v in model.graph.inputs if v.dtype}


def numbers_of(model: ir.Model, value: ir.Value, feed: Feed) -> np.ndarray:
    """A constant's numbers, or what a run computes.

    Raises:
        RefusedError: the model does not accept the feed.
    """
    array = constant_of(value)
    return Probe(model, [value]).run(feed)[str(value.name)] if array is None else array


def batches(feed: Feed, size: int) -> Iterator[dict[str, np.ndarray]]:
    """The feed in pieces of at most `size` samples."""
    count = len(next(iter(feed.values())))
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in feed.items()}
