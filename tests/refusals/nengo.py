"""What has no counterpart in Nengo, one layer after an operator of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import helper

from converter.nengo.export import make_script
from converter.nengo.verify import recording_session, verify
from snn_ops.format import DOMAIN, Metadata
from snn_ops.ops import OPERATORS
from tests.nengo.models import operation
from tests.refusals.case import Case, graph

FLAT = [0, 12]
"""A target of Reshape."""


def net(
    body: str, case: str = "BoundedIF", *, opset: int = 18, element: type = np.float32, **arrays: object
) -> onnx.ModelProto:
    """An operator's y [N, 3, 2, 2], what follows it, and z."""
    model, _, _ = operation(case, element)
    parsed = onnx.parser.parse_graph(f"m (float[M,3,2,2] y) => (float[M] z) {{ {body} }}")
    model.graph.node.extend(parsed.node)
    model.graph.output[0].CopyFrom(onnx.ValueInfoProto(name="z"))
    for name, array in arrays.items():
        kind = np.int64 if np.asarray(array).dtype.kind in "iu" else np.float32
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array, kind), name))
    model.opset_import[0].version = opset
    return model


def following(body: str, line: str, **arrays: object) -> Case:
    """A layer that has no counterpart."""
    return Case(lambda folder: make_script(net(body, **arrays)), line)


def begun(case: str, **states: object) -> onnx.ModelProto:
    """An operator whose states are not those of the beginning; its output is z."""
    model = net("z = Identity(y)", case)
    for name, array in states.items():
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        kind = onnx.numpy_helper.to_array(tensor).dtype
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(array, kind), name))
    return model


def with_a_state_as_output() -> onnx.ModelProto:
    """As a file shows it whose metadata name other states."""
    model = net("z = Identity(y)")
    neuron = next(node for node in model.graph.node if node.op_type == "BoundedIF")
    neuron.output.append("odd")  # its first state
    model.graph.output.append(helper.make_tensor_value_info("odd", onnx.TensorProto.FLOAT, None))
    return model


def at_once() -> onnx.ModelProto:
    model = net("z = Identity(total)")
    kinds = {tensor.name: tensor.kind.dtype(np.float32) for tensor in OPERATORS["MultiThresholdSum"].inputs[2:]}
    for name, kind in kinds.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((), kind), f"sum_{name}"))
    inputs = ["y", "n_steps", *(f"sum_{name}" for name in kinds)]
    attributes = OPERATORS["MultiThresholdSum"].defaults
    node = helper.make_node("MultiThresholdSum", inputs, ["total"], "sum", domain=DOMAIN, **attributes)
    model.graph.node.insert(2, node)
    return model


def two_time_steps() -> onnx.ModelProto:
    """Alpha at 0.002 s before Lowpass at 0.001 s."""
    model, other = net("z = Identity(after)", "Alpha"), operation("Lowpass", np.float32)[0]
    node = onnx.NodeProto.FromString(other.graph.node[1].SerializeToString())
    node.input[:] = ["y", "n_steps", *(f"low_{name}" for name in node.input[2:])]
    node.output[:] = ["after"]
    model.graph.node.insert(2, node)
    for tensor in other.graph.initializer:
        tensor.name = f"low_{tensor.name}"
    model.graph.initializer.extend(other.graph.initializer)
    model.functions.extend(function for function in other.functions if function.name == "Lowpass")
    return model


def with_state_input() -> onnx.ModelProto:
    model = net("z = Identity(y)")
    model.graph.input.append(helper.make_tensor_value_info("voltage", onnx.TensorProto.FLOAT, []))
    return model


def with_free_length() -> onnx.ModelProto:
    model = net("z = Identity(y)")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "H"
    return model


def leaky() -> onnx.ModelProto:
    model = net("z = Identity(y)")
    properties: dict[str, str] = {}
    Metadata(code="rate", readout="leaky").write(properties)
    helper.set_model_props(model, properties)
    return model


