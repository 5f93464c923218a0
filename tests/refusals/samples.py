"""Models in which samples meet, or lie where they may not: one for each way in which a rule of `batch_rules` says so.

Whether they do is told by ONNX Runtime: in another order, samples that are independent give the same, in that order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from converter.graph.batch_axis import NO_BATCH, BatchWalk
from converter.graph.batch_rules import RUNS_THROUGH
from converter.graph.shapes import MANY_SAMPLES, infer_shapes
from converter.normalise.ann import load_ann
from converter.normalise.proof import prove
from tests.models import save, text_model
from tests.passes import from_text, normal
from tests.refusals.case import Case

N = MANY_SAMPLES
NUMBERS = {
    "I0": [0], "I1": [1], "ROWS": [1, 2], "TWO": [2], "PADS": [0, 0, 0, 1, 0, 0], "TWICE": [2, 1, 1], "SPREAD": [4, -1, 4],
    "PICKED": [[0], [1]], "INDEX": np.random.default_rng(0).integers(0, 4, (N, 1, 4)), "LONG": [-1, 4],
}  # fmt: skip
WEIGHTS = (
    f"float[4,4] W, float[5,4,1] K, float[1,9,4] G, float[1,9,3] R, float[{N},4] EACH, float[4,{N}] SUMS, "
    f"float[{N},4,4] ALL, float[{4 * N},4] BLOCKS, float[1] ONE, float[1,2,3] H"
)
DECLARED = ", ".join([WEIGHTS, *(f"int64{list(np.shape(array))} {name}" for name, array in NUMBERS.items())])
FLAT = "f = ReduceMean<keepdims = 0>(x, I1)"
"""[N, 4]."""
TURNED = "t = Transpose<perm = [1, 0, 2]>(x)"
"""[4, N, 4]."""


def model_of(body: str, batch: object = "N") -> onnx.ModelProto:
    """x [N, 4, 4] -> y."""
    arrays = {name: np.asarray(array) for name, array in NUMBERS.items()}
    kind = "int64" if "ArgMax<axis = 0>" in body else "float"
    model = text_model(f"m (float[{batch},4,4] x) => ({kind}[] y) <{DECLARED}> {{ {body} }}", opset=18, **arrays)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def independent(model: onnx.ModelProto, *, in_any_order: bool = True) -> bool:
    """Whether along an axis each of `N` samples has its own result: that of no other changes it, nor the samples' order."""
    rng = np.random.default_rng(0)
    order, others = rng.permutation(N), rng.permutation(N)[: N // 2]
    kept = np.setdiff1d(np.arange(N), others)
    x, other = normal(N, 4, 4), normal(N, 4, 4)
    other[others] = normal(len(others), 4, 4, seed=1)
    session = ort.InferenceSession(model.SerializeToString())
    try:
        y, turned, changed = (session.run(None, {"x": array})[0] for array in (x, x[order], other))
    except Exception:  # it does not even run on other samples
        return False

    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5)

    return any(
        same(changed.take(kept, axis), y.take(kept, axis)) and (same(turned, y.take(order, axis)) or not in_any_order)
        for axis in range(y.ndim)
        if y.shape[axis] == turned.shape[axis] == changed.shape[axis] == N
    )


def proving(body: str, batch: object = "N") -> Callable[[Path], object]:
    return lambda folder: prove(load_ann(save(model_of(body, batch), folder / "m.onnx")), {"x": normal(N, 4, 4)})


def mixing(op_type: str, reason: str, body: str) -> Case:
    """Of a node ``y`` that mixes samples."""
    return Case(proving(body), f"node '[yi]': {op_type} {reason}{NO_BATCH}", lambda: not independent(model_of(body)))


def dropping(folder: Path) -> None:
    """The walk at a batch of 1, which only `free_batch` does."""
    model = from_text("m (float[1,4] x) => (float[4] y) <int64[1] I0> { y = Squeeze(x, I0) }", I0=np.asarray([0]))
    walk, shapes = BatchWalk(["x"], 1), infer_shapes(model, {"x": (1, 4)})
    for node in model.graph:
        walk.follow(node, shapes)


