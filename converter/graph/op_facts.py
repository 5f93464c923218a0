"""Facts about ONNX's operators: one table, a row per operator, a column per fact.

A pass asks for a fact, not for a list of names. Which nodes a rewrite is about (``Gemm`` between two ``Reshape``) is no fact
about operators and stands in the pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

import onnx_ir as ir

Changes = Callable[[ir.Value], bool]
"""Whether a value depends on the samples, or differs from step to step."""


class Linear(Enum):
    """In which inputs the result is linear, up to a constant term."""

    ALL = "all"
    """In all of them together: x + y."""
    ONE = "one"
    """In any single one, while the others stay: x y."""
    FIRST = "first"
    """In input 0, while the others stay: x / y."""


class Sign(Enum):
    """What is known of the result's sign."""

    NEVER_NEGATIVE = "never negative"
    OF_FIRST = "of input 0"
    """Not negative where input 0 is not."""
    OF_ALL = "of all inputs"
    """Not negative where no input is."""


class Channels(Enum):
    """Where the result has its channels."""

    FIRST = "first"
    """In axis 1 of ``[samples, channels, ...]``, and the input has them there too."""
    LAST = "last"
    """In the last axis, ``[..., channels]``."""
    LOST = "lost"
    """Axes are merged, made, dropped or joined: where the input had its channels says nothing."""


class Cost(Enum):
    """What each element takes in hardware."""

    NOTHING = "nothing"
    """Its number is moved or picked."""
    ADDITION = "addition"
    """An addition or a comparison."""
    MULTIPLICATION = "multiplication"
    TABLE = "table"
    """A function that is read from a table."""


@dataclass(frozen=True)
class OpFacts:
    """A row of the table.

    Attributes:
        elementwise: each number of the result follows from one number of each input, which broadcast.
        linear: in which inputs the result is linear; None: in none. `is_linear` asks about a node.
        weighted: a layer: many products of a signal and trained numbers, if one of its inputs is a constant.
        sign: what is known of the result's sign.
        channels: where the result has its channels; None: where the input has them, or nothing is known.
        passes_on: not linear, but what comes in goes out in another scale or number, as in a maximum or a normalisation.
        truth_value: gives true or false.
        converts: gives the same numbers as another type of elements.
        moves: only moves, picks or repeats numbers of its inputs.
        pools: many numbers of an image become one, without weights.
        reduces: a sum, a mean, a maximum or the like along axes.
        joins: has an axis along which operands are joined or picked from; they need as many rows along every other axis.
        recurrent: keeps a state of its own over a sequence.
        initial_states: the inputs that are states before a sequence, ``[directions, samples, hidden]``.
        lengths: the input that says how often something is repeated or made; None: there is none.
        reads_shape: takes nothing of its input but the shape.
        random: draws other numbers in every run.
        cost: what each element takes that is computed; `takes` asks about a row.
        reads_more: it reads more elements than it gives, and each that it reads takes that.
    """

    elementwise: bool = False
    linear: Linear | None = None
    weighted: bool = False
    sign: Sign | None = None
    channels: Channels | None = None
    passes_on: bool = False
    truth_value: bool = False
    converts: bool = False
    moves: bool = False
    pools: bool = False
    reduces: bool = False
    joins: bool = False
    recurrent: bool = False
    initial_states: tuple[int, ...] = ()
    lengths: int | None = None
    reads_shape: bool = False
    random: bool = False
    cost: Cost = Cost.ADDITION
    reads_more: bool = False


_by_element = partial(OpFacts, elementwise=True)
_truth_value = partial(OpFacts, elementwise=True, truth_value=True)
_of_table = partial(OpFacts, elementwise=True, cost=Cost.TABLE)
_moves = partial(OpFacts, linear=Linear.FIRST, sign=Sign.OF_FIRST, moves=True)
"""What only moves, picks or repeats numbers of input 0."""
_of_images = partial(OpFacts, channels=Channels.FIRST)
_reduces = partial(OpFacts, reads_more=True, reduces=True)
_pools = partial(_of_images, pools=True, reads_more=True)

