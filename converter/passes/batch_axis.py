"""Proves that a model treats axis 0 as a batch, by following the batch axis from the inputs to the outputs.

A spiking model keeps time and batch merged in one axis, so a node may neither mix samples nor move the batch to another axis
where a neuron stands. For each value the pass knows the axis that holds the samples, or that the value is the same for all
of them. A node type without a rule here leaves the axis open; the caller then has only the test by experiment
(`converter.model.check_batch_by_experiment`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph import captured
from converter.passes.regions import SHAPES

Shapes = dict[str, tuple[int, ...]]


class _Open:
    """The axis of a value behind a node type that has no rule."""


OPEN = _Open()
Axis = int | None | _Open
"""Where a value's samples lie: an axis, None (the same for every sample), or `OPEN`."""


@dataclass
class BatchAxes:
    """What the pass found."""

    axis: dict[str, Axis] = field(default_factory=dict)
    same: set[str] = field(default_factory=set)
    """Values with a row for each sample, all the same: class tokens, zeros, codes of positions."""
    unproven: list[str] = field(default_factory=list)
    """Names of nodes whose type has no rule."""

    def place(self, value: ir.Value) -> int:
        """The axis of the value that holds the samples; 0 where that is not known."""
        axis = self.axis.get(str(value.name))
        return axis if isinstance(axis, int) else 0

    def changes(self, value: ir.Value) -> bool:
        """Whether the value depends on the samples."""
        return self.axis.get(str(value.name)) is not None and value.name not in self.same

    def follow(self, node: ir.Node, shapes: Shapes, batch: int) -> None:
        """Finds the axes of a node's outputs from those of its inputs; arguments as in `trace_batch_axis`.

        Raises:
            RefusedError: the node mixes samples.
        """
        view = _View(node, self.axis, shapes, batch)
        rule = _RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        taken = [value for value in (*node.inputs, *captured(node)) if value is not None and node.op_type not in SHAPES]
        if all(self.axis.get(str(value.name)) is None for value in taken):
            # a shape says how many samples there are, and nothing about any of them
            result: Axis | tuple[Axis, ...] = _repeats(view)
        elif rule is None:
            self.unproven.append(str(node.name or node.outputs[0].name))
            result = OPEN
        elif OPEN in view.axes:
            result = OPEN
        else:
            try:
                result = rule(view)
            except _MixesSamplesError as error:
                raise RefusedError(
                    f"{node.op_type} {error}, so axis 0 is not a batch of independent samples; "
                    "export the model with the batch as axis 0",
                    node=node.name or node.outputs[0].name,
                ) from None
        axes = result if isinstance(result, tuple) else (result,) * len(node.outputs)
        for output, axis in zip(node.outputs, axes, strict=False):
            self.axis[str(output.name)] = axis
            if axis is not None and not any(self.changes(value) for value in taken):
                self.same.add(str(output.name))


class _MixesSamplesError(Exception):
    """A rule found that a node mixes samples; the text says how."""


def trace_batch_axis(model: ir.Model, shapes: Shapes, batch: int) -> BatchAxes:
    """Follows the batch axis through the main graph.

    Args:
        model: the model, its inputs' first axis being the batch.
        shapes: every value's shape in a run with `batch` samples.
        batch: that number; a prime that no other axis is a multiple of makes Reshape unambiguous.

    Raises:
        RefusedError: a node mixes samples, or an output does not hold them in axis 0.
    """
    found = BatchAxes()
    for value in model.graph.inputs:
        found.axis[str(value.name)] = 0
    for node in model.graph:
        found.follow(node, shapes, batch)
    for value in model.graph.outputs:
        axis = found.axis.get(str(value.name))
        if axis not in (0, OPEN):
            where = "is the same for every sample" if axis is None else f"holds the samples in axis {axis}"
            raise RefusedError(f"output {value.name!r} {where}; axis 0 must hold them")
    return found


