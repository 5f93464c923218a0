"""What the spikes of a model cause, counted weight by weight in plain Python: every spike walks on until it meets weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import onnx

import snn_ops

Index = tuple[int, ...]


class Walker:
    """Follows single spikes through a spiking model.

    Args:
        model: as it stands in the file.
        x: one sample, for the shapes.
    """

    def __init__(self, model: onnx.ModelProto, x: np.ndarray) -> None:
        self.model = model
        self.arrays = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
        names = [name for node in model.graph.node for name in node.output if name]
        probe = onnx.ModelProto()
        probe.CopyFrom(model)
        known = {output.name for output in probe.graph.output}
        probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
        session = snn_ops.Session(probe, n_steps=1, batch_size=1)
        self.shapes = {n: a.shape for n, a in zip(session.output_names, session.run(x), strict=True)}
        self.shapes |= {model.graph.input[0].name: x.shape} | {n: a.shape for n, a in self.arrays.items()}

    def additions(self, value: str, index: Index) -> int:
        """How many additions a spike at this element causes."""
        count = 0
        for node in self.model.graph.node:
            for operand, name in enumerate(node.input):
                if name != value:
                    continue
                if node.op_type in ("Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum"):
                    count += sum(1 for _ in self._products(node, operand, index))
                elif node.domain != snn_ops.DOMAIN or node.op_type in ("TimeMean", "TimeLast", "TimeRepeat"):
                    count += sum(self.additions(node.output[0], there) for there in self._reached(node, operand, index))
        return count

    def _products(self, node: onnx.NodeProto, operand: int, index: Index) -> Iterator[Index]:
        """The weights that an element of a layer's input meets, each as often as it does."""
        weights = self.shapes[node.input[1 - operand]]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type in ("Conv", "ConvTranspose"):
            assert operand == 0
            yield from self._offsets(node, attributes, index, weights)
        elif node.op_type == "Einsum":
            mine, other = attributes["equation"].decode().replace(" ", "").split("->")[0].split(",")[:: 1 - 2 * operand]
            yield from (
                there
                for there in np.ndindex(*weights)
                if all(
                    there[other.index(letter)] == i for letter, i in zip(mine, index, strict=True) if letter in other
                )
            )
        else:
            turned = attributes.get("transB" if operand == 0 else "transA", 0)
            rank = len(weights)
            row = rank - 2 if operand == 0 else rank - 1
            if turned:
                row = 2 * rank - 3 - row
            summed = index[-1] if operand == 0 else index[-2]
            for there in np.ndindex(*weights):
                same_batch = all(a in (b, 0) for a, b in zip(there[-3::-1], index[-3::-1], strict=False))
                if there[row] == summed and (same_batch or rank == 2):
                    yield there
            # a matrix of weights at the left meets each column once, one at the right each row: nothing to repeat

    def _offsets(self, node: onnx.NodeProto, attributes: dict, index: Index, weights: Index) -> Iterator[Index]:
        """Of a convolution: output channel and place in the kernel, where there is such an output."""
        spatial = len(index) - 2
        strides, dilations = attributes.get("strides", [1] * spatial), attributes.get("dilations", [1] * spatial)
        pads, group = attributes.get("pads", [0] * 2 * spatial), attributes.get("group", 1)
        lengths = self.shapes[node.output[0]][2:]
        if "auto_pad" in attributes:  # as much of a border as the outputs need, the odd one at the end or the beginning
            sizes = zip(lengths, strides, weights[2:], index[2:], self.shapes[node.input[0]][2:], strict=True)
            totals = [(outputs - 1) * stride + kernel - length for outputs, stride, kernel, _, length in sizes]
            lower = attributes["auto_pad"] == b"SAME_LOWER"
            pads = [(max(total, 0) + lower) // 2 for total in totals]
        channels = weights[1] if node.op_type == "ConvTranspose" else weights[0] // group
        for channel, kernel in itertools.product(range(channels), np.ndindex(*weights[2:])):
            for axis in range(spatial):
                offset = kernel[axis] * dilations[axis] - pads[axis]
                if node.op_type == "ConvTranspose":
                    if not 0 <= index[2 + axis] * strides[axis] + offset < lengths[axis]:
                        break
                elif not any(o * strides[axis] + offset == index[2 + axis] for o in range(lengths[axis])):
                    break
            else:
                yield (channel, *kernel)

    def _reached(self, node: onnx.NodeProto, operand: int, index: Index) -> Iterator[Index]:
        """The elements of a result that an element of an operand is part of."""
        before, after = self.shapes[node.input[operand]], self.shapes[node.output[0]]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type in ("Identity", "TimeMean", "TimeLast", "TimeRepeat", "Add", "Sub"):
            yield index
        elif node.op_type == "Mul":
            factor = np.broadcast_to(self.arrays[node.input[1 - operand]], before)
            if factor[index]:
                yield index
        elif node.op_type in ("Reshape", "Flatten"):
            yield tuple(int(i) for i in np.unravel_index(np.ravel_multi_index(index, before), after))
        elif node.op_type == "Transpose":
            yield tuple(index[axis] for axis in attributes["perm"])
        elif node.op_type == "Concat":
            axis = attributes["axis"]
            shift = sum(self.shapes[name][axis] for name in node.input[:operand])
            yield (*index[:axis], index[axis] + shift, *index[axis + 1 :])
        elif node.op_type == "Pad":
            yield tuple(i + int(shift) for i, shift in zip(index, self.arrays[node.input[1]], strict=False))
        elif node.op_type in ("GlobalAveragePool", "ReduceMean"):
            yield tuple(i if length > 1 or i == 0 else 0 for i, length in zip(index, after, strict=True))
        elif node.op_type == "AveragePool":
            strides, pads = attributes["strides"], attributes.get("pads", [0, 0, 0, 0])
            for there in itertools.product(*(range(length) for length in after[2:])):
                inside = [
                    0 <= i + pad - o * stride < length
                    for i, pad, o, stride, length in zip(
                        index[2:], pads, there, strides, attributes["kernel_shape"], strict=False
                    )
                ]
                if all(inside):
                    yield (*index[:2], *there)
        # any other gives numbers that are no spikes
