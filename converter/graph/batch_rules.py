"""Where each ONNX operator puts the samples of its inputs, and which of them mix samples: one rule per operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.graph.op_facts import OPS, Channels, facts
from converter.graph.shapes import Shapes

RUNS_THROUGH = "runs through the samples as if they were a sequence"


class Open:
    """The axis of a value that comes from a node type without a rule."""


OPEN = Open()
Axis = int | None | Open
"""Where a value's samples lie: an axis, None (the same for every sample), or `OPEN`."""


class MixesSamplesError(Exception):
    """A rule found that a node mixes samples; the text says how."""


class UnclearError(Exception):
    """A rule cannot tell where a node puts the samples; the text says why, and what to do."""


@dataclass
class View:
    """A node as its rule sees it: the axes of its inputs, and shapes in a run with `batch` samples."""

    node: ir.Node
    axis_of: Mapping[str, Axis]
    shapes: Shapes
    batch: int

    @property
    def axes(self) -> list[Axis]:
        """Of all inputs."""
        return [self.axis_of.get(str(value.name)) if value is not None else None for value in self.node.inputs]

    def axis(self, index: int = 0) -> int | None:
        """Of an input."""
        axis = self.axes[index] if index < len(self.node.inputs) else None
        assert not isinstance(axis, Open)
        return axis

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """Of an input."""
        value = self.node.inputs[index]
        return self.shapes[str(value.name)] if value is not None else ()

    def rank(self, index: int = 0) -> int:
        """Of an input."""
        return len(self.shape(index))

    def output_shape(self) -> tuple[int, ...]:
        """Of the first output."""
        return self.shapes[str(self.node.outputs[0].name)]

    def attribute(self, name: str, default: object) -> object:
        """An attribute's value."""
        attribute = self.node.attributes.get(name)
        return default if attribute is None else attribute.value

    def integer(self, name: str, default: int) -> int:
        """The value of an attribute that is an integer."""
        value = self.attribute(name, default)
        assert isinstance(value, int)
        return value

    def axes_argument(self, input_index: int, rank: int) -> list[int]:
        """The axes named by an input (or, in old opsets, by the attribute `axes`), counted from 0; none means all."""
        if input_index < len(self.node.inputs) and (value := self.node.inputs[input_index]) is not None:
            constant = value.const_value
            if constant is None:
                raise UnclearError(
                    "takes axes that are computed when the model runs, so where its samples lie is not known; export the model "
                    "with constant ones"
                )
            named = [int(axis) for axis in np.atleast_1d(constant.numpy())]
        else:
            named = [int(axis) for axis in self.attribute("axes", [])]  # type: ignore[attr-defined]
        return [axis % rank for axis in named]


def repeats(view: View) -> int | None:
    """The axis along which a node makes rows for each sample, all the same: of a class token, of zeros; None if it does not."""
    lengths = facts(view.node).lengths
    target = view.node.inputs[lengths] if lengths is not None else None
    if target is None or target.const_value is not None:
        return None
    shape = view.output_shape()
    blocks = 0 if shape and shape[0] and shape[0] % view.batch == 0 else None
    return shape.index(view.batch) if view.batch in shape else blocks


def _elementwise(view: View) -> int:
    """Broadcasting aligns axes at the right: the samples of all operands must meet in one axis."""
    rank = len(view.output_shape())
    places = {axis + rank - view.rank(index) for index, axis in enumerate(view.axes) if isinstance(axis, int)}
    if len(places) > 1:
        raise MixesSamplesError("combines operands whose samples lie in different axes")
    place = places.pop()
    for index, axis in enumerate(view.axes):
        aligned = place - (rank - view.rank(index))
        if axis is None and view.node.inputs[index] is not None and aligned >= 0 and view.shape(index)[aligned] != 1:
            raise MixesSamplesError("combines the samples with a constant that has a value for each of them")
    return place


def _batch_first(view: View) -> int:
    if view.axis() != 0:
        raise UnclearError(
            f"needs the samples in axis 0, they lie in axis {view.axis()}; export the model with the batch as axis 0"
        )
    if any(axis is not None for axis in view.axes[1:]):
        raise MixesSamplesError("has weights that depend on the samples")
    return 0


def _along(default: int) -> Callable[[View], int]:
    """An operator that works along one axis, which must not be the batch."""

    def rule(view: View) -> int:
        axis, rank = _only(view), view.rank()
        if view.integer("axis", default) % rank == axis:
            raise MixesSamplesError("works along the axis of the samples")
        return axis

    return rule


def _only(view: View) -> int:
    """The axis of input 0, which alone may depend on the samples."""
    axis = view.axis()
    if axis is None or any(other is not None for other in view.axes[1:]):
        raise MixesSamplesError("takes an argument that depends on the samples")
    return axis


