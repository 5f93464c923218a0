"""Files that are damaged, claim what is not true, or hold what nobody could convert."""

from __future__ import annotations

import importlib.util
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.io.onnx_files import read_proto
from converter.normalise.ann import load_ann
from converter.normalise.frameworks import KERAS, TORCH, TORCHSCRIPT, Framework, export_to_onnx
from converter.normalise.plain_form import plain_form
from tests.models import text_model
from tests.normalise.test_already_spiking import MAKE
from tests.passes import from_text
from tests.refusals.case import Case, graph, loading

LINEAR = "[layer] h = MatMul(x, W)  y = Relu(h)"


def changed(
    change: Callable[[onnx.ModelProto], object], body: str = LINEAR, opset: int = 18
) -> Callable[[], onnx.ModelProto]:
    """A model that something was done to."""

    def model() -> onnx.ModelProto:
        proto = graph(body, opset=opset)
        change(proto)
        return proto

    return model


def tensor(change: Callable[[TensorProto], object]) -> Callable[[], onnx.ModelProto]:
    """A model whose weights something was done to."""
    return changed(lambda proto: change(proto.graph.initializer[0]))


def external(
    location: str, made: Callable[[Path], object] = lambda folder: None, **entries: str
) -> Callable[[Path], object]:
    """Loads a model whose weights lie in another file."""

    def refuse(folder: Path) -> None:
        proto = graph(LINEAR)
        weights = proto.graph.initializer[0]
        (folder / "good").write_bytes(weights.raw_data)
        made(folder)
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            weights.external_data.add(key=key, value=value)
        (folder / "m.onnx").write_bytes(proto.SerializeToString())
        load_ann(folder / "m.onnx")

    return refuse


def in_function(proto: onnx.ModelProto) -> None:
    held = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.append(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=held))
    proto.functions.append(helper.make_function("local", "f", [], ["c"], [node], [helper.make_opsetid("", 18)]))


def no_text(folder: Path) -> None:
    """A name that is not UTF-8."""
    data = graph(LINEAR.replace("layer", "layerlayer")).SerializeToString()
    (folder / "m.onnx").write_bytes(data.replace(b"layerlayer", b"\xff" * 10))
    load_ann(folder / "m.onnx")


def holding(name: str, content: bytes) -> Callable[[Path], object]:
    def refuse(folder: Path) -> None:
        (folder / name).write_bytes(content)
        load_ann(folder / name)

    return refuse


def retyped(kind: str) -> Callable[[onnx.ModelProto], object]:
    def change(proto: onnx.ModelProto) -> None:
        of_tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        proto.graph.output[0].type.CopyFrom(helper.make_sequence_type_proto(of_tensor))

    def text(proto: onnx.ModelProto) -> None:
        proto.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING

    def shapeless(proto: onnx.ModelProto) -> None:
        proto.graph.input[0].type.tensor_type.ClearField("shape")

    return {"sequence": change, "text": text, "shapeless": shapeless}[kind]


def renamed_to_n_steps(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].name = proto.graph.node[0].input[0] = "n_steps"


def spiking() -> onnx.ModelProto:
    proto = graph("h = MatMul(x, W)  y = onnx_snn.IF(h)")
    proto.opset_import.append(helper.make_opsetid("onnx_snn", 1))
    return proto


def scan_of_batches() -> onnx.ModelProto:
    inner = onnx.parser.parse_graph("g (float[4] a) => (float[4] b) { b = Relu(a) }")
    node = helper.make_node("Scan", ["", "x"], ["y"], "odd", body=inner, num_scan_inputs=1)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 4]) for name in "xy"]
    return helper.make_model(
        helper.make_graph([node], "m", values[:1], values[1:]), opset_imports=[helper.make_opsetid("", 8)], ir_version=4
    )


def exporting(path: Path, framework: Framework) -> None:
    """Where all that it needs is installed."""
    path.write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: name)
        export_to_onnx(path, framework)


def load_with_nothing(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.5.0"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        load_ann(path)


def waiting(folder: Path) -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) { a = Add(x, x)  y = Neg(a) }")
    first, second = model.graph
    first.replace_input_with(1, second.outputs[0])
    plain_form(model)


