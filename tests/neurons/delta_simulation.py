"""The delta code on a trained model, without a spiking graph: an independent simulation, step by step.

A layer that has added up all weighted spikes, and its bias once, holds W S + b, S being the sum of what its input sent. So the
trained model is run with S in the place of every value that enters weights, value by value in the order of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN")


@dataclass(frozen=True)
class Numbers:
    """Of a neuron, arrays that broadcast against its value."""

    threshold: np.ndarray
    resting_value: np.ndarray
    finest_exponent: np.ndarray
    refinements: int


def simulate(
    trained: onnx.ModelProto,
    numbers: Mapping[str, Numbers],
    feed: Mapping[str, np.ndarray],
    n_steps: int,
    *,
    spikes_a_step: int = 1,
    exact_skips: bool = False,
) -> dict[str, np.ndarray]:
    """What each value has sent after each step, ``[T, B, ...]``, and the outputs after the last step, by name.

    Args:
        trained: the model, its nodes in order.
        numbers: of the neurons by the name of their value, in the order of the graph.
        feed: its inputs.
        n_steps: T.
        spikes_a_step: most spikes of a neuron in one step.
        exact_skips: what is no layer with weights reads the values themselves.
    """
    model = onnx.ModelProto()
    model.CopyFrom(trained)
    constants = {tensor.name for tensor in model.graph.initializer}
    outputs = [value.name for value in model.graph.output]
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            reads_sum = node.op_type in WEIGHTED or not exact_skips
            if name in numbers and reads_sum and node.op_type not in ("Shape", "Size"):
                node.input[index] = f"{name}/sum"
    values = [name for name in numbers if name not in {value.name for value in model.graph.input}]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in values if name not in outputs)
    for name in numbers:
        model.graph.input.append(onnx.helper.make_tensor_value_info(f"{name}/sum", onnx.TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    assert constants.isdisjoint(feed)

    plain = ort.InferenceSession(_with_outputs(trained, values), options, providers=["CPUExecutionProvider"])
    shapes = dict(zip(values, (array.shape for array in plain.run(values, dict(feed))), strict=True))
    shapes |= {name: array.shape for name, array in feed.items() if name in numbers}
    in_thresholds = {name: np.zeros(shapes[name], np.float32) for name in numbers}
    sums = {name: _sum(numbers[name], in_thresholds[name]) for name in numbers}
    history: dict[str, list[np.ndarray]] = {name: [] for name in numbers}
    for t in range(n_steps):
        for name, of_neuron in numbers.items():
            now = {**feed, **{f"{other}/sum": array for other, array in sums.items()}}
            target = feed[name] if name in feed else session.run([name], now)[0]
            in_thresholds[name] = _after_step(of_neuron, target, in_thresholds[name], t, spikes_a_step)
            sums[name] = _sum(of_neuron, in_thresholds[name])
            history[name].append(sums[name])
    last = session.run(outputs, {**feed, **{f"{name}/sum": array for name, array in sums.items()}})
    return {name: np.stack(steps) for name, steps in history.items()} | dict(zip(outputs, last, strict=True))


def _sum(numbers: Numbers, sent: np.ndarray) -> np.ndarray:
    return (numbers.resting_value + numbers.threshold * sent).astype(np.float32)


def _after_step(numbers: Numbers, target: np.ndarray, sent: np.ndarray, t: int, spikes: int) -> np.ndarray:
    """Height by height, from the largest on: the first that 3/4 of it does not exceed what is missing."""
    finest = np.broadcast_to(numbers.finest_exponent + min(t, numbers.refinements), target.shape)
    missing = (target - numbers.resting_value) / numbers.threshold - sent
    for _ in range(spikes):
        spike = np.zeros_like(missing)
        for exponent in range(31):
            height = np.float32(2.0**-exponent)
            least = np.float32(0.75) * np.maximum(
                height, np.exp2(-finest)
            )  # no height is below 2^-finest; of a finest below 0,
            fits = (
                (np.abs(missing) >= least) & (exponent <= np.maximum(finest, 0)) & (spike == 0)
            )  # the largest waits longer
            spike[fits] = height
        spike = np.copysign(spike, missing)
        sent, missing = sent + spike, missing - spike
    return sent


def _with_outputs(model: onnx.ModelProto, names: list[str]) -> bytes:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return copy.SerializeToString()