OPS: Mapping[str, OpFacts] = {
    # functions of each number
    "Abs": _by_element(sign=Sign.NEVER_NEGATIVE),
    "Acos": _of_table(),
    "Acosh": _of_table(),
    "Asin": _of_table(),
    "Asinh": _of_table(),
    "Atan": _of_table(),
    "Atanh": _of_table(),
    "Ceil": _by_element(),
    "Celu": _of_table(),
    "Clip": _by_element(),
    "Cos": _of_table(),
    "Cosh": _of_table(),
    "Elu": _of_table(),
    "Erf": _of_table(),
    "Exp": _of_table(sign=Sign.NEVER_NEGATIVE),
    "Floor": _by_element(),
    "Gelu": _of_table(),
    "HardSigmoid": _of_table(sign=Sign.NEVER_NEGATIVE),
    "HardSwish": _of_table(),
    "LeakyRelu": _by_element(cost=Cost.MULTIPLICATION),
    "Log": _of_table(),
    "Mish": _of_table(),
    "Neg": _by_element(linear=Linear.ALL),
    "PRelu": _by_element(cost=Cost.MULTIPLICATION),
    "Reciprocal": _of_table(),
    "Relu": _by_element(sign=Sign.NEVER_NEGATIVE),
    "Round": _by_element(),
    "Selu": _of_table(),
    "Shrink": _by_element(),
    "Sigmoid": _of_table(sign=Sign.NEVER_NEGATIVE),
    "Sign": _by_element(),
    "Sin": _of_table(),
    "Sinh": _of_table(),
    "Softplus": _of_table(sign=Sign.NEVER_NEGATIVE),
    "Softsign": _of_table(),
    "Sqrt": _of_table(),
    "Swish": _of_table(),
    "Tan": _of_table(),
    "Tanh": _of_table(),
    "ThresholdedRelu": _by_element(),
    # the number itself, perhaps as another type
    "Cast": _by_element(linear=Linear.FIRST, converts=True),
    "CastLike": _by_element(linear=Linear.FIRST, converts=True),
    "DequantizeLinear": _by_element(converts=True),
    "Dropout": _by_element(linear=Linear.FIRST, sign=Sign.OF_FIRST, moves=True),
    "Identity": _by_element(linear=Linear.ALL, sign=Sign.OF_FIRST, moves=True),
    "QuantizeLinear": _by_element(converts=True),
    # functions of several numbers
    "Add": _by_element(linear=Linear.ALL, sign=Sign.OF_ALL),
    "Div": _of_table(linear=Linear.FIRST),
    "Max": _by_element(sign=Sign.OF_ALL, passes_on=True),
    "Mean": _by_element(linear=Linear.ALL, sign=Sign.OF_ALL),
    "Min": _by_element(sign=Sign.OF_ALL, passes_on=True),
    "Mod": _by_element(),
    "Mul": _by_element(linear=Linear.ONE, cost=Cost.MULTIPLICATION),
    "Pow": _of_table(),
    "Sub": _by_element(linear=Linear.ALL),
    "Sum": _by_element(linear=Linear.ALL, sign=Sign.OF_ALL),
    "Where": _by_element(),
    # true or false
    "And": _truth_value(),
    "Equal": _truth_value(),
    "Greater": _truth_value(),
    "GreaterOrEqual": _truth_value(),
    "IsInf": _truth_value(),
    "IsNaN": _truth_value(),
    "Less": _truth_value(),
    "LessOrEqual": _truth_value(),
    "Not": _truth_value(),
    "Or": _truth_value(),
    "Xor": _truth_value(),
    # layers
    "Conv": _of_images(linear=Linear.FIRST, weighted=True),
    "ConvTranspose": _of_images(linear=Linear.FIRST, weighted=True),
    "Einsum": OpFacts(linear=Linear.ONE, weighted=True),
    "Gemm": OpFacts(linear=Linear.ONE, weighted=True, channels=Channels.LAST),
    "MatMul": OpFacts(linear=Linear.ONE, weighted=True, channels=Channels.LAST),
    # poolings and normalisations of images
    "AveragePool": _pools(linear=Linear.FIRST, sign=Sign.OF_FIRST),
    "BatchNormalization": _of_images(linear=Linear.FIRST, cost=Cost.MULTIPLICATION),
    "DepthToSpace": _moves(channels=Channels.FIRST),
    "GlobalAveragePool": _pools(linear=Linear.FIRST, sign=Sign.OF_FIRST),
    "GlobalLpPool": _pools(),
    "GlobalMaxPool": _pools(sign=Sign.OF_FIRST, passes_on=True),
    "GroupNormalization": _of_images(passes_on=True, cost=Cost.TABLE),
    "InstanceNormalization": _of_images(passes_on=True, cost=Cost.TABLE),
    "LRN": _of_images(passes_on=True, cost=Cost.TABLE),
    "LpPool": _pools(),
    "MaxPool": _pools(sign=Sign.OF_FIRST, passes_on=True),
    "SpaceToDepth": _moves(channels=Channels.FIRST),
    # normalisations along axes
    "LayerNormalization": OpFacts(channels=Channels.LAST, passes_on=True, cost=Cost.TABLE),
    "LpNormalization": OpFacts(passes_on=True, cost=Cost.TABLE),
    "RMSNormalization": OpFacts(channels=Channels.LAST, passes_on=True, cost=Cost.TABLE),
    "Softmax": OpFacts(sign=Sign.NEVER_NEGATIVE, cost=Cost.TABLE),
    # sums
    "CumSum": OpFacts(linear=Linear.FIRST),
    "ReduceL1": _reduces(sign=Sign.NEVER_NEGATIVE),
    "ReduceL2": _reduces(sign=Sign.NEVER_NEGATIVE, cost=Cost.MULTIPLICATION),
    "ReduceLogSum": _reduces(cost=Cost.TABLE),
    "ReduceLogSumExp": _reduces(cost=Cost.TABLE),
    "ReduceMax": _reduces(sign=Sign.OF_FIRST),
    "ReduceMean": _reduces(linear=Linear.FIRST, sign=Sign.OF_FIRST),
    "ReduceMin": _reduces(sign=Sign.OF_FIRST),
    "ReduceProd": _reduces(sign=Sign.OF_FIRST, cost=Cost.MULTIPLICATION),
    "ReduceSum": _reduces(linear=Linear.FIRST, sign=Sign.OF_FIRST),
    "ReduceSumSquare": _reduces(sign=Sign.NEVER_NEGATIVE, cost=Cost.MULTIPLICATION),
    # numbers moved, picked or repeated
    "Concat": OpFacts(linear=Linear.ALL, sign=Sign.OF_ALL, channels=Channels.LOST, joins=True, moves=True),
    "ConstantOfShape": OpFacts(lengths=0),
    "Expand": _moves(lengths=1),
    "Flatten": _moves(channels=Channels.LOST),
    "Gather": _moves(),
    "GatherElements": _moves(joins=True),
    "GatherND": _moves(),
    "Pad": OpFacts(linear=Linear.FIRST, moves=True),
    "Reshape": _moves(channels=Channels.LOST),
    "Resize": _moves(),
    "Slice": _moves(),
    "Split": _moves(),
    "Squeeze": _moves(channels=Channels.LOST),
    "Tile": _moves(lengths=1),
    "Transpose": _moves(),
    "Trilu": _moves(),
    "Unsqueeze": _moves(channels=Channels.LOST),
    "Upsample": _moves(),
    # sequences
    "GRU": OpFacts(recurrent=True, initial_states=(5,), cost=Cost.TABLE),
    "LSTM": OpFacts(recurrent=True, initial_states=(5, 6), cost=Cost.TABLE),
    "Loop": OpFacts(recurrent=True),
    "RNN": OpFacts(recurrent=True, initial_states=(5,), cost=Cost.TABLE),
    "Scan": OpFacts(recurrent=True),
    # shapes
    "Shape": OpFacts(reads_shape=True),
    "Size": OpFacts(reads_shape=True),
    # random numbers
    "Bernoulli": OpFacts(random=True),
    "Multinomial": OpFacts(random=True),
    "RandomNormal": OpFacts(random=True),
    "RandomNormalLike": OpFacts(random=True),
    "RandomUniform": OpFacts(random=True),
    "RandomUniformLike": OpFacts(random=True),
}
_NONE = OpFacts()
_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def facts(node: ir.Node) -> OpFacts:
    """The row of a node's operator; nothing is known of operators that the table or ONNX itself does not have."""
    return _NONE if node.domain else OPS.get(node.op_type, _NONE)


