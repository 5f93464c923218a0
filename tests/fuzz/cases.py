"""Hostile input by seed: files in a folder, and the command lines that read them.

A case is a kind, a seed and the numbers of its mutations; the same three make the same files. Leaving mutations out makes a
smaller case.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from converter import convert
from snn_ops.format import PREFIX
from snn_ops.ops import OPERATORS
from tests.models import batchnorm_net, convnet, mlp, samples, scaled_gemms, text_model
from tests.ops.cases import CASES, Shape, random_inputs

Line = list[str]
_SIZES = (0, 1, -1, 2, 3, 7, 2**31 - 1, 2**31, 2**62, -(2**63))
_FLOATS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 1e-300, 3e38)
_TEXTS = (
    "",
    "x",
    "-1",
    "0",
    "1e9",
    "nan",
    "[]",
    "{}",
    "null",
    "[[]]",
    '[{"name": 3}]',
    "9" * 30,
    "\x00",
    "two-phase",
    "delta",
    "[" * 9999,
)
_CONVERT = ["convert", "m.onnx", "--calibration", "x.npz", "--steps", "2"]


@dataclass(frozen=True)
class Case:
    """Attributes:
    kind: one of `KINDS`.
    seed: of everything that is drawn.
    mutations: their numbers; each draws from a seed of its own.
    """

    kind: str
    seed: int
    mutations: tuple[int, ...]

    def write(self, folder: Path) -> list[Line]:
        """Writes the files; the command lines."""
        return KINDS[self.kind](self, folder)

    def rngs(self) -> list[np.random.Generator]:
        """One for each mutation."""
        return [np.random.default_rng((self.seed, number)) for number in self.mutations]

    @property
    def rng(self) -> np.random.Generator:
        """For what no mutation draws."""
        return np.random.default_rng(self.seed)


@functools.cache
def _trained() -> tuple[onnx.ModelProto, ...]:
    return mlp(), convnet(), batchnorm_net(), scaled_gemms(), mlp("Sigmoid"), mlp("Tanh", batch="3")


@functools.cache
def _spiking() -> tuple[tuple[onnx.ModelProto, onnx.ModelProto], ...]:
    made = []
    for options in (
        {"code": "rate", "neuron": "if"},
        {"streaming": True, "n_steps": 3},
        {"code": "rate", "neuron": "lif"},
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "m.onnx"
            onnx.save(mlp(), path)
            made.append((mlp(), convert(path, samples(mlp()), **{"n_steps": 2, **options}).proto()))
    return tuple(made)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    new = onnx.ModelProto()
    new.CopyFrom(model)
    return new


def _pick(rng: np.random.Generator, values: Sequence[object]) -> object:
    return values[int(rng.integers(len(values)))]


def _numbers(tensor: TensorProto) -> np.ndarray:
    """Its numbers; others where it has none, or an earlier mutation left what nobody can read."""
    with contextlib.suppress(Exception):
        if tensor.raw_data:
            return numpy_helper.to_array(tensor).copy()
    return np.zeros(3, np.float32)


def _mutate(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """One change of a model, at random."""
    graph = model.graph
    node = graph.node[int(rng.integers(len(graph.node)))] if graph.node else onnx.NodeProto()
    names = [name for each in graph.node for name in (*each.input, *each.output)] + ["", "nowhere"]
    tensor = graph.initializer[int(rng.integers(len(graph.initializer)))] if graph.initializer else TensorProto()
    values = [*graph.input, *graph.output, *graph.value_info]
    value = _pick(rng, values) if values else onnx.ValueInfoProto()
    what = int(rng.integers(16))
    if what == 0 and node.attribute:
        attribute = node.attribute[int(rng.integers(len(node.attribute)))]
        attribute.i, attribute.f = int(_pick(rng, _SIZES)), float(_pick(rng, _FLOATS))
        if attribute.ints:
            attribute.ints[int(rng.integers(len(attribute.ints)))] = int(_pick(rng, _SIZES))
    elif what == 1 and node.attribute:
        del node.attribute[int(rng.integers(len(node.attribute)))]
    elif what == 2 and node.input:
        node.input[int(rng.integers(len(node.input)))] = _pick(rng, names)
    elif what == 3 and node.output:
        node.output[int(rng.integers(len(node.output)))] = _pick(rng, names)
    elif what == 4:
        node.op_type = _pick(
            rng, [*(n.op_type for n in graph.node), "Sin", "Softmax", "MaxPool", "If", "Scan", "NonZero", "Shape", ""]
        )
    elif what == 5:
        node.domain = _pick(rng, ["", "onnx_snn", "ai.onnx", "com.microsoft", "other"])
    elif what == 6 and graph.node:
        graph.node.remove(node)
    elif what == 7 and graph.node:
        graph.node.append(node)
    elif what == 8 and tensor.dims:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = int(_pick(rng, _SIZES))
    elif what == 9 and tensor.name:
        array = _numbers(tensor)
        if array.dtype.kind == "f" and array.size:
            array.flat[int(rng.integers(array.size))] = np.float32(_pick(rng, _FLOATS))
        elif array.size:
            array.flat[int(rng.integers(array.size))] = int(_pick(rng, _SIZES))
        shape = [array.shape, (1, *array.shape), (array.size,), array.shape[::-1]][int(rng.integers(4))]
        dtype = _pick(rng, [array.dtype, array.dtype, np.float64, np.float16, np.int64, np.bool_])
        with np.errstate(all="ignore"):
            tensor.CopyFrom(numpy_helper.from_array(array.reshape(shape).astype(dtype), tensor.name))
    elif what == 10:
        tensor.data_type = int(rng.integers(0, 26))
    elif what == 11:
        dims = value.type.tensor_type.shape.dim
        if dims:
            dims[int(rng.integers(len(dims)))].dim_value = int(_pick(rng, _SIZES))
    elif what == 12:
        value.type.tensor_type.elem_type = int(rng.integers(0, 26))
    elif what == 13:
        value.name = _pick(rng, names)
    elif what == 14 and model.opset_import:
        entry = model.opset_import[int(rng.integers(len(model.opset_import)))]
        entry.version = int(_pick(rng, [0, 1, 6, 7, 12, 13, 18, 22, 26, 99, -1]))
    elif what == 15:
        _pick(rng, [graph.output, graph.input, graph.value_info, model.functions, graph.initializer]).MergeFrom([])
        field = str(_pick(rng, ["output", "input", "value_info", "initializer", "name"]))
        graph.ClearField(field)


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    held = bytearray(content)
    what = rng.integers(3)
    if held and what == 0:
        held[int(rng.integers(len(held)))] = int(rng.integers(256))
    elif held and what == 1:
        del held[int(rng.integers(len(held))) :]
    else:
        at = int(rng.integers(len(held) + 1))
        held[at:at] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(held)


def _samples_of(model: onnx.ModelProto, folder: Path, count: int = 6) -> None:
    np.savez(folder / "x.npz", x=samples(model, count), y=np.arange(count) % 3)


def _trained_case(case: Case, folder: Path) -> list[Line]:
    model = _copy(_pick(case.rng, _trained()))
    _samples_of(model, folder)
    content = b""
    for rng in case.rngs():
        if rng.random() < 0.2:
            content = _flip(content or model.SerializeToString(), rng)
        elif not content:
            _mutate(model, rng)
    (folder / "m.onnx").write_bytes(content or model.SerializeToString())
    line = [
        *_CONVERT,
        *_pick(case.rng, [["--code", "rate", "--neuron", "if"], ["--exponent", "3", "--schedule", "two-phase"]]),
    ]
    return [_pick(np.random.default_rng((case.seed, 99)), [line, line, ["inspect", "m.onnx"]])]


def _checked_case(case: Case, folder: Path) -> list[Line]:
    """What `check` says of a mutated model is what `convert` does with it."""
    _trained_case(case, folder)
    options = [
        ["--code", "rate", "--neuron", "if"],
        ["--code", "delta", "--analog-input"],
        ["--streaming", "--code", "rate"],
    ]
    return [["as checked", *_pick(np.random.default_rng((case.seed, 98)), options)]]


def _reading(case: Case) -> list[Line]:
    lines = [
        ["run", "m.snn.onnx", "--input", "x.npz", "-o", "y.npz"],
        ["run", "m.snn.onnx", "--input", "x.npz", "--backend", "functions"],
        ["evaluate", "m.snn.onnx", "--data", "x.npz", "--steps", "1,2"],
        ["inspect", "m.snn.onnx", "--json", "-"],
        ["export", "npz", "m.snn.onnx", "-o", "w.npz"],
        ["export", "nengo", "m.snn.onnx", "-o", "w.py"],
    ]
    return [_pick(np.random.default_rng((case.seed, 99)), lines)]


def _spiking_case(case: Case, folder: Path) -> list[Line]:
    trained, model = _pick(case.rng, _spiking())
    model, content = _copy(model), b""
    _samples_of(trained, folder)
    for rng in case.rngs():
        if rng.random() < 0.2:
            content = _flip(content or model.SerializeToString(), rng)
        elif not content:
            _mutate(model, rng)
    (folder / "m.snn.onnx").write_bytes(content or model.SerializeToString())
    return _reading(case)


def _metadata_case(case: Case, folder: Path) -> list[Line]:
    trained, model = _pick(case.rng, _spiking())
    model = _copy(model)
    _samples_of(trained, folder)
    for rng in case.rngs():
        entry = model.metadata_props[int(rng.integers(len(model.metadata_props)))]
        text = entry.value
        at = int(rng.integers(len(text) + 1))
        digits = "".join(str(_pick(rng, "0123456789-e")) if c.isdigit() and rng.random() < 0.2 else c for c in text)
        entry.value = str(_pick(rng, [_pick(rng, _TEXTS), text[:at], text[:at] + "\x1b" + text[at:], digits, digits]))
        if rng.random() < 0.1:
            entry.key = PREFIX + str(_pick(rng, ["format", "states", "work", "front", "options", "schedule"]))
    (folder / "m.snn.onnx").write_bytes(model.SerializeToString())
    return _reading(case)


def _data_case(case: Case, folder: Path) -> list[Line]:
    """Samples."""
    trained, model = _spiking()[0]
    onnx.save(trained, folder / "m.onnx")
    onnx.save(model, folder / "m.snn.onnx")
    arrays = {"x": samples(trained, 6), "y": np.arange(6) % 3}
    content = b""
    for rng in case.rngs():
        if rng.random() < 0.4:
            if not content:
                np.savez(folder / "x.npz", **arrays)
                content = (folder / "x.npz").read_bytes()
            content = _flip(content, rng)
            continue
        name = str(_pick(rng, ["x", "y"]))
        array = arrays[name].copy()
        dtype = _pick(
            rng,
            [
                array.dtype,
                np.float64,
                np.int8,
                np.uint64,
                np.complex64,
                "U3",
                "S2",
                np.bool_,
                np.float16,
                ">f4",
                np.uint8,
            ],
        )
        if array.size and array.dtype.kind == "f":
            array.flat[int(rng.integers(array.size))] = np.float32(_pick(rng, _FLOATS))
        shape = _pick(rng, [array.shape, (array.size,), (*array.shape, 1), array.shape[::-1], (1, *array.shape)])
        with np.errstate(all="ignore"), contextlib.suppress(ValueError):  # not every text is a number
            arrays[name] = array.reshape(shape).astype(dtype)[: int(_pick(rng, [0, 1, 5, 6, 6, 6]))]
    if content:
        (folder / "x.npz").write_bytes(content)
    else:
        np.savez(folder / "x.npz", **arrays)
    return [_pick(case.rng, [[*_CONVERT, "--code", "rate", "--neuron", "if"], *_reading(case)])]


def _options_case(case: Case, folder: Path) -> list[Line]:
    """Options and the TOML of layers."""
    onnx.save(mlp(), folder / "m.onnx")
    _samples_of(mlp(), folder, 12)
    line = list(_CONVERT)
    numbers = [str(n) for n in (*_SIZES, *_FLOATS, 4, 0.5, 99.9, 1e-3)]
    toml = ""
    for rng in case.rngs():
        number = str(_pick(rng, numbers))
        name = str(
            _pick(
                rng,
                "min-agreement max-error max-energy steps exponent percentile max-spikes tau-rc tau-ref dt min-voltage inc-n tau-n".split(),
            )
        )
        word = str(
            _pick(
                rng,
                "if if-burst if-signed lif adaptive-lif sigma-delta few-spike count-if auto rate delta mse none".split(),
            )
        )
        field = str(_pick(rng, "neuron code method schedule correction output".split()))
        line += _pick(
            rng, [[f"--{name}={number}"], [f"--{field}={word}"], ["--streaming"], ["--analog-input"], ["--exact-skips"]]
        )
        if rng.random() < 0.3:
            key = name.replace("-", "_") if rng.random() < 0.5 else field
            text = _pick(rng, [number, f'"{word}"', "[]", "{}", "true", "1979-05-27"])
            toml += f"[layers.{_pick(rng, ['first', 'a1', 'zz'])}]\n{key} = {text}\n"
    if toml:
        (folder / "l.toml").write_text(toml)
        line += ["--layers", "l.toml"]
    return [line]


def _graph_case(case: Case, folder: Path) -> list[Line]:
    """A graph of valid pieces: what ONNX Runtime gives for it, the converted one follows."""
    rng, lines, width, value = case.rng, [], 6, "x"
    arrays, declared = {}, []
    for number in case.mutations:
        rng = np.random.default_rng((case.seed, number))
        new, old, name = f"v{number}", value, f"W{number}"
        piece = int(rng.integers(7))
        if piece <= 2:
            declared.append(f"float[{width},{width}] {name}")
            lines.append(f"{new} = MatMul({old}, {name})")
        elif piece == 3:
            lines.append(
                f"{new} = {_pick(rng, ['Relu', 'Sigmoid', 'Tanh', 'LeakyRelu', 'Elu', 'Softplus', 'HardSigmoid', 'Abs', 'Neg'])}({old})"
            )
        elif piece == 4:
            declared.append(f"float[{width}] {name}")
            lines.append(f"{new} = {_pick(rng, ['Add', 'Mul', 'Sub', 'Max', 'Min'])}({old}, {name})")
        elif piece == 5:
            lines.append(f"{new} = Add({old}, x)")
        else:
            lines.append(
                f"t{number} = Reshape({old}, S) u{number} = Transpose<perm = [0, 2, 1]>(t{number}) {new} = Reshape(u{number}, F)"
            )
        value = new
    declared += ["int64[3] S", "int64[2] F"]
    arrays = {"S": np.asarray([-1, 2, 3]), "F": np.asarray([-1, 6])}
    body = " ".join(lines)
    model = text_model(
        f"m (float[N,6] x) => (float[N,6] y) <{', '.join(declared)}> {{ {body} [last] r = Relu({value}) y = Neg(r) }}",
        seed=case.seed,
        **arrays,
    )
    onnx.save(model, folder / "m.onnx")
    _samples_of(model, folder, 12)
    return [[*_CONVERT, "--code", "rate", "--neuron", "if"], ["agree"]]


def _operator_case(case: Case, folder: Path) -> list[Line]:
    """A call of an operator with operands of other types, ranks and sizes."""
    op_type = str(_pick(case.rng, list(CASES)))
    operator = OPERATORS[op_type]
    arrays = random_inputs(op_type, Shape(2, 3, (4,)), np.float32, case.rng)
    for rng in case.rngs():
        at = int(rng.integers(len(arrays)))
        array = arrays[at]
        what = rng.integers(5)
        if what == 0:
            arrays[at] = array[..., None] if rng.random() < 0.5 else array.reshape(-1)
        elif what == 1 and array.size and array.ndim:
            arrays[at] = array[: int(rng.integers(array.shape[0]))]
        elif what == 2 and array.size:
            array = array.copy().reshape(array.shape)
            array.flat[int(rng.integers(array.size))] = _pick(
                rng, _SIZES if array.dtype.kind == "i" else [np.float32(f) for f in _FLOATS]
            )
            arrays[at] = array
        elif what == 3:
            arrays[at] = np.zeros([int(_pick(rng, [0, 1, 2, 3, 4])) for _ in range(int(rng.integers(5)))], array.dtype)
        else:
            with np.errstate(all="ignore"):
                arrays[at] = array.astype(_pick(rng, [np.float64, np.float16, np.int64, np.float32]))
    names = [tensor.name for tensor in operator.inputs]
    attributes = {a.name: a.default for a in operator.attributes}
    for rng in case.rngs():
        if attributes and rng.random() < 0.3:
            name = str(_pick(rng, list(attributes)))
            attributes[name] = (
                float(np.float32(_pick(rng, _FLOATS)))
                if isinstance(attributes[name], float)
                else int(_pick(rng, _SIZES))
            )
    node = helper.make_node(
        op_type, names, [tensor.name for tensor in operator.outputs], domain="onnx_snn", **attributes
    )
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), [None] * array.ndim)
        for name, array in zip(names, arrays, strict=True)
    ]
    outputs = [onnx.ValueInfoProto(name=tensor.name) for tensor in operator.outputs]
    graph = helper.make_graph([node], "g", inputs, outputs)
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("onnx_snn", 2)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=9), folder / "op.onnx")
    np.savez(folder / "op.npz", **dict(zip(names, arrays, strict=True)))
    return [["operator"]]


KINDS: dict[str, Callable[[Case, Path], list[Line]]] = {
    "trained": _trained_case,
    "checked": _checked_case,
    "spiking": _spiking_case,
    "metadata": _metadata_case,
    "data": _data_case,
    "options": _options_case,
    "graph": _graph_case,
    "operator": _operator_case,
}