MIXES = {
    "_elementwise: combines operands whose samples lie in different axes": (
        "Add",
        "p = ReduceMean<keepdims = 1>(x, I1)  t = Transpose<perm = [1, 0, 2]>(p)  y = Add(p, t)",
    ),
    "_elementwise: combines the samples with a constant that has a value for each of them": ("Add", "y = Add(x, ALL)"),
    "_batch_first: has weights that depend on the samples": ("Conv", "y = Conv(x, x)"),
    "rule: works along the axis of the samples": ("Softmax", "y = Softmax<axis = 0>(x)"),
    "_only: takes an argument that depends on the samples": (
        "Reshape",
        f"{FLAT}  m = ReduceMax<keepdims = 0>(f, I1)  e = Exp(m)  s = Cast<to = 7>(e)  y = Reshape(ONE, s)",
    ),
    "_cumulate: sums over the samples": ("CumSum", "y = CumSum(x, I0)"),
    "_normalise_last: normalises over the samples": ("LayerNormalization", "y = LayerNormalization<axis = 0>(x, ALL)"),
    "_recurrent: {}": (
        "GRU",
        "y, last = GRU<hidden_size = 3>(x, G, R)",
    ),
    "_gemm: multiplies by weights that depend on the samples": ("Gemm", f"{FLAT}  y = Gemm<transB = 1>(f, f)"),
    "_gemm: sums over the samples": ("Gemm", f"{FLAT}  y = Gemm<transA = 1>(f, EACH)"),
    "_gemm: adds a term whose samples lie in another axis": (
        "Gemm",
        f"{FLAT}  g = Gemm(f, SUMS)  t2 = Transpose(g)  y = Gemm(f, SUMS, t2)",
    ),
    "_gemm: adds a constant that has a value for each sample": ("Gemm", f"{FLAT}  y = Gemm(f, W, EACH)"),
    "_matmul: sums over the samples": ("MatMul", f"{FLAT}  y = MatMul(SUMS, f)"),
    "_matmul: multiplies every sample with every other": ("MatMul", f"{FLAT}  t = Transpose(f)  y = MatMul(f, t)"),
    "_reshape: from {} to {} spreads the samples over other axes": ("Reshape", "y = Reshape(x, SPREAD)"),
    "_flatten: merges the samples into the features": ("Flatten", "y = Flatten<axis = 0>(x)"),
    "_concat: joins values whose samples lie in different axes": (
        "Concat",
        f"{FLAT}  g = MatMul(f, SUMS)  t = Transpose(g)  y = Concat<axis = 1>(g, t)",
    ),
    "_concat: joins along the axis of the samples": ("Concat", "y = Concat<axis = 0>(x, x)"),
    "_concat: joins the samples with a constant that has a value for each of them": (
        "Concat",
        "r = Reshape(x, LONG)  y = Concat<axis = 1>(r, BLOCKS)",
    ),
    "_slice: cuts the axis of the samples": ("Slice", "y = Slice(x, I0, TWO, I0)"),
    "_gather: picks among the samples": ("Gather", "y = Gather<axis = 0>(x, ROWS)"),
    "_gather_nd: picks among the samples": ("GatherND", "y = GatherND(x, PICKED)"),
    "_gather_elements: combines operands whose samples lie in different axes": (
        "GatherElements",
        "i = ArgMax<axis = 1>(x)  t = Transpose<perm = [1, 0, 2]>(i)  y = GatherElements<axis = 1>(x, t)",
    ),
    "_gather_elements: picks among the samples": (
        "GatherElements",
        "i = ArgMax<axis = 1>(x)  y = GatherElements<axis = 0>(x, i)",
    ),
    "_gather_elements: combines the samples with a constant that has a value for each of them": (
        "GatherElements",
        "y = GatherElements<axis = 1>(x, INDEX)",
    ),
    "_reduce: reduces over the samples": ("ReduceMean", "y = ReduceMean(x, I0)"),
    "_arg: searches over the samples": ("ArgMax", "y = ArgMax<axis = 0>(x)"),
    "_pad: pads the axis of the samples": ("Pad", "y = Pad(x, PADS)"),
    "_same_length: changes the number of samples": ("Tile", "y = Tile(x, TWICE)"),
    "_einsum: combines operands whose samples lie in different axes": (
        "Einsum",
        'y = Einsum<equation = "bij,cij->bc">(x, x)',
    ),
    "_einsum: combines the samples with a constant that has a value for each of them": (
        "Einsum",
        'y = Einsum<equation = "bij,bij->bij">(x, ALL)',
    ),
    "_einsum: sums over the samples": ("Einsum", 'y = Einsum<equation = "bij->ij">(x)'),
}
"""By the key of the refusal: the operator, and nodes of which ``y`` is the last."""
UNCLEAR = {
    "axes_argument: takes axes that are computed when the model runs, so where its samples lie is not known; export the model "
    "with constant ones": Case(
        proving("s = Shape(x)  n = Size(s)  i = Mod(n, TWO)  y = ReduceSum(x, i)"),
        "node 'y': ReduceSum takes axes that are computed when the model runs, so where its samples lie is not known; "
        "export the "
        "model with constant ones",
    ),
    "_batch_first: needs the samples in axis 0, they lie in axis {}; export the model with the batch as axis 0": Case(
        proving(f"{TURNED}  y = Conv(t, K)"),
        "node 'y': Conv needs the samples in axis 0, they lie in axis 1; export the model with the batch as axis 0",
    ),
    "_gemm: takes the samples as its second factor; export the model with them as the first": Case(
        proving(f"{FLAT}  y = Gemm<transB = 1>(W, f)"),
        "node 'y': Gemm takes the samples as its second factor; export the model with them as the first",
    ),
    "_recurrent: has constants for {} samples, {}": Case(
        proving(f"{TURNED}  [memory] z, last = GRU<hidden_size = 3>(t, G, R, , , H)  y = Squeeze(last, I0)", 2),
        "node 'memory': GRU has constants for 2 samples, 'H'. It was exported for a batch of 2, which may be why: .*",
    ),
    "_squeeze: drops the axis of the samples": Case(
        dropping, f"node 'y': Squeeze drops the axis of the samples{NO_BATCH}"
    ),
}