def _cumulate(view: View) -> int:
    axis = _only(view)
    if view.axes_argument(1, view.rank()) == [axis]:
        raise MixesSamplesError("sums over the samples")
    return axis


def _normalise_last(view: View) -> int:
    """Scale and bias broadcast to the input, and may be each sample's own."""
    axis = view.axis()
    if axis is not None and axis >= view.integer("axis", -1) % view.rank():
        raise MixesSamplesError("normalises over the samples")
    return _elementwise(view)


def _recurrent(view: View) -> tuple[int, ...]:
    """X [seq, batch, input] -> Y [seq, directions, batch, hidden], states [directions, batch, hidden]; or batch first."""
    first = view.integer("layout", 0)
    if view.axis() != (0 if first else 1):
        raise MixesSamplesError(RUNS_THROUGH)
    for index, value in enumerate(view.node.inputs[4:], 4):  # lengths [batch], states [directions, batch, hidden]
        place = 0 if first or index == 4 else 1
        if value is not None and view.axes[index] is None and view.shape(index)[place : place + 1] != (view.batch,):
            raise MixesSamplesError(f"has constants for {view.shape(index)[place]} samples, {value.name!r}")
    return (0, 0, 0) if first else (2, 1, 1)


def _gemm(view: View) -> int:
    if view.axis(0) is None:
        raise UnclearError("takes the samples as its second factor; export the model with them as the first")
    if view.axis(1) is not None:
        raise MixesSamplesError("multiplies by weights that depend on the samples")
    if view.axis(0) != (1 if view.integer("transA", 0) else 0):
        raise MixesSamplesError("sums over the samples")
    if len(view.node.inputs) > 2 and view.node.inputs[2] is not None:
        if view.axis(2) not in (None, 0):
            raise MixesSamplesError("adds a term whose samples lie in another axis")
        if view.axis(2) is None and view.rank(2) == 2 and view.shape(2)[0] != 1:
            raise MixesSamplesError("adds a constant that has a value for each sample")
    return 0


def _matmul(view: View) -> int:
    rank = len(view.output_shape())
    places = set()
    for index, contracted in ((0, view.rank(0) - 1), (1, max(view.rank(1) - 2, 0))):
        axis = view.axis(index)
        if axis is None:
            continue
        if axis == contracted:
            raise MixesSamplesError("sums over the samples")
        places.add(axis + rank - view.rank(index) if view.rank(index) > 1 else rank - 1)
    if len(places) > 1 or (
        len(places) == 1 and view.axis(0) is not None and view.axis(1) is not None and places.pop() >= rank - 2
    ):
        raise MixesSamplesError("multiplies every sample with every other")
    if view.axis(0) is not None:
        return int(view.axis(0)) + rank - view.rank(0)  # type: ignore[arg-type]
    return int(view.axis(1)) + rank - view.rank(1)  # type: ignore[arg-type]


def _reshape(view: View) -> int:
    """Rows stay in order, so the samples keep an axis exactly if the axes before it keep their product.

    They may share it with axes after theirs ([L, B, H d] -> [L, B H, d]): it then holds a block for each of them.
    """
    axis, before, after = _only(view), view.shape(), view.output_shape()
    outer = int(np.prod(before[:axis]))
    product = 1
    for place, length in enumerate(after):
        if product == outer and length % view.batch == 0:
            return place
        product *= length
    raise MixesSamplesError(f"from {list(before)} to {list(after)} spreads the samples over other axes")


def _flatten(view: View) -> int:
    axis, split = _only(view), view.integer("axis", 1) % (view.rank() + 1)
    if axis != 0 or split == 0:
        raise MixesSamplesError("merges the samples into the features")
    if split > 1 and int(np.prod(view.shape()[1:split])) != 1:
        return 0  # [B*k, ...]: still one block of rows for each sample
    return 0


def _transpose(view: View) -> int:
    permutation = view.attribute("perm", list(range(view.rank()))[::-1])
    return list(permutation).index(_only(view))  # type: ignore[call-overload, no-any-return]


def _concat(view: View) -> int:
    axes = {axis for axis in view.axes if isinstance(axis, int)}
    if len(axes) > 1:
        raise MixesSamplesError("joins values whose samples lie in different axes")
    axis = axes.pop()
    if view.integer("axis", 0) % len(view.output_shape()) == axis:
        raise MixesSamplesError("joins along the axis of the samples")
    for index, other in enumerate(view.axes):
        if other is None and view.shape(index)[axis] != 1 and view.shape(index)[axis] != view.batch:
            raise MixesSamplesError("joins the samples with a constant that has a value for each of them")
    return axis


