"""The documentation says what the code does."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields, replace

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest
from onnx.reference import ReferenceEvaluator

import snn_ops
from converter import convert, load_ann
from converter.io.preprocess import Preprocessing
from converter.io.samples import check_samples
from snn_ops.format import DOMAIN, FORMAT_VERSION, PREFIX, FormatError, Metadata
from snn_ops.ops import OPERATORS
from snn_ops.single import SingleOperator
from tests.models import mlp, samples, save
from tools.operator_table import ROOT, kernels

FORMAT = ROOT / "docs" / "format.md"


def test_every_operator_has_kernels_for_both_devices() -> None:
    for op_type in OPERATORS:
        assert kernels(op_type) == {"CPU": ["float32", "float16", "float64"], "CUDA": ["float32", "float16"]}


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4x32-10 on plain integers."""
    for _ in range(10):
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [b >> 32 ^ counter[1] ^ key[0], b % 2**32, a >> 32 ^ counter[3] ^ key[1], a % 2**32]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return counter


def draws_as_the_pages_say(op_type: str, expected: float, neuron: int, step: int, seed: int) -> int:
    """Spikes of a neuron at a step, from the equations in docs/operators.md and the numbers of docs/format.md."""
    counter, key = ([number % 2**32, number >> 32] for number in (neuron, seed))
    u = [word // 256 / 2**24 for word in philox([*counter, step % 2**32, step >> 32], key)]
    if op_type == "StochasticSpiking":
        return math.floor(expected) + (u[0] < expected - math.floor(expected))
    m = min(expected, 64) / 4
    n = 0
    for number in u:
        i, p = 0, sum((-m / 32) ** k / math.factorial(k) for k in range(9)) ** 32
        total = p
        while i < 64 and not (number < total or p <= 1e-8):
            i += 1
            p *= m / i
            total += p
        n += i
    return n


@pytest.mark.parametrize("op_type", ["StochasticSpiking", "PoissonSpiking"])
def test_random_neurons_draw_as_the_pages_say(op_type) -> None:
    seed, first_step, first_sample, steps, batch, neurons = 2**40 + 7, 2**32 - 2, 2**31, 4, 2, 30
    expected = np.random.default_rng(0).uniform(-3, 80, (steps, batch, neurons))
    run = SingleOperator(op_type, seed=seed, dt=0.5)
    inputs = np.asarray(steps), np.asarray(0.5), np.asarray(first_step), np.asarray(first_sample)
    spikes = run(expected.reshape(-1, neurons) / 0.5, *inputs)[0].reshape(expected.shape)
    for (t, b, i), number in np.ndenumerate(expected):
        n = draws_as_the_pages_say(op_type, abs(number), (first_sample + b) * neurons + i, first_step + t, seed)
        assert spikes[t, b, i] == np.sign(number) * n


def format_example() -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """The model in docs/format.md, the input and the output that the page names."""
    text = FORMAT.read_text()
    (model,) = re.findall(r"```onnx\n(.*?)```", text, re.DOTALL)
    x, y = (re.search(rf"`{name} = (\[\[.*?\]\])`", text) for name in "xy")
    assert x and y
    return onnx.parser.parse_model(model), np.asarray(json.loads(x[1]), np.float32), np.asarray(json.loads(y[1]))


def with_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    op_types = sorted({node.op_type for node in model.graph.node if node.domain == DOMAIN})
    model.functions.extend(OPERATORS[op_type].function() for op_type in op_types)
    return model


def run_natively(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return snn_ops.Session(model).run(x)[0]


def run_in_plain_onnxruntime(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(with_functions(model).SerializeToString())
    return session.run(None, {"x": x})[0]


def run_in_the_reference_evaluator(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """ONNX's own, which takes no defaults."""
    return ReferenceEvaluator(with_functions(model)).run(None, {"x": x, "n_steps": np.asarray(8)})[0]


@pytest.mark.parametrize("run", [run_natively, run_in_plain_onnxruntime, run_in_the_reference_evaluator])
def test_the_formats_example(run) -> None:
    model, x, y = format_example()
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(run(model, x), y)


def test_the_formats_example_obeys_its_rules() -> None:
    model, *_ = format_example()
    nodes = [node for node in model.graph.node if node.domain == DOMAIN]
    assert nodes
    for node in nodes:
        operator = OPERATORS[node.op_type]
        assert len(node.input) == len(operator.inputs)
        assert all(node.input)
        assert len(node.output) == len(operator.outputs)
        assert {attribute.name for attribute in node.attribute} == set(operator.defaults)


def test_metadata_are_those_of_the_format(tmp_path) -> None:
    trained = mlp()
    options = {"streaming": True, "explicit_inputs": True, "neuron": "if", "n_steps": "auto"}
    ann = load_ann(save(trained, tmp_path / "m.onnx"))
    pictures = replace(check_samples(samples(trained, 160), ann.input_specs), preprocess=Preprocessing())
    conversion = convert(ann, pictures, **options)
    table = FORMAT.read_text().split("## Metadata")[1].split("## Example")[0]
    documented = set(re.findall(r"`(onnx_snn\.\w+)`", table))
    written = {entry.key for entry in conversion.proto().metadata_props if entry.key.startswith(PREFIX)}
    assert written == documented
    assert {PREFIX + field.name for field in fields(Metadata)} == documented
    assert all(f"`{name}`" in table for name in conversion.summary()["layers"][0])


def test_a_newer_format_is_refused_as_the_page_says() -> None:
    (message,) = re.findall(r'"(made for format [^"]*)"', FORMAT.read_text())
    with pytest.raises(FormatError) as error:
        Metadata.read({"onnx_snn.format": str(FORMAT_VERSION + 1)})
    assert str(error.value) == " ".join(message.split())


def test_streaming_as_the_format_says(tmp_path) -> None:
    """By the list of states alone: two chunks are one run."""
    trained = mlp("Tanh")
    x = samples(trained)
    path = tmp_path / "m.snn.onnx"
    convert(save(trained, tmp_path / "m.onnx"), x, streaming=True, code="rate").save(path)
    session = ort.InferenceSession(path)
    states = json.loads(session.get_modelmeta().custom_metadata_map["onnx_snn.states"])
    assert {"input": "step", "output": "step_out"} in states
    assert {"input": "first.net_count", "output": "first.net_count_out"} in states
    names = [output.name for output in session.get_outputs()]
    assert names == ["y", *(state["output"] for state in states)]
    feed = {"x": x[:5]}
    for steps in (3, 5):
        found = dict(zip(names, session.run(None, {**feed, "n_steps": np.asarray(steps)}), strict=True))
        feed |= {state["input"]: found[state["output"]] for state in states}
    (whole,) = session.run(["y"], {"x": x[:5], "n_steps": np.asarray(8)})
    np.testing.assert_array_equal(found["y"], whole)