def quantised(layer: str) -> Callable[[], onnx.ModelProto]:
    def model() -> onnx.ModelProto:
        proto = text_model(
            f"""m (float[N,4,3,3] x) => (float[N,4,3,3] y) <float[] S> {{
              q = QuantizeLinear(x, S, ZERO)  {layer}  y = DequantizeLinear(m, S, ZERO) }}""",
            S=np.asarray(0.1),
        )
        proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        held = {"ZERO": np.asarray(128, np.uint8), "C": np.ones(1, bool), "K": np.ones((4, 4, 1, 1), np.uint8)}
        proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in held.items())
        return proto

    return model


WHAT = r": tensor 'W' of the shape \[4, 4\] "
WHERE = r": tensor 'W' has its data in "
DAMAGED = "; the file is damaged"
IN_TRAINING = r"export the model for inference \(PyTorch: model\.eval\(\)\)"
NO_RULE = "; convert the model before it was quantised"

CASES = {
    "graph/run.py": {
        "start_quietly: ONNX Runtime cannot load the model: {}": loading(
            lambda: graph("[layer] h = MatMul(x, nothing)  y = Relu(h)"),
            ": ONNX Runtime cannot load the model: .*'?nothing'?.*",
        ),
    },
    "io/claims.py": {
        "check_claims: a name in it is no text; the file is damaged": Case(
            no_text, r"{folder}/m\.onnx: (a name in it is no text; the file is damaged|not an ONNX model, .*)"
        ),
        "check_claims: it has no operator or no output; the file is damaged": loading(
            changed(lambda proto: proto.graph.node[0].ClearField("op_type")),
            f": node 'layer': it has no operator or no output{DAMAGED}",
        ),
        "check_claims: tensor {} of a function has external data; export the model without": loading(
            changed(in_function), ": tensor 't' of a function has external data; export the model without"
        ),
        "_check_tensor: {} has a negative length; the file is damaged": loading(
            tensor(lambda w: w.dims.__setitem__(1, -4)),
            rf": tensor 'W' of the shape \[4, -4\] has a negative length{DAMAGED}",
        ),
        "_check_tensor: {} has no known type of elements; the file is damaged": loading(
            tensor(lambda w: w.ClearField("data_type")), f"{WHAT}has no known type of elements{DAMAGED}"
        ),
        "_check_tensor: {} lies in segments, which nothing reads; export the model again": loading(
            tensor(lambda w: w.segment.SetInParent()),
            f"{WHAT}lies in segments, which nothing reads; export the model again",
        ),
        "_check_tensor: {} does not hold as many numbers as that; the file is damaged": loading(
            tensor(lambda w: setattr(w, "raw_data", w.raw_data[:-4])),
            f"{WHAT}does not hold as many numbers as that{DAMAGED}",
        ),
        "_check_external: {}, which is no file inside the model's folder; put it there and name it so": Case(
            external("../good"),
            rf"{{folder}}/m\.onnx{WHERE}'\.\./good', which is no file inside the model's folder; put it there and name it so",
        ),
        "_check_external: its external data cannot be read (there is no file {}); put those files beside the model": Case(
            external("lost"),
            r"{folder}/m\.onnx: its external data cannot be read \(there is no file 'lost'\); put those files beside the model",
        ),
        "_check_external: {}: its external data cannot be read ({})": Case(
            external("l" * 300),
            rf"{{folder}}/m\.onnx{WHERE}'l{{200}}': its external data cannot be read \(.*name too long.*\)",
        ),
        "_check_external: {}, which leads out of the model's folder; put the file itself there": Case(
            external("out", lambda folder: (folder / "out").symlink_to("/etc/passwd")),
            rf"{{folder}}/m\.onnx{WHERE}'out', which leads out of the model's folder; put the file itself there",
        ),
        "_check_external: {}, which is no ordinary file": Case(
            external("pipe", lambda folder: os.mkfifo(folder / "pipe")),
            rf"{{folder}}/m\.onnx{WHERE}'pipe', which is no ordinary file",
        ),
        "_check_external: {}, at no number; the file is damaged": Case(
            external("good", offset="far"), rf"{{folder}}/m\.onnx{WHERE}'good', at no number{DAMAGED}"
        ),
        "_check_external: {}: {} bytes from {} on, of {}, for a tensor of {}; it is damaged": Case(
            external("good", offset="4"),
            rf"{{folder}}/m\.onnx{WHERE}'good': 64 bytes from 4 on, of 64, for a tensor of 64; it is damaged",
        ),
        "_check_sizes: {} {} of {} elements, {}; more than {} are refused": loading(
            lambda: graph("[large] h = ConstantOfShape(S)  y = Add(x, h)", S=[1 << 20, 1 << 20]),
            r": node 'large': ConstantOfShape makes 'h' of 1\.1e\+12 elements, \[1048576, 1048576\]; more than 2\.68e\+08 are "
            "refused",
        ),
    },
    "io/onnx_files.py": {
        "read_without_data: {}": Case(
            lambda folder: read_proto(folder / "lost.onnx"), r"{folder}/lost\.onnx: there is no such file"
        ),
        "read_without_data: not an ONNX model, or the file is truncated; export it again": Case(
            holding("m.onnx", b"\xff" * 50), r"{folder}/m\.onnx: not an ONNX model, or the file is truncated; export it again"
        ),
        "read_without_data: not an ONNX model: it holds no graph": Case(
            holding("m.onnx", b""), r"{folder}/m\.onnx: not an ONNX model: it holds no graph"
        ),
        "read_proto: its external data cannot be read ({}); put those files beside the model": Case(
            external("linked", lambda folder: (folder / "linked").hardlink_to(folder / "good")),
            r"{folder}/m\.onnx: its external data cannot be read \(.*linked.*\); put those files beside the model",
        ),
    },
    "normalise/admission.py": {
        "check_usable: opset {} is older than {}; export the model with a newer opset": loading(
            lambda: graph("y = Relu(x)", opset=6), ": opset 6 is older than 7; export the model with a newer opset"
        ),
        "check_usable: this is already a spiking model; convert the trained model it came from": loading(
            spiking, ": this is already a spiking model; convert the trained model it came from"
        ),
        "check_usable: operator {} does not exist in opset {}": loading(
            lambda: graph("h = MatMul(x, W)  [odd] y = Reluu(h)"), ": node 'odd': operator Reluu does not exist in opset 18"
        ),
        "check_inference: {} draws other numbers in every run, so there is nothing to compare with; {}, or make the random "
        "numbers an input": loading(
            lambda: graph("[noise] r = RandomNormalLike(x)  s = Add(x, r)  y = Relu(s)"),
            f": node 'noise': RandomNormalLike draws other numbers in every run, so there is nothing to compare with; "
            f"{IN_TRAINING}, or make the random numbers an input",
        ),
        "check_inference: {} {}, as in training; {}": loading(
            lambda: graph("yes = Constant<value = bool {1}>()  half = Constant<value_float = 0.5>()  "
                          "[drop] d = Dropout(x, half, yes)  y = Relu(d)"),
            f": node 'drop': Dropout drops numbers at random, as in training; {IN_TRAINING}",
        ),
        "_check_interface: its {} {} has the name of an input of every spiking model; rename it": loading(
            changed(renamed_to_n_steps), ": its input 'n_steps' has the name of an input of every spiking model; rename it"
        ),
        "_check_interface: its {} {} is a {}, not a tensor; {}": loading(
            changed(retyped("sequence"), "h = Relu(x)  y = SplitToSequence<axis = 1>(h)"),
            ": its output 'y' is a sequence, not a tensor; export the model with tensors",
        ),
        "_check_interface: its input {} takes text; export the model from the numbers made of it on": loading(
            changed(retyped("text")), ": its input 'x' takes text; export the model from the numbers made of it on"
        ),
        "_check_interface: its input {} has no declared shape; export the model with one": loading(
            changed(retyped("shapeless")), ": its input 'x' has no declared shape; export the model with one"
        ),
    },
    "normalise/dequantise.py": {
        "_to_floats: there is no rule for the quantised operator {}; convert the model before it was quantised": loading(
            quantised("[odd] m = com.microsoft.QLinearWhere(C, q, S, ZERO, q, S, ZERO, S, ZERO)"),
            f": node 'odd': there is no rule for the quantised operator QLinearWhere{NO_RULE}",
        ),
        "_split_operator: {} has its channels last; convert the model before it was quantised": loading(
            quantised("[odd] m = com.microsoft.QLinearGlobalAveragePool<channels_last = 1>(q, S, ZERO, S, ZERO)"),
            f": node 'odd': QLinearGlobalAveragePool has its channels last{NO_RULE}",
        ),
        "_numbers: {} takes a scale, zero point or weight that is computed at run time; convert the model before it was "
        "quantised": loading(
            quantised("d = DequantizeLinear(q, S, ZERO)  e = ReduceMax<keepdims = 0>(d)"
                      "  [odd] m = QLinearConv(q, S, ZERO, K, e, ZERO, S, ZERO)"),
            f": node 'odd': QLinearConv takes a scale, zero point or weight that is computed at run time{NO_RULE}",
        ),
    },
    "normalise/frameworks/__init__.py": {
        "export_to_onnx: there is no such file": Case(
            lambda folder: load_ann(folder / "lost.keras"), r"{folder}/lost\.keras: there is no such file"
        ),
        "export_to_onnx: reading {} models needs {}; install {}, or {}": Case(
            lambda folder: load_with_nothing(folder / "m.keras"),
            r"{folder}/m\.keras: reading Keras models needs tensorflow and tf2onnx; install onnx-snn\[nengo\], or export "
            r"the model "
            r"to ONNX with the Keras that wrote it, 3\.5\.0 \(here is .*\): model\.export\('m\.onnx', format='onnx'\)",
        ),
        "export_to_onnx: TorchScript does not say the shape of its input; save the model with torch.export.save (.pt2) "
        "instead": Case(
            lambda folder: exporting(folder / "m.pt", TORCHSCRIPT),
            r"{folder}/m\.pt: TorchScript does not say the shape of its input; save the model with torch\.export\.save "
            r"\(\.pt2\) "
            "instead",
        ),
        "export_to_onnx: {}; if you trust whoever made it, say --trust (in Python trust=True), or export the model to ONNX "
        "yourself": Case(
            lambda folder: exporting(folder / "m.pt2", TORCH),
            r"{folder}/m\.pt2: PyTorch evaluates text of a \.pt2 file as Python; if you trust whoever made it, say --trust "
            r"\(in "
            r"Python trust=True\), or export the model to ONNX yourself",
        ),
        "export_to_onnx: {} cannot export it: {}; {}": Case(
            lambda folder: exporting(folder / "m.net", replace(KERAS, module="no_such_module", name="Another")),
            r"{folder}/m\.net: Another cannot export it: .*No module named .*no_such_module.*; export the model to ONNX "
            r"yourself",
        ),
    },
    "normalise/add_batch.py": {
        "finish: output {} {} does not hold the samples in axis 0; {}": loading(
            lambda: text_model("m (float[N,4] x) => (float[] y) { r = Relu(x)  y = ReduceSum<keepdims = 0>(r) }"),
            r": output 'y' \[\] does not hold the samples in axis 0; export the model with the batch as axis 0 of every input "
            "and output",
        ),
    },
    "normalise/already_spiking.py": {
        "check_not_spiking: {} compares a potential with its threshold, and spikes reset that for the next step: this is a "
        "spiking network already. Run it as it is, in any ONNX Runtime; to get one of ours, convert the network with ordinary "
        "activations, such as Relu, that it came from or that is trained in its place": loading(
            lambda: MAKE["unrolled"]("reset by subtraction"),
            ": node '.*': GreaterOrEqual compares a potential with its threshold, and spikes reset that for the next step: .*",
        ),
    },
    "normalise/raise_opset.py": {
        "raise_opset: Scan of opset {} runs over a batch of sequences, which that of later ones does not; export the model "
        "with "
        "opset {} or later": loading(
            scan_of_batches,
            ": node 'odd': Scan of opset 8 runs over a batch of sequences, which that of later ones does not; export the model "
            "with opset 18 or later",
        ),
    },
    "normalise/plain_form.py": {
        "plain_form: its nodes have no order in which they can run: {}": Case(
            waiting, "its nodes have no order in which they can run: .*"
        ),
    },
}  # fmt: skip
