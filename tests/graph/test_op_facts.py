"""The table of operators, against what ONNX's reference computes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from converter.graph.op_facts import OPS, Channels, Linear, Sign, facts, has_weights, is_linear

RNG = np.random.default_rng(0)
X = RNG.normal(0, 2, (2, 4, 4, 4)).astype(np.float32)
CONDITION = X > 0.3
ONES, HALF = np.ones(4, np.float32), np.asarray(0.5, np.float32)
PICKED = np.asarray([1, 3])


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


INPUTS = {
    "And": (CONDITION, X > 0),
    "BatchNormalization": (X, ONES, HALF * ONES, HALF * ONES, 2 * ONES),
    "CastLike": (X, np.zeros(1, np.float64)),
    "Clip": (X, -HALF, HALF),
    "Concat": (X, normal(2, 4, 4, 4)),
    "Conv": (X, normal(3, 4, 2, 2)),
    "ConvTranspose": (X, normal(4, 3, 2, 2)),
    "CumSum": (X, np.asarray(1)),
    "DequantizeLinear": ((10 * X).astype(np.int8), HALF),
    "Einsum": (X, normal(4, 5)),
    "Expand": (X, np.asarray([3, 1, 1, 1, 1])),
    "Gather": (X, PICKED),
    "GatherElements": (X, np.zeros((2, 4, 4, 4), np.int64)),
    "GatherND": (X, np.asarray([[0, 1], [1, 2]])),
    "Gemm": (X[0, 0], normal(4, 5)),
    "InstanceNormalization": (X, ONES, HALF * ONES),
    "IsInf": (np.where(CONDITION, np.float32(np.inf), X),),
    "LayerNormalization": (X, ONES),
    "MatMul": (X, normal(4, 5)),
    "Max": (X, normal(2, 4, 4, 4)),
    "Mean": (X, normal(2, 4, 4, 4)),
    "Min": (X, normal(2, 4, 4, 4)),
    "Not": (CONDITION,),
    "Or": (CONDITION, X > 0),
    "Pad": (X, np.asarray([0, 0, 1, 1, 0, 0, 1, 1])),
    "QuantizeLinear": (X, HALF, np.asarray(0, np.int8)),
    "RMSNormalization": (X, ONES),
    "ReduceMax": (X, np.asarray([2])),
    "ReduceMean": (X, np.asarray([2])),
    "ReduceSum": (X, np.asarray([2])),
    "Reshape": (X, np.asarray([0, -1])),
    "Resize": (X, np.zeros(0, np.float32), np.asarray([1, 1, 2, 2], np.float32)),
    "Slice": (X, np.asarray([1]), np.asarray([3]), np.asarray([1])),
    "Split": (X, np.asarray([1, 3])),
    "Squeeze": (X[:, :1], np.asarray([1])),
    "Sum": (X, normal(2, 4, 4, 4)),
    "Tile": (X, np.asarray([1, 2, 1, 1])),
    "Unsqueeze": (X, np.asarray([1])),
    "Upsample": (X, np.asarray([1, 1, 2, 2], np.float32)),
    "Where": (CONDITION, X, normal(2, 4, 4, 4)),
    "Xor": (CONDITION, X > 0),
}
"""Of operators that take more than numbers, as many as they need."""
ATTRIBUTES = {
    "AveragePool": {"kernel_shape": [2, 2]},
    "Cast": {"to": onnx.TensorProto.DOUBLE},
    "Concat": {"axis": 1},
    "DepthToSpace": {"blocksize": 2},
    "Einsum": {"equation": "nchw,wd->nchd"},
    "Gather": {"axis": 1},
    "LRN": {"size": 3},
    "LpPool": {"kernel_shape": [2, 2]},
    "MaxPool": {"kernel_shape": [2, 2]},
    "Mod": {"fmod": 1},
    "SpaceToDepth": {"blocksize": 2},
    "Split": {"axis": 1},
}
NOT_IN_THE_REFERENCE = {"Gelu", "GlobalLpPool", "GroupNormalization", "Upsample"}


def names(fact) -> list[str]:
    return [name for name, row in OPS.items() if fact(row) and name not in NOT_IN_THE_REFERENCE]


def inputs_of(name: str) -> tuple[np.ndarray, ...]:
    if name in INPUTS:
        return INPUTS[name]
    count = onnx.defs.get_schema(name).min_input
    return (X, *(np.roll(X, index, axis=-1) for index in range(1, count)))


def run(name: str, *inputs: np.ndarray) -> np.ndarray:
    given = [f"i{index}" if array.size else "" for index, array in enumerate(inputs)]
    outputs = ["y", "z"] if name == "Split" else ["y"]
    node = onnx.helper.make_node(name, given, outputs, **ATTRIBUTES.get(name, {}))
    feed = {key: array for key, array in zip(given, inputs, strict=True) if key}
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(node).run(None, feed)[0]


def test_every_operator_exists() -> None:
    for name in OPS:
        assert onnx.defs.has(name), name


@pytest.mark.parametrize("name", names(lambda row: row.elementwise))
def test_elementwise(name) -> None:
    """Numbers in another order give results in that order; of what reads true or false, or other numbers, the same kind."""
    inputs = inputs_of(name)
    order = np.random.default_rng(1).permutation(X.size)
    turned = [a.reshape(-1)[order].reshape(a.shape) if a.shape == X.shape else a for a in inputs]
    expected, found = run(name, *inputs), run(name, *turned)
    np.testing.assert_array_equal(found.reshape(-1), expected.reshape(-1)[order])
    assert (expected.dtype == np.bool_) == OPS[name].truth_value
    numbers = [array.dtype for array in inputs if array.dtype != np.bool_]
    assert OPS[name].truth_value or (expected.dtype != numbers[0]) == OPS[name].converts


@pytest.mark.parametrize("name", names(lambda row: row.sign))
def test_signs(name) -> None:
    inputs = inputs_of(name)
    if OPS[name].sign is Sign.OF_ALL:
        inputs = tuple(np.abs(array) for array in inputs)
    elif OPS[name].sign is Sign.OF_FIRST:
        inputs = (np.abs(inputs[0]), *inputs[1:])
    assert (run(name, *inputs) >= 0).all()


def deviation(name: str, varied: list[int]) -> float:
    """Of the result of a mean from the mean of two results, as these inputs vary."""
    first = inputs_of(name)
    second = [np.flip(array) - 1 if index in varied else array for index, array in enumerate(first)]
    mean = [(a + b) / 2 if index in varied else a for index, (a, b) in enumerate(zip(first, second, strict=True))]
    results = [run(name, *arrays).astype(np.float64) for arrays in (first, second, mean)]
    return float(np.nanmax(np.abs(results[2] - (results[0] + results[1]) / 2)))


@pytest.mark.parametrize("name", names(lambda row: row.linear))
def test_linear(name) -> None:
    count = len(inputs_of(name))
    ways = {Linear.FIRST: [[0]], Linear.ALL: [list(range(count))], Linear.ONE: [[index] for index in range(count)]}
    for varied in ways[OPS[name].linear]:
        assert deviation(name, varied) < 1e-4


@pytest.mark.parametrize(
    "name", names(lambda row: row.elementwise and not (row.linear or row.truth_value or row.converts))
)
def test_other_functions_of_each_number_are_not_linear(name) -> None:
    if name != "Where":  # is linear in its two numbers, while the condition stays
        assert not deviation(name, [0]) < 1e-2


@pytest.mark.parametrize("name", names(lambda row: row.channels is Channels.FIRST))
def test_samples_in_axis_0(name) -> None:
    first, *others = inputs_of(name)
    np.testing.assert_allclose(run(name, first[::-1], *others), run(name, first, *others)[::-1], rtol=1e-5)


@pytest.mark.parametrize("name", names(lambda row: row.moves))
def test_what_moves_makes_no_new_numbers(name) -> None:
    """But zeros: of Pad, and outside of a triangle."""
    inputs = inputs_of(name)
    assert set(run(name, *inputs).reshape(-1)) <= {0.0, *(number for array in inputs for number in array.reshape(-1))}


@pytest.mark.parametrize("name", names(lambda row: row.pools))
def test_pooling_makes_images_smaller(name) -> None:
    """Every channel by itself."""
    pooled = run(name, X)
    assert pooled.shape[:2] == X.shape[:2]
    assert pooled.size < X.size
    np.testing.assert_allclose(run(name, X[:, ::-1]), pooled[:, ::-1], rtol=1e-5)


def test_families_agree() -> None:
    """What two tables once said differently: what follows is right."""
    # Mean, Dropout and CastLike work on each number and are linear, also inside a function in pieces
    for name in ("Mean", "Dropout", "CastLike"):
        assert OPS[name].elementwise and OPS[name].linear
    # every operator on [samples, channels, ...] has its channels in axis 1, poolings and GroupNormalization too
    for name in ("GlobalAveragePool", "GlobalMaxPool", "LpPool", "GroupNormalization", "LRN"):
        assert OPS[name].channels is Channels.FIRST
    # what holds of LayerNormalization holds of RMSNormalization, what of DepthToSpace of SpaceToDepth
    assert OPS["RMSNormalization"] == OPS["LayerNormalization"]
    assert OPS["SpaceToDepth"] == OPS["DepthToSpace"]
    # an Einsum of a signal and a constant is a layer, with work to count
    assert {name for name, row in OPS.items() if row.weighted} == {"Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"}


def node(text: str) -> ir.Node:
    return ir.serde.deserialize_node(onnx.parser.parse_node(text))


@pytest.mark.parametrize(
    ("text", "signals", "linear"),
    [
        ("y = Add(a, b)", "ab", True),
        ("y = Mul(a, b)", "a", True),
        ("y = Mul(a, b)", "ab", False),
        ("y = Div(a, b)", "a", True),
        ("y = Div(a, b)", "b", False),
        ("y = Conv(a, b)", "b", False),
        ("y = Max(a, b)", "a", False),
        ("y = Gather(a, b)", "b", False),
        ("y = Div(a, b)", "", True),
        ("y = Cast<to = 1>(a)", "a", True),
        ("y = Cast<to = 7>(a)", "a", False),
        ("y = CastLike(a, b)", "a", False),
        ("y = my.domain.Add(a, b)", "a", False),
    ],
)
def test_is_linear(text, signals, linear) -> None:
    """CastLike: nothing says here that `b` is of floats."""
    assert is_linear(node(text), lambda value: value.name in set(signals)) == linear


@pytest.mark.parametrize(
    "text", ["y = Reshape(a, b)", "y = Cast<to = 1>(a)", "y = Concat<axis = 0>(a, b)", "y = Neg(a)"]
)
@pytest.mark.parametrize("element", [ir.DataType.BOOL, ir.DataType.INT64, ir.DataType.INT32])
def test_whole_numbers_have_no_mean(text, element) -> None:
    """Truth values and numbers of classes are steps of what they were made from."""
    of_numbers = node(text)
    assert is_linear(of_numbers, lambda value: value.name == "a")
    of_numbers.inputs[0].dtype = element
    assert not is_linear(of_numbers, lambda value: value.name == "a")


@pytest.mark.parametrize(("element", "linear"), [(ir.DataType.FLOAT, True), (ir.DataType.INT64, False)])
def test_cast_like_is_linear_as_cast_is(element, linear) -> None:
    like = node("y = CastLike(a, b)")
    like.inputs[1].dtype = element
    assert is_linear(like, lambda value: value.name == "a") == linear


@pytest.mark.parametrize(("signals", "weights"), [("a", True), ("b", True), ("ab", False), ("", False)])
def test_has_weights(signals, weights) -> None:
    for text in ("y = MatMul(a, b)", 'y = Einsum<equation = "ij,jk->ik">(a, b)'):
        assert has_weights(node(text), lambda value: value.name in set(signals)) == weights


def test_nothing_is_known_of_foreign_operators() -> None:
    assert facts(node("y = my.domain.Relu(a)")) == facts(node("y = NoSuchOperator(a)"))
    assert not facts(node("y = my.domain.Relu(a)")).elementwise