def _slice(view: View) -> int:
    axis, rank = _only(view), view.rank()
    axes = view.axes_argument(3, rank) if len(view.node.inputs) > 3 else list(range(view.shape(1)[0]))
    if axis in axes and view.output_shape()[axis] != view.shape()[axis]:
        raise MixesSamplesError("cuts the axis of the samples")
    return axis


def _gather(view: View) -> int:
    along = view.integer("axis", 0) % view.rank()
    axis, indices = view.axis(0), view.rank(1)
    if axis is None:
        return along + int(view.axis(1))  # type: ignore[arg-type]
    if view.axis(1) is not None or along == axis:
        raise MixesSamplesError("picks among the samples")
    return axis if along > axis else axis + indices - 1


def _gather_nd(view: View) -> int:
    data, indices = view.axis(0), view.axis(1)
    if data is None and indices is not None and indices < view.rank(1) - 1:
        return indices
    behind = view.integer("batch_dims", 0) + view.shape(1)[-1]
    if data is not None and indices is None and data >= behind:  # an axis that the indices leave whole
        return view.rank(1) - 1 + data - behind
    if data != 0 or view.integer("batch_dims", 0) < 1 or indices not in (None, 0):
        raise MixesSamplesError("picks among the samples")
    return 0


def _gather_elements(view: View) -> int:
    axis = next(axis for axis in view.axes if isinstance(axis, int))
    if any(other not in (None, axis) for other in view.axes):
        raise MixesSamplesError("combines operands whose samples lie in different axes")
    if view.integer("axis", 0) % view.rank() == axis:
        raise MixesSamplesError("picks among the samples")
    if None in view.axes:
        raise MixesSamplesError("combines the samples with a constant that has a value for each of them")
    return axis


def _unsqueeze(view: View) -> int:
    axis = _only(view)
    for inserted in sorted(view.axes_argument(1, len(view.output_shape()))):
        axis += inserted <= axis
    return axis


def _squeeze(view: View) -> int:
    axis = _only(view)
    removed = view.axes_argument(1, view.rank()) or [i for i, length in enumerate(view.shape()) if length == 1]
    if axis in removed:
        raise MixesSamplesError("drops the axis of the samples")
    return axis - sum(other < axis for other in removed)


def _reduce(view: View) -> int:
    axis = _only(view)
    removed = view.axes_argument(1, view.rank()) or list(range(view.rank()))
    if axis in removed:
        raise MixesSamplesError("reduces over the samples")
    return axis if view.integer("keepdims", 1) else axis - sum(other < axis for other in removed)


def _arg(view: View) -> int:
    axis, along = _only(view), view.integer("axis", 0) % view.rank()
    if along == axis:
        raise MixesSamplesError("searches over the samples")
    return axis if view.integer("keepdims", 1) or along > axis else axis - 1


def _pad(view: View) -> int:
    axis = _only(view)
    if view.output_shape()[axis] != view.shape()[axis]:
        raise MixesSamplesError("pads the axis of the samples")
    return axis


def _same_length(view: View) -> int:
    """Resize, Tile, Expand: the axis of the samples keeps its length."""
    axis = _only(view) + len(view.output_shape()) - view.rank()
    if view.output_shape()[axis] != view.shape()[_only(view)]:
        raise MixesSamplesError("changes the number of samples")
    return axis


def _einsum(view: View) -> Axis:
    equation = str(view.attribute("equation", "")).replace(" ", "")
    terms, arrow, result = equation.partition("->")
    if not arrow or "." in equation:
        return OPEN
    by_term = list(zip(terms.split(","), view.axes, strict=True))
    letters = {term[axis] for term, axis in by_term if isinstance(axis, int)}
    if len(letters) > 1:
        raise MixesSamplesError("combines operands whose samples lie in different axes")
    (letter,) = letters
    if any(axis is None and letter in term for term, axis in by_term):
        raise MixesSamplesError("combines the samples with a constant that has a value for each of them")
    if letter not in result:
        raise MixesSamplesError("sums over the samples")
    return result.index(letter)


Rule = Callable[[View], Axis | tuple[Axis, ...]]
"""Gives the axis of a node's outputs, or of each. Raises `MixesSamplesError` and `UnclearError`."""
RULES: Mapping[str, Rule] = {
    **{name: _elementwise for name, row in OPS.items() if row.elementwise},
    **{name: _batch_first for name, row in OPS.items() if row.channels is Channels.FIRST},
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "TopK"), _along(-1)),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _normalise_last),
    **dict.fromkeys(
        (
            "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
            "ReduceProd", "ReduceSum", "ReduceSumSquare",
        ),
        _reduce,
    ),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys(("Resize", "Upsample", "Tile", "Expand"), _same_length),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "Concat": _concat,
    "CumSum": _cumulate,
    "Einsum": _einsum,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _along(0),
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}  # fmt: skip