@dataclass
class _View:
    """A node as its rule sees it: the inputs that depend on the samples, their axes and shapes."""

    node: ir.Node
    known: dict[str, Axis]
    shapes: Shapes
    batch: int

    @property
    def axes(self) -> list[Axis]:
        return [self.known.get(str(value.name)) if value is not None else None for value in self.node.inputs]

    def axis(self, index: int = 0) -> int | None:
        axis = self.axes[index] if index < len(self.node.inputs) else None
        assert not isinstance(axis, _Open)
        return axis

    def shape(self, index: int = 0) -> tuple[int, ...]:
        value = self.node.inputs[index]
        return self.shapes[str(value.name)] if value is not None else ()

    def rank(self, index: int = 0) -> int:
        return len(self.shape(index))

    def output_shape(self) -> tuple[int, ...]:
        return self.shapes[str(self.node.outputs[0].name)]

    def attribute(self, name: str, default: object) -> object:
        attribute = self.node.attributes.get(name)
        return default if attribute is None else attribute.value

    def integer(self, name: str, default: int) -> int:
        value = self.attribute(name, default)
        assert isinstance(value, int)
        return value

    def axes_argument(self, input_index: int, rank: int) -> list[int]:
        """The axes named by an input (or, in old opsets, by the attribute `axes`), counted from 0; none means all."""
        if input_index < len(self.node.inputs) and (value := self.node.inputs[input_index]) is not None:
            constant = value.const_value
            if constant is None:
                raise _MixesSamplesError("takes computed axes")
            named = [int(axis) for axis in np.atleast_1d(constant.numpy())]
        else:
            named = [int(axis) for axis in self.attribute("axes", [])]  # type: ignore[attr-defined]
        return [axis % rank for axis in named]


def _repeats(view: _View) -> int | None:
    """The axis along which this makes rows for each sample, all the same: of a class token, of zeros; None if it does not."""
    place = _TARGET.get(view.node.op_type)
    target = view.node.inputs[place] if place is not None and not view.node.domain else None
    if target is None or target.const_value is not None:
        return None
    shape = view.output_shape()
    blocks = 0 if shape and shape[0] and shape[0] % view.batch == 0 else None
    return shape.index(view.batch) if view.batch in shape else blocks


def _elementwise(view: _View) -> int:
    """Broadcasting aligns axes at the right: the samples of all operands must meet in one axis."""
    rank = len(view.output_shape())
    places = {axis + rank - view.rank(index) for index, axis in enumerate(view.axes) if isinstance(axis, int)}
    if len(places) > 1:
        raise _MixesSamplesError("combines operands whose samples lie in different axes")
    place = places.pop()
    for index, axis in enumerate(view.axes):
        aligned = place - (rank - view.rank(index))
        if axis is None and view.node.inputs[index] is not None and aligned >= 0 and view.shape(index)[aligned] != 1:
            raise _MixesSamplesError("combines the samples with a constant that has a value for each of them")
    return place


def _batch_first(view: _View) -> int:
    if view.axis() != 0:
        raise _MixesSamplesError(f"needs the samples in axis 0, they lie in axis {view.axis()}")
    if any(axis is not None for axis in view.axes[1:]):
        raise _MixesSamplesError("has weights that depend on the samples")
    return 0


def _along(default: int) -> Callable[[_View], int]:
    """An operator that works along one axis, which must not be the batch."""

    def rule(view: _View) -> int:
        axis, rank = _only(view), view.rank()
        if view.integer("axis", default) % rank == axis:
            raise _MixesSamplesError("works along the axis of the samples")
        return axis

    return rule


def _only(view: _View) -> int:
    """The axis of input 0, which alone may depend on the samples."""
    axis = view.axis()
    if axis is None or any(other is not None for other in view.axes[1:]):
        raise _MixesSamplesError("takes an argument that depends on the samples")
    return axis


def _cumulate(view: _View) -> int:
    axis = _only(view)
    if view.axes_argument(1, view.rank()) == [axis]:
        raise _MixesSamplesError("sums over the samples")
    return axis


def _normalise_last(view: _View) -> int:
    axis, first = _only(view), view.integer("axis", -1) % view.rank()
    if axis >= first:
        raise _MixesSamplesError("normalises over the samples")
    return axis