def takes(node: ir.Node) -> Cost:
    """What each element of the result takes; of a layer, what is not its products."""
    row = facts(node)
    free = row.moves or row.weighted or row.converts or row.reads_shape or row.lengths is not None
    return Cost.NOTHING if free else row.cost


def sign_of(node: ir.Node) -> Sign | None:
    """What is known of the result's sign, its attributes looked at: cubic interpolation swings below 0."""
    if node.op_type == "Resize" and node.attributes.get_string("mode", "nearest") == "cubic":
        return None
    return facts(node).sign


def is_linear(node: ir.Node, changes: Changes) -> bool:
    """Whether the mean of the node's results is its result of the mean (a constant term may be added)."""
    linear, signals = facts(node).linear, _signals(node, changes)
    if any(value is not None and _counts(value) for value in (*(node.inputs[i] for i in signals), node.outputs[0])):
        return False
    if facts(node).converts and not _gives_floats(node):
        return False
    if linear is Linear.FIRST:
        return signals in ([], [0])
    return linear is Linear.ALL or (linear is Linear.ONE and len(signals) <= 1)


def has_weights(node: ir.Node, changes: Changes) -> bool:
    """Whether the node is a linear layer: its signal meets trained numbers, synapses, in many products."""
    return facts(node).weighted and is_linear(node, changes) and bool(_signals(node, changes))


def _signals(node: ir.Node, changes: Changes) -> list[int]:
    """The inputs that change, by their index."""
    return [index for index, value in enumerate(node.inputs) if value is not None and changes(value)]


def _counts(value: ir.Value) -> bool:
    """Whether this is known to be truth values or whole numbers, of which there is no mean over time."""
    return value.dtype is not None and value.dtype not in _FLOATS


def _gives_floats(node: ir.Node) -> bool:
    """Of a node that converts; where nothing says the type, it does not."""
    if "to" in node.attributes:
        return node.attributes["to"].as_int() in _FLOATS
    like = node.inputs[1] if node.op_type == "CastLike" else node.outputs[0]
    return like is not None and like.dtype in _FLOATS