CASES = {
    "graph/batch_rules.py": {
        **{
            key: mixing(op_type, r"from \[11, 4, 4\] to \[4, 11, 4\] spreads the samples over other axes"
                        if "spreads" in key else key.partition(": ")[2].replace("{}", RUNS_THROUGH), body)
            for key, (op_type, body) in MIXES.items()
        },
        **UNCLEAR,
    },
    "graph/batch_axis.py": {
        "follow: {} {}{}": Case(proving("y = Softmax<axis = 0>(x)"), f"node 'y': Softmax works along .*{NO_BATCH}"),
        "follow: {} {}": Case(proving(f"{FLAT}  y = Gemm<transB = 1>(W, f)"), "node 'y': Gemm takes the samples .*"),
        "trace_batch_axis: output {} {}; axis 0 must hold them": Case(
            proving(f"{TURNED}  y = Relu(t)"), "output 'y' holds the samples in axis 1; axis 0 must hold them"
        ),
    },
    "normalise/proof.py": {
        "_check_by_experiment: output {} of 4 samples differs when they run one by one{}{}": Case(
            proving("h = Relu(x)  [mixed] m = MeanVarianceNormalization<axes = [0]>(h)  y = Neg(m)"),
            f"node 'mixed': output 'y' of 4 samples differs when they run one by one: so does what MeanVarianceNormalization "
            f"computes{NO_BATCH}",
            lambda: not independent(model_of("y = MeanVarianceNormalization<axes = [0]>(x)")),
        ),
        "_trace: {}. It was exported for a batch of {}, which may be why: export it with a free one (torch.onnx.export: "
        "dynamic_axes={'{}': {0: 'batch'}})": Case(
            proving("y = Add(x, ALL)", N),
            "node 'y': Add combines the samples with a constant that has a value for each of them. It was exported for a "
            "batch of 11, which may be why: export it with a free one "
            r"\(torch\.onnx\.export: dynamic_axes={'x': {0: 'batch'}}\)",
            lambda: independent(model_of("y = Add(x, ALL)"), in_any_order=False),
        ),
    },
}  # fmt: skip