def large() -> onnx.ModelProto:
    model = net("z = Transpose<perm = [0, 2, 1, 3]>(y)")
    for value, length in zip(model.graph.input[0].type.tensor_type.shape.dim[1:], (256, 256, 256), strict=True):
        value.dim_value = length
    threshold = next(tensor for tensor in model.graph.initializer if tensor.name == "threshold")
    threshold.CopyFrom(onnx.numpy_helper.from_array(np.ones((), np.float32), "threshold"))
    return model


def out_of_range() -> onnx.ModelProto:
    model = net("z = Identity(y)", "LIF")
    next(a for a in model.graph.node[1].attribute if a.name == "tau_rc").f = -1.0
    return model


def comparing_random_numbers(folder: Path) -> None:
    pytest.importorskip("nengo", reason="nengo is not installed: extra nengo")
    model = net("z = Identity(drawn)")
    operator = OPERATORS["PoissonSpiking"]
    kinds = {tensor.name: tensor.kind.dtype(np.float32) for tensor in operator.inputs[2:]}
    for name, kind in kinds.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((), kind), f"random_{name}"))
    inputs = ["y", "n_steps", *(f"random_{name}" for name in kinds)]
    node = helper.make_node("PoissonSpiking", inputs, ["drawn"], "random", domain=DOMAIN, **operator.defaults)
    model.graph.node.insert(2, node)
    model.functions.append(operator.function())
    verify(model, X, 4)


X = {"x": np.ones((2, 3, 2, 2), np.float32)}
CONNECTION = "only a signal times a constant matrix is a connection"
MIDDLE = "it begins in the middle of a run"

