"""Models that load, but hold nothing that neurons could do, or cannot be taken through time; and damaged spiking ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from converter.conversion.check import check
from converter.conversion.main import convert
from converter.conversion.recalibrate import recalibrated
from converter.engine.local import LocalEngine
from converter.io.samples import Samples
from converter.io.shards import find
from converter.measure.evaluation import evaluate, evaluate_data
from converter.measure.sequence import evaluate_stream
from converter.normalise.ann import load_ann
from converter.normalise.proof import prove
from converter.spiking.codes import FORGETTING
from converter.spiking.expose_states import expose_states
from converter.spiking.model import SpikingModel
from converter.spiking.readout import finish_readout
from converter.spiking.without_neurons import without_neurons
from tests.models import mlp, samples, save, text_model
from tests.passes import normal
from tests.refusals.case import Case, converting, graph

RECURRENT = """m (float[N,5,4] x) => (float[N,4] y) <float[4,6] A, float[1,16,6] W, float[1,16,4] R, int64[1] ZERO> {
  h = MatMul(x, A)  a = Relu(h)  t = Transpose<perm = [1, 0, 2]>(a)
  [memory] s, last = LSTM<hidden_size = 4>(t, W, R)  y = Squeeze(last, ZERO) }"""
CONTROL = """m (float[N,4] x) => (float[N,4] y) <float[4,4] W, int64[] LIMIT> {
  h = MatMul(x, W)  a = Relu(h)  s = Size(x)  c = Greater(s, LIMIT)
  [branch] b = If(c) <then_branch = g1 () => (float[N,4] p) { p = Neg(a) },
                      else_branch = g2 () => (float[N,4] q) { q = Relu(a) }>  y = MatMul(b, W) }"""
OPEN = "m (float[N,L] x) => (float[N,1] y) <float[1] S> { h = ReduceMax<axes = [1]>(x)  y = Mul(h, S) }"
TAKEN = """m (float[N,6] step) => (float[N,3] y) <float[6,5] W, float[5,3] V> {
  h = MatMul(step, W)  [first] r = Relu(h)  y = MatMul(r, V) }"""
UNROLLED = """m (float[N,4] x) => (float[N,3] y) <float[1,9,4] W, float[1,9,3] R, int64[1] ZERO> {
  u = Unsqueeze(x, ZERO)  v = Trilu(u)  [memory] z, last = GRU<hidden_size = 3>(v, W, R)  y = Squeeze(last, ZERO) }"""


def proving(text: str, line: str, *shape: int, **arrays: object) -> Case:
    """Of a model whose samples are followed."""

    def refuse(folder: Path) -> None:
        model = text_model(text, opset=18, **{name: np.asarray(array) for name, array in arrays.items()})
        prove(load_ann(save(model, folder / "m.onnx")), {"x": normal(*shape)})

    return Case(refuse, line)


def spiking(change: Callable[[onnx.ModelProto], object], **options: object) -> onnx.ModelProto:
    """A converted network that something was done to."""
    proto = convert_quickly(**options)
    change(proto)
    return proto


def convert_quickly(**options: object) -> onnx.ModelProto:
    folder = options.pop("folder")
    return convert(save(mlp(), Path(str(folder)) / "mlp.onnx"), samples(mlp(), 32), **options).proto()


def reading(
    change: Callable[[onnx.ModelProto], object], use: Callable[[SpikingModel], object], line: str, **options: object
) -> Case:
    """Of a spiking model in a file."""

    def refuse(folder: Path) -> None:
        proto = spiking(
            change, folder=folder, code="rate", neuron="if", method="percentile", correction="none", **options
        )
        use(SpikingModel(save(proto, folder / "s.onnx")))

    return Case(refuse, rf"{{folder}}/s\.onnx{line}")


def no_samples(folder: Path) -> None:
    """An array of no rows."""
    np.save(folder / "x.npy", np.zeros((0, 8), np.float32))
    model = SpikingModel(save(convert_quickly(folder=folder, code="delta", n_steps=2), folder / "s.onnx"))
    evaluate_data(model, find(folder / "x.npy"), [2], inputs=model.inputs, engine=LocalEngine())


def recalibrating(change: Callable[[onnx.ModelProto], object], line: str) -> Case:
    return Case(
        lambda folder: recalibrated(
            spiking(change, folder=folder, code="delta", n_steps=4), Samples({"x": samples(mlp(), 32)}, None)
        ),
        line,
    )


def otherwise_converted(proto: onnx.ModelProto) -> None:
    entry = next(entry for entry in proto.metadata_props if entry.key == "onnx_snn.options")
    entry.value = entry.value.replace('"analog_input": false', '"analog_input": true')


def without_metadata(proto: onnx.ModelProto) -> None:
    del proto.metadata_props[:]


def of_a_newer_release(proto: onnx.ModelProto) -> None:
    next(node for node in proto.graph.node if node.op_type == "IF").op_type = "IF2"


def without_functions(proto: onnx.ModelProto) -> None:
    del proto.functions[:]


def without_a_number_of_steps(proto: onnx.ModelProto) -> None:
    next(entry for entry in proto.metadata_props if entry.key == "onnx_snn.n_steps").value = "many"


def forget_rank(value: ir.Value) -> None:
    """Of what nobody knows the maker of nothing can be inferred."""
    value.shape, value.producer().domain = None, "elsewhere"


def without_ranks(folder: Path) -> None:
    """A state of a value of which nothing is known."""
    model = ir.from_proto(
        convert_quickly(folder=folder, code="rate", neuron="if", method="percentile", correction="none")
    )
    node = next(node for node in model.graph if node.op_type == "IF")
    forget_rank(node.inputs[0])
    node.outputs[0].shape = None
    expose_states(model)


def window_without_rank(folder: Path) -> None:
    model = ir.from_proto(
        convert_quickly(folder=folder, code="rate", neuron="if", method="percentile", streaming=True, readout="leaky")
    )
    forget_rank(next(node for node in model.graph if node.op_type == FORGETTING.mean).inputs[0])
    finish_readout(model, "window", 4)


NOT_FINITE = "the trained model computes values that are not finite on the calibration samples"
SAMPLES = Samples({"x": samples(mlp(), 4)}, None)

CASES = {
    "activations/sites.py": {
        "find_sites: {} keeps a state of its own over a sequence, which does not come in parts; recurrent layers are not "
        "converted, and after this one there is no activation that a neuron could replace": converting(
            lambda: text_model(RECURRENT, ZERO=np.zeros(1)),
            ": node 'memory': LSTM keeps a state of its own over a sequence, which does not come in parts; recurrent layers "
            "are "
            "not converted, and after this one there is no activation that a neuron could replace",
            code="rate",
        ),
    },
    "calibration/delta_fit.py": {
        "gather: the trained model computes values that are not finite on the calibration samples": converting(
            lambda: graph("h = MatMul(x, W)  [odd] a = Log(h)  y = MatMul(a, W)"), f": node 'odd': {NOT_FINITE}", code="delta"
        ),
        "_check: the delta code needs at least {} calibration samples, better some hundred; there are {}": converting(
            mlp,
            ": the delta code needs at least 8 calibration samples, better some hundred; there are 5",
            count=5,
            code="delta",
        ),
        "_check: the calibration samples are all the same; the ranges of the delta code follow from different ones": Case(
            lambda folder: convert(save(mlp(), folder / "m.onnx"), np.ones((20, 8), np.float32), code="delta"),
            r"{folder}/m\.onnx: the calibration samples are all the same; the ranges of the delta code follow from "
            r"different ones",
        ),
    },
    "calibration/histograms.py": {
        "_check_finite: the trained model computes values that are not finite on the calibration samples": converting(
            lambda: graph("h = MatMul(x, W)  l = Log(h)  [odd] a = Tanh(l)  y = MatMul(a, W)"),
            f": node 'odd': {NOT_FINITE}",
            code="rate",
        ),
    },
    "conversion/budget.py": {
        "of: its outputs are no scores of classes, so there is no agreement; use --max-error": converting(
            lambda: text_model("m (float[N,4] x) => (float[N,1] y) <float[4,4] W, float[4,1] V> { h = MatMul(x, W) "
                               " a = Relu(h)  y = MatMul(a, V) }"),
            ": its outputs are no scores of classes, so there is no agreement; use --max-error",
            count=128,
            min_agreement=90.0,
        ),
        "choose: nothing takes at most {} of the energy; the least is {}": converting(
            mlp,
            ": nothing takes at most 0\\.001 ?% of the energy; the least is .*",
            count=128,
            max_energy=0.001,
            max_error=90.0,
        ),
        "choose: nothing {}; the best there is: {}": converting(
            mlp, ": nothing .*0\\.0001 ?%.*; the best there is: .*", count=128, max_error=0.0001
        ),
    },
    "conversion/front.py": {
        "take: a budget is held on at least {} calibration samples that ranges do not follow from; give at least {}, better "
        "512; there are {}": converting(
            mlp,
            ": a budget is held on at least 64 calibration samples that ranges do not follow from; give at least .*, better "
            "512; "
            "there are 16",
            max_error=5.0,
        ),
    },
    "measure/evaluation.py": {
        "_job: the number of steps must be at least 1, it is {}": Case(
            lambda folder: evaluate(
                SpikingModel(save(convert_quickly(folder=folder, code="delta", n_steps=2), folder / "s.onnx")), SAMPLES, [0]
            ),
            "the number of steps must be at least 1, it is 0",
        ),
        "__call__: it has no output, or none but its states: nothing can be evaluated": reading(
            lambda proto: proto.graph.ClearField("output"),
            lambda model: evaluate(model, SAMPLES, [2]),
            ": it has no output, or none but its states: nothing can be evaluated",
        ),
        "started: {}": reading(
            lambda proto: None,
            lambda model: evaluate(model, SAMPLES, [2], provider="tpu"),
            r": unknown provider 'tpu'; there are \['cpu', 'cuda'\]",
        ),
        "_job: {}": reading(
            lambda proto: onnx.helper.set_model_props(proto, {"onnx_snn.row_bytes": "many"}),
            lambda model: evaluate(model, SAMPLES, [2]),
            r": metadata onnx_snn\.row_bytes must be .*, it is 'many'",
        ),
        "evaluate_data: it holds no samples": Case(no_samples, r"{folder}/x\.npy: it holds no samples"),
    },
    "measure/sequence.py": {
        "evaluate_stream: it was not made for streams; convert it with --streaming": reading(
            lambda proto: None,
            lambda model: evaluate_stream(model, SAMPLES),
            ": it was not made for streams; convert it with --streaming",
        ),
        "evaluate_stream: {}": reading(
            lambda proto: None,
            lambda model: evaluate_stream(model, SAMPLES, provider="tpu"),
            r": unknown provider 'tpu'; there are \['cpu', 'cuda'\]",
            streaming=True,
        ),
    },
    "conversion/check.py": {
        "_made_up: it has no input {}; there are {}": Case(
            lambda folder: check(save(mlp(), folder / "m.onnx"), lengths={"z": (8,)}),
            r"{folder}/m\.onnx: it has no input 'z'; there are x",
        ),
        "_made_up: input {} has samples of the shape {}, not {}": Case(
            lambda folder: check(save(mlp(), folder / "m.onnx"), lengths={"x": (9,)}),
            r"{folder}/m\.onnx: input 'x' has samples of the shape 8, not 9",
        ),
        "_made_up: a sample of input {} has {} numbers, too many to make some up": Case(
            lambda folder: check(save(text_model(OPEN), folder / "m.onnx"), lengths={"x": (10**12,)}),
            r"{folder}/m\.onnx: a sample of input 'x' has 1,000,000,000,000 numbers, too many to make some up",
        ),
    },
    "conversion/prepare.py": {
        "_with_places: it has no layer with weights that neurons could send a value to; {}": converting(
            lambda: graph("y = Relu(x)"),
            ": it has no layer with weights that neurons could send a value to; run it as it is",
            code="delta",
        ),
        "_with_places: it has no activation that a neuron could replace: {}": converting(
            lambda: graph("h = MatMul(x, W)  y = MatMul(h, W)"),
            ": it has no activation that a neuron could replace: it is linear; run it as it is",
            code="rate",
        ),
        "_check_layers: there is no layer {}; there are {}": converting(
            lambda: graph("h = MatMul(x, W)  [first] a = Relu(h)  y = MatMul(a, W)"),
            ": there is no layer 'frist'; there are first",
            code="rate",
            layers={"frist": {"neuron": "if"}},
        ),
        "_check_subgraphs: {} has a subgraph that uses {} from outside, which comes after a neuron; export the model without "
        "control flow (torch.onnx.export traces the branch that is taken)": converting(
            lambda: text_model(CONTROL, opset=18, LIMIT=np.asarray(1)),
            r": node 'branch': If has a subgraph that uses 'a' from outside, which comes after a neuron; export the model "
            r"without "
            r"control flow \(torch\.onnx\.export traces the branch that is taken\)",
            code="rate",
        ),
    },
    "conversion/recalibrate.py": {
        "recalibrated: its metadata do not say how it was converted to the delta code, so its thresholds cannot follow; "
        "convert "
        "the trained network anew, or with --code rate": recalibrating(
            without_metadata,
            "its metadata do not say how it was converted to the delta code, so its thresholds cannot follow; convert the "
            "trained network anew, or with --code rate",
        ),
        "recalibrated: its neurons do not stand where a conversion puts them; convert the trained network anew": recalibrating(
            otherwise_converted,
            "its neurons do not stand where a conversion puts them; convert the trained network anew",
        ),
    },
    "graph/run.py": {
        "run: {}: {}": proving(
            "m (float[N,4] x) => (float[N,4] y) <float[3,4] C> { y = Add(x, C) }",
            "it does not run with every number of samples, such as 11: ONNX Runtime cannot run the model on these samples: "
            "node "
            "'y', Add: .* 3 by 11",
            3,
            4,
        ),
    },
    "normalise/proof.py": {
        "_shapes: it does not run with every number of samples, such as {}: {}": proving(
            "m (float[3,4] x) => (float[3,4] y) <float[3,4] C> { r = Relu(x)  y = Max(r, C) }",
            "it does not run with every number of samples, such as 11: ONNX Runtime cannot run the model on these samples: "
            "node "
            "'y', Max: .*. It was exported for a batch of 3, which may be why: .*",
            3,
            4,
        ),
    },
    "spiking/expose_states.py": {
        "_share_number: the model already has a value named {}, an input of every such model; rename it": Case(
            lambda folder: convert(
                save(text_model(TAKEN), folder / "m.onnx"), samples(text_model(TAKEN), 16), code="rate", streaming=True
            ),
            r"({folder}/m\.onnx: )?node '.*': the model already has a value named 'step', an input of every such model; "
            r"rename it",
        ),
        "_shape: the rank of its state is unknown, so it cannot become an input of the model": Case(
            without_ranks, "node 'first': the rank of its state is unknown, so it cannot become an input of the model"
        ),
    },
    "spiking/model.py": {
        "__init__: this is not a spiking model; make one with `onnx-snn convert`": Case(
            lambda folder: SpikingModel(save(mlp(), folder / "s.onnx")),
            r"{folder}/s\.onnx: this is not a spiking model; make one with `onnx-snn convert`",
        ),
        "__init__: {}": Case(
            lambda folder: SpikingModel(save(mlp(), folder / "s.onnx"), libraries=[folder / "lost.so"]),
            "{folder}/lost.so does not exist; `libraries` names files with operators for ONNX Runtime",
        ),
        "__init__: this release has no operator {}; where a newer one made the file: pip install -U onnx-snn": reading(
            of_a_newer_release,
            lambda model: None,
            ", node 'first': this release has no operator IF2; where a newer one made the file: pip install -U onnx-snn",
        ),
        "_check_functions: the file holds no function for {}; use the backend native": reading(
            without_functions,
            lambda model: model.session(backend="functions"),
            ", node '.*': the file holds no function for .*; use the backend native",
        ),
        "_refused: {}": reading(
            without_a_number_of_steps, lambda model: model.n_steps, ": .*n_steps.*many.*"
        ),
    },
    "spiking/readout.py": {
        "_window: the rank of what it keeps is unknown; use --readout leaky": Case(
            window_without_rank, "node '.*': the rank of what it keeps is unknown; use --readout leaky"
        ),
    },
    "spiking/without_neurons.py": {
        "without_neurons: {} does not belong to the delta code": Case(
            lambda folder: without_neurons(
                ir.from_proto(convert_quickly(folder=folder, code="rate", neuron="if", method="percentile", correction="none"))
            ),
            "node 'first': IF does not belong to the delta code",
        ),
    },
}  # fmt: skip