def _recurrent(view: _View) -> tuple[int, ...]:
    """X [seq, batch, input] -> Y [seq, directions, batch, hidden], states [directions, batch, hidden]; or batch first."""
    first = view.integer("layout", 0)
    if view.axis() != (0 if first else 1):
        raise _MixesSamplesError("runs through the samples as if they were a sequence")
    return (0, 0, 0) if first else (2, 1, 1)


def _gemm(view: _View) -> int:
    if view.axis(1) is not None or view.axis(0) is None:
        raise _MixesSamplesError("multiplies by weights that depend on the samples")
    if view.axis(0) != (1 if view.integer("transA", 0) else 0):
        raise _MixesSamplesError("sums over the samples")
    if len(view.node.inputs) > 2 and view.node.inputs[2] is not None:
        if view.axis(2) not in (None, 0):
            raise _MixesSamplesError("adds a term whose samples lie in another axis")
        if view.axis(2) is None and view.rank(2) == 2 and view.shape(2)[0] != 1:
            raise _MixesSamplesError("adds a constant that has a value for each sample")
    return 0


def _matmul(view: _View) -> int:
    rank = len(view.output_shape())
    places = set()
    for index, contracted in ((0, view.rank(0) - 1), (1, max(view.rank(1) - 2, 0))):
        axis = view.axis(index)
        if axis is None:
            continue
        if axis == contracted:
            raise _MixesSamplesError("sums over the samples")
        places.add(axis + rank - view.rank(index) if view.rank(index) > 1 else rank - 1)
    if len(places) > 1 or (
        len(places) == 1 and view.axis(0) is not None and view.axis(1) is not None and places.pop() >= rank - 2
    ):
        raise _MixesSamplesError("multiplies every sample with every other")
    if view.axis(0) is not None:
        return int(view.axis(0)) + rank - view.rank(0)  # type: ignore[arg-type]
    return int(view.axis(1)) + rank - view.rank(1)  # type: ignore[arg-type]


def _reshape(view: _View) -> int:
    """Rows stay in order, so the samples keep an axis exactly if the axes before it keep their product.

    They may share it with axes behind theirs ([L, B, H d] -> [L, B H, d]): it then holds a block for each of them.
    """
    axis, before, after = _only(view), view.shape(), view.output_shape()
    outer = int(np.prod(before[:axis]))
    product = 1
    for place, length in enumerate(after):
        if product == outer and length % view.batch == 0:
            return place
        product *= length
    raise _MixesSamplesError(f"from {list(before)} to {list(after)} spreads the samples over other axes")


def _flatten(view: _View) -> int:
    axis, split = _only(view), view.integer("axis", 1) % (view.rank() + 1)
    if axis != 0 or split == 0:
        raise _MixesSamplesError("merges the samples into the features")
    if split > 1 and int(np.prod(view.shape()[1:split])) != 1:
        return 0  # [B*k, ...]: still one block of rows for each sample
    return 0


def _transpose(view: _View) -> int:
    permutation = view.attribute("perm", list(range(view.rank()))[::-1])
    return list(permutation).index(_only(view))  # type: ignore[call-overload, no-any-return]


def _concat(view: _View) -> int:
    axes = {axis for axis in view.axes if isinstance(axis, int)}
    if len(axes) > 1:
        raise _MixesSamplesError("joins values whose samples lie in different axes")
    axis = axes.pop()
    if view.integer("axis", 0) % len(view.output_shape()) == axis:
        raise _MixesSamplesError("joins along the axis of the samples")
    for index, other in enumerate(view.axes):
        if other is None and view.shape(index)[axis] != 1 and view.shape(index)[axis] != view.batch:
            raise _MixesSamplesError("joins the samples with a constant that has a value for each of them")
    return axis


def _slice(view: _View) -> int:
    axis, rank = _only(view), view.rank()
    axes = view.axes_argument(3, rank) if len(view.node.inputs) > 3 else list(range(view.shape(1)[0]))
    if axis in axes and view.output_shape()[axis] != view.shape()[axis]:
        raise _MixesSamplesError("cuts the axis of the samples")
    return axis


def _gather(view: _View) -> int:
    along = view.integer("axis", 0) % view.rank()
    axis, indices = view.axis(0), view.rank(1)
    if axis is None:
        return along + int(view.axis(1))  # type: ignore[arg-type]
    if view.axis(1) is not None or along == axis:
        raise _MixesSamplesError("picks among the samples")
    return axis if along > axis else axis + indices - 1