CASES = {
    "nengo/export.py": {
        "make_script: this is not a spiking model; make one with `onnx-snn convert`": Case(
            lambda folder: make_script(graph("y = Relu(x)")), "this is not a spiking model; make one with `onnx-snn convert`"
        ),
        "make_script: its output {} is not computed from its input, or is a neuron's state": Case(
            lambda folder: make_script(with_a_state_as_output()),
            "its output 'odd' is not computed from its input, or is a neuron's state",
        ),
        "make_script: {} has no counterpart in Nengo{}": following(
            "[odd] z = Max(y, C)", "node 'odd': Max has no counterpart in Nengo", C=[0.5]
        ),
        "make_script: {} does not depend on the input; fold constants first": following(
            "[odd] c = Relu(C)  z = Add(y, c)", "node 'odd': Relu does not depend on the input; fold constants first", C=[0.5]
        ),
        "make_script: {}: {}": following("[odd] z = Div(y, y)", "node 'odd': Div: only a signal .*"),
        "_check_readout: the readout's time constant must be above 0, it is {}": Case(
            lambda folder: make_script(net("z = Identity(y)"), readout_tau=0.0),
            r"the readout's time constant must be above 0, it is 0\.0",
        ),
        "_check_readout: with {} its outputs are no means over all steps; leave --readout-tau out": Case(
            lambda folder: make_script(leaky(), readout_tau=0.1),
            "with the readout 'leaky' its outputs are no means over all steps; leave --readout-tau out",
        ),
        "_is_at_once: {} has no time axis, but other operators do": Case(
            lambda folder: make_script(at_once()), "node 'sum': MultiThresholdSum has no time axis, but other operators do"
        ),
    },
    "nengo/handlers/arithmetic.py": {
        "mul: signals of the shapes {} and {} are not multiplied": following(
            "m = ReduceMean(y, I)  [odd] z = Mul(y, m)",
            r"node 'odd': Mul: signals of the shapes \(3, 2, 2\) and \(3, 1, 1\) are not multiplied",
            I=[2, 3],
        ),
        "div: only a signal divided by a constant is a connection": following(
            "[odd] z = Div(y, y)", "node 'odd': Div: only a signal divided by a constant is a connection"
        ),
        "_scale: its factor makes {} of {}": following(
            "m = ReduceMean(y, I)  [odd] z = Mul(m, C)",
            r"node 'odd': Mul: its factor makes \(3, 2, 2\) of \(3, 2, 1\)",
            I=[3],
            C=[0.5, 1.5],
        ),
        "add_term: signals of different shapes, {} and {}, are not subtracted": following(
            "m = ReduceMean(y, I)  [odd] z = Sub(y, m)",
            r"node 'odd': Sub: signals of different shapes, \(3, 2, 1\) and \(3, 2, 2\), are not subtracted",
            I=[3],
        ),
    },
    "nengo/handlers/convolution.py": {
        "conv: Nengo has no dilated convolution (dilations {})": following(
            "[odd] z = Conv<dilations = [2, 2], pads = [2, 2, 2, 2]>(y, K)",
            r"node 'odd': Conv: Nengo has no dilated convolution \(dilations \(2, 2\)\)",
            K=np.ones((4, 3, 2, 2)) / 2,
        ),
        "conv_transpose: Nengo has no transposed convolution with groups or dilations": following(
            "[odd] z = ConvTranspose<group = 3>(y, K)",
            "node 'odd': ConvTranspose: Nengo has no transposed convolution with groups or dilations",
            K=np.ones((3, 1, 2, 2)) / 2,
        ),
        "windows_of: Nengo has no convolutions over {} axes": following(
            "r = Unsqueeze(y, I)  [odd] z = Conv(r, K)",
            "node 'odd': Conv: Nengo has no convolutions over 3 axes",
            I=[4],
            K=np.ones((4, 3, 1, 1, 1)) / 2,
        ),
    },
    "nengo/handlers/dense.py": {
        "gemm: only a signal times a constant matrix is a connection": following(
            "f = Reshape(y, S)  [odd] z = Gemm<transB = 1>(f, f)", f"node 'odd': Gemm: {CONNECTION}", S=FLAT
        ),
        "matmul: only a signal times a constant matrix is a connection": following(
            "[odd] z = MatMul(y, y)", f"node 'odd': MatMul: {CONNECTION}"
        ),
    },
    "nengo/handlers/elementwise.py": {
        "expression: over one axis of {}; Nengo's counterpart takes vectors only": following(
            "[odd] z = Softmax<axis = 1>(y)",
            r"node 'odd': Softmax: over one axis of \(3, 2, 2\); Nengo's counterpart takes vectors only",
        ),
        "function: only the exact form is known": Case(
            lambda folder: make_script(net('[odd] z = Gelu<approximate = "tanh">(y)', opset=20)),
            "node 'odd': Gelu: only the exact form is known",
        ),
    },
    "nengo/handlers/movement.py": {
        "move: {} is a constant; only values that depend on the input can be moved": following(
            "[odd] z = Concat<axis = 1>(y, C)",
            "node 'odd': Concat: 'C' is a constant; only values that depend on the input can be moved",
            C=np.ones((1, 3, 2, 2)) / 2,
        ),
        "move: too many values": Case(lambda folder: make_script(large()), "node 'z': Transpose: too many values"),
        "_run: padding with something else than 0": following(
            "[odd] z = Pad(y, P, C)",
            "node 'odd': Pad: padding with something else than 0",
            P=[0, 0, 1, 1, 0, 0, 0, 0],
            C=np.asarray(0.5),
        ),
    },
    "nengo/handlers/neurons.py": {
        "bounded_if: Nengo itself has no neuron that sends negative spikes": Case(
            lambda folder: make_script(net("z = Identity(y)", "BoundedIF, signed, begun"), core_neurons=True),
            "node 'BoundedIF': BoundedIF: Nengo itself has no neuron that sends negative spikes",
        ),
        "sigma_delta: it begins in the middle of a run": Case(
            lambda folder: make_script(begun("SigmaDelta", step=3)), f"node 'SigmaDelta': SigmaDelta: {MIDDLE}"
        ),
        "multi_threshold: it begins in the middle of a run": Case(
            lambda folder: make_script(begun("MultiThreshold", step=3)), f"node 'MultiThreshold': MultiThreshold: {MIDDLE}"
        ),
        "_of_delta: Nengo itself has no neuron of the delta code; convert with --code rate": Case(
            lambda folder: make_script(net("z = Identity(y)", "MultiThreshold"), core_neurons=True),
            "node 'MultiThreshold': MultiThreshold: Nengo itself has no neuron of the delta code; convert with --code rate",
        ),
        "_attributes: {}": Case(lambda folder: make_script(out_of_range()), r"node 'LIF': LIF: .*tau_rc.*-1.*"),
    },
    "nengo/handlers/pooling.py": {
        "average_pool: count_include_pad together with ceil_mode": following(
            "[odd] z = AveragePool<kernel_shape = [2, 2], pads = [1, 1, 1, 1], ceil_mode = 1, count_include_pad = 1>(y)",
            "node 'odd': AveragePool: count_include_pad together with ceil_mode",
        ),
        "max_pool: the indices of the maxima are used": following(
            "[odd] p, i = MaxPool<kernel_shape = [2, 2]>(y)  z = Flatten(i)",
            "node 'odd': MaxPool: the indices of the maxima are used",
        ),
        "_mean: a mean over the batch axis": following(
            "[odd] z = ReduceMean(y, I)", "node 'odd': ReduceMean: a mean over the batch axis", I=[0]
        ),
    },
    "nengo/handlers/time.py": {
        "_check_at_rest: its state {} is not 0: it begins in the middle of a run": Case(
            lambda folder: make_script(begun("RunningMean", step=3)),
            f"node 'RunningMean': RunningMean: its state 'step' is not 0: {MIDDLE}",
        ),
    },
    "nengo/script.py": {
        "shape: value {} does not begin with the batch axis": following(
            "[odd] t = Transpose<perm = [1, 0, 2, 3]>(y)  z = Relu(t)",
            "node 'odd': Transpose: value 't' does not begin with the batch axis",
        ),
        "constant: its input {} must be a constant, but is computed when the model runs": following(
            "[odd] z = Conv(y, y)", "node 'odd': Conv: its input 'y' must be a constant, but is computed when the model runs"
        ),
        "time_step: its time step is {} s, that of others {} s; Nengo has one for all": Case(
            lambda folder: make_script(two_time_steps()),
            r"node 'Lowpass': Lowpass: its time step is 0\.001 s, that of others 0\.002 s; Nengo has one for all",
        ),
    },
    "nengo/verify.py": {
        "verify: it does not compute in float32, as NengoDL does; compare in float64: --simulator nengo": Case(
            lambda folder: verify(net("z = Identity(y)", element=np.float64), X, 4, simulator="nengo-dl"),
            "it does not compute in float32, as NengoDL does; compare in float64: --simulator nengo",
        ),
        "verify: {} draws random numbers, Nengo draws others": Case(
            comparing_random_numbers, "node 'random': PoissonSpiking draws random numbers, Nengo draws others"
        ),
        "recording_session: ONNX Runtime cannot run the model in this precision: {}{}": Case(
            lambda folder: recording_session(net("[odd] z = LRN<size = 3>(y)", element=np.float64), []),
            "ONNX Runtime cannot run the model in this precision: .*LRN.*; compare in float32: --simulator nengo-dl",
        ),
    },
    "nengo/shapes.py": {
        "shapes_of_one_step: input {} is a state: convert the model without --streaming": Case(
            lambda folder: make_script(with_state_input()),
            "input 'voltage' is a state: convert the model without --streaming",
        ),
        "shapes_of_one_step: input {} has free lengths {}; Nengo needs fixed ones": Case(
            lambda folder: make_script(with_free_length()),
            r"input 'x' has free lengths \[N,3,H,2\]; Nengo needs fixed ones",
        ),
    },
}  # fmt: skip