def _gather_nd(view: _View) -> int:
    data, indices = view.axis(0), view.axis(1)
    if data is None and indices is not None and indices < view.rank(1) - 1:
        return indices
    if data != 0 or view.integer("batch_dims", 0) < 1 or indices not in (None, 0):
        raise _MixesSamplesError("picks among the samples")
    return 0


def _gather_elements(view: _View) -> int:
    axis = next(axis for axis in view.axes if isinstance(axis, int))
    if any(other not in (None, axis) for other in view.axes):
        raise _MixesSamplesError("combines operands whose samples lie in different axes")
    if view.integer("axis", 0) % view.rank() == axis:
        raise _MixesSamplesError("picks among the samples")
    if None in view.axes:
        raise _MixesSamplesError("combines the samples with a constant that has a value for each of them")
    return axis


def _unsqueeze(view: _View) -> int:
    axis = _only(view)
    for inserted in sorted(view.axes_argument(1, len(view.output_shape()))):
        axis += inserted <= axis
    return axis


def _squeeze(view: _View) -> int:
    axis = _only(view)
    removed = view.axes_argument(1, view.rank()) or [i for i, length in enumerate(view.shape()) if length == 1]
    if axis in removed:
        raise _MixesSamplesError("drops the axis of the samples")
    return axis - sum(other < axis for other in removed)


def _reduce(view: _View) -> int:
    axis = _only(view)
    removed = view.axes_argument(1, view.rank()) or list(range(view.rank()))
    if axis in removed:
        raise _MixesSamplesError("reduces over the samples")
    return axis if view.integer("keepdims", 1) else axis - sum(other < axis for other in removed)


def _arg(view: _View) -> int:
    axis, along = _only(view), view.integer("axis", 0) % view.rank()
    if along == axis:
        raise _MixesSamplesError("searches over the samples")
    return axis if view.integer("keepdims", 1) or along > axis else axis - 1


def _pad(view: _View) -> int:
    axis = _only(view)
    if view.output_shape()[axis] != view.shape()[axis]:
        raise _MixesSamplesError("pads the axis of the samples")
    return axis


def _same_length(view: _View) -> int:
    """Resize, Tile, Expand: the axis of the samples keeps its length."""
    axis = _only(view) + len(view.output_shape()) - view.rank()
    if view.output_shape()[axis] != view.shape()[_only(view)]:
        raise _MixesSamplesError("changes the number of samples")
    return axis


def _einsum(view: _View) -> Axis:
    equation = str(view.attribute("equation", "")).replace(" ", "")
    terms, arrow, result = equation.partition("->")
    if not arrow or "." in equation:
        return OPEN
    by_term = list(zip(terms.split(","), view.axes, strict=True))
    letters = {term[axis] for term, axis in by_term if isinstance(axis, int)}
    if len(letters) > 1:
        raise _MixesSamplesError("combines operands whose samples lie in different axes")
    (letter,) = letters
    if any(axis is None and letter in term for term, axis in by_term):
        raise _MixesSamplesError("combines the samples with a constant that has a value for each of them")
    if letter not in result:
        raise _MixesSamplesError("sums over the samples")
    return result.index(letter)


_TARGET = {"Expand": 1, "Tile": 1, "ConstantOfShape": 0}
"""Where operators that repeat something take the new lengths."""
ELEMENTWISE = """
Abs Acos Acosh Add And Asin Asinh Atan Atanh Cast CastLike Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp Floor Gelu
Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul
Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Tan Tanh
ThresholdedRelu Where Xor Swish DequantizeLinear QuantizeLinear
""".split()
_BATCH_FIRST = """
AveragePool BatchNormalization Conv ConvTranspose DepthToSpace GlobalAveragePool GlobalLpPool GlobalMaxPool
InstanceNormalization GroupNormalization LRN LpPool MaxPool SpaceToDepth
""".split()

_RULES: dict[str, Callable[[_View], Axis | tuple[Axis, ...]]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(_BATCH_FIRST, _batch_first),
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
