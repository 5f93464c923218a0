"""The file's metadata: what is unknown, missing or damaged, files of a newer format, and files of earlier releases."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

import snn_ops
from snn_ops.format import FORMAT_VERSION, PREFIX, SCHEDULES, FormatError, Metadata, known

GIVEN: dict[str, Any] = {
    "format": 1,
    "n_steps": 32,
    "row_bytes": 4096,
    "at_once": 1,
    "states": [{"input": "a.voltage", "output": "a.voltage_out"}],
    "schedule": "two-phase",
    "source": "m.onnx",
    "source_sha256": "ab" * 32,
    "version": "0.1.0",
    "neuron": "if-burst",
    "method": "mse",
    "correction": "bias",
    "calibration_samples": 256,
    "options": {"n_steps": 32, "layers": {"a": {"neuron": "if"}}, "max_spikes": None},
    "layers": [{"name": "a", "threshold": [0.5, 1.0, 2.0]}],
    "work": {"multiply_adds": 100, "energy_ratio": None},
    "islands": [{"nodes": ["s"], "op_types": ["Softmax"], "multiply_adds": 0}],
    "kept_analog": [{"name": "t", "activation": "Tanh", "reason": "none"}],
    "preprocess": {"size": [32, 32], "mean": [0.5]},
    "input_ranges": {"x": {"low": 0.0, "high": 1.0}},
}
DAMAGED = {
    "format": ["", "one", "0", "-1", "1.0", "9" * 30],
    "n_steps": ["", "abc", "0", "-3", "3.5", "1_000", "9223372036854775808", "9" * 5000],
    "row_bytes": ["many", "-1"],
    "calibration_samples": ["NaN"],
    "schedule": ["", "three-phase"],
    "preprocess": ["", "[]", "size"],
    "input_ranges": ["[1]"],
    "states": ["", "{}", "[1]", '[{"input": "a"}]', '[{"input": "a", "output": 1}]', "[" * 100_000],
    "defaults": [
        "",
        "[]",
        '{"a": 1}',
        '{"a": {"type": "int64", "shape": []}}',
        '{"a": {"type": "int64", "shape": [2], "data": [1]}}',
        '{"a": {"type": "int64", "shape": [-1, -1], "data": [1]}}',
        '{"a": {"type": "int64", "shape": [1000000000000], "data": []}}',
        '{"a": {"type": "int64", "shape": [], "data": [1.5]}}',
        '{"a": {"type": "uint8", "shape": [], "data": [256]}}',
        '{"a": {"type": "int64", "shape": [], "data": [9223372036854775808]}}',
        '{"a": {"type": "float32", "shape": [], "data": ["1"]}}',
        '{"a": {"type": "float32", "shape": [], "data": [1e300]}}',
        '{"a": {"type": "float32", "shape": [], "data": [NaN]}}',
        '{"a": {"type": "float32", "shape": [1], "data": [[1]]}}',
        '{"a": {"type": "object", "shape": [], "data": [1]}}',
        '{"a": {"type": "S4", "shape": [], "data": [1]}}',
        '{"a": {"type": 7, "shape": [], "data": [1]}}',
        '{"a": {"type": {}, "shape": [], "data": [1]}}',
    ],
    "options": ["", "[]", "{", "null"],
    "work": ["1"],
    "layers": ["", "{}", "[[]]", "[1, 2", '"a"'],
    "islands": ["null"],
    "kept_analog": ["[null]"],
}


def model(metadata: dict[str, str]) -> onnx.ModelProto:
    """``y = mean over time of IF(x)`` with these metadata."""
    proto = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18, "onnx_snn" : 1]>
        m (float[batch, 2] x, int64 n_steps) => (float[batch, 2] y)
        <int64 n_steps = {4}, float[2] threshold = {1, 1}, float[2] voltage = {0.5, 0.5}, float count = {0}, float sum = {0},
         int64 step = {0}>
        {
          [layer] spikes, "", "" = onnx_snn.IF <max_spikes: int = 1, signed: int = 0, constant_current: int = 1>
            (x, n_steps, threshold, voltage, count)
          y, "", "" = onnx_snn.TimeMean (spikes, n_steps, sum, step)
        }""")
    onnx.helper.set_model_props(proto, metadata)
    return proto


def run(metadata: dict[str, str], **options: Any) -> np.ndarray:
    session = snn_ops.Session(model(metadata), **options)
    return session.run(np.asarray([[1, 0.25]], np.float32))[0]


def one_line(error: pytest.ExceptionInfo[FormatError]) -> str:
    message = str(error.value)
    assert "\n" not in message and len(message) < 200
    return message


def test_what_is_written_is_read() -> None:
    metadata = Metadata(**GIVEN)
    assert set(metadata.texts()) == set(GIVEN)
    mapping: dict[str, str] = {}
    metadata.write(mapping)
    assert all(key.startswith(PREFIX) and isinstance(text, str) for key, text in mapping.items())
    read = Metadata.read(mapping)
    assert {name: getattr(read, name) for name in GIVEN} == GIVEN
    assert read.texts() == metadata.texts()
    assert not read.damaged()


def test_options_in_any_order_are_the_same_text() -> None:
    options = GIVEN["options"]
    assert Metadata(options=options).texts() == Metadata(options=dict(reversed(options.items()))).texts()


def test_missing_ones_have_defaults() -> None:
    """An empty file, and one of the first release, which has no format."""
    for mapping in ({}, {"onnx_snn.version": "0.1.0"}):
        metadata = Metadata.read(mapping)
        assert (metadata.format, metadata.n_steps, metadata.row_bytes) == (1, 1, 0)
        assert metadata.schedule == SCHEDULES[0] == "stepped"
        assert not metadata.source and not metadata.options and not metadata.work
        for name in ("states", "layers", "islands", "kept_analog"):
            assert list(getattr(metadata, name)) == []
    assert Metadata().texts() == {}
    assert run({}).shape == (1, 2)


def test_unknown_keys_are_ignored_and_stay() -> None:
    mapping = {"onnx_snn.later": "{", "author": "somebody", "onnx_snn.n_steps": "8"}
    metadata = Metadata.read(mapping)
    assert metadata.texts() == {"n_steps": "8"}
    (metadata | Metadata(source="m.onnx")).without("n_steps").write(mapping)
    assert mapping == {"onnx_snn.later": "{", "author": "somebody", "onnx_snn.source": "m.onnx"}
    np.testing.assert_array_equal(run(mapping), run({}))


def test_metadata_cannot_be_changed() -> None:
    metadata = Metadata(n_steps=8)
    with pytest.raises(FrozenInstanceError):
        metadata.n_steps = 9  # type: ignore[misc]
    both = metadata | Metadata(n_steps=16, row_bytes=4)
    assert (metadata.n_steps, both.n_steps, both.row_bytes) == (8, 16, 4)
    assert metadata.texts() == {"n_steps": "8"}


def test_other_weights_have_no_measurements() -> None:
    kept = Metadata(**GIVEN).without_measurements().texts()
    assert set(GIVEN) - set(kept) == {"layers", "work"}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in DAMAGED.items() for text in texts])
def test_a_damaged_field_is_named(name, text) -> None:
    mapping: dict[str, str] = {}
    Metadata(**GIVEN).write(mapping)
    mapping[PREFIX + name] = text
    if name == "format":  # whoever cannot read that can read nothing
        with pytest.raises(FormatError, match=r"onnx_snn\.format must be an integer") as error:
            Metadata.read(mapping)
        one_line(error)
        return
    metadata = Metadata.read(mapping)
    assert list(metadata.damaged()) == [name]
    with pytest.raises(FormatError, match=rf"onnx_snn\.{name} must be ") as error:
        getattr(metadata, name)
    assert one_line(error) == metadata.damaged()[name]
    for other in GIVEN.keys() - {name}:
        assert getattr(metadata, other) == GIVEN[other]
    written: dict[str, str] = {}
    metadata.write(written)
    assert written == mapping


def test_running_needs_neither_layers_nor_work() -> None:
    damage = dict.fromkeys(("layers", "work", "islands", "kept_analog", "options", "calibration_samples"), "{[")
    np.testing.assert_array_equal(run({PREFIX + name: text for name, text in damage.items()}), run({}))


def test_running_names_what_it_needs() -> None:
    with pytest.raises(FormatError, match=r"onnx_snn\.n_steps must be an integer .*, it is 'many'") as error:
        run({"onnx_snn.n_steps": "many"})
    one_line(error)
    np.testing.assert_array_equal(run({"onnx_snn.n_steps": "many"}, n_steps=1), run({"onnx_snn.n_steps": "1"}))
    with pytest.raises(FormatError, match=r"onnx_snn\.states must be a JSON list"):
        run({"onnx_snn.states": "{}"})
    with pytest.raises(FormatError, match=r"onnx_snn\.row_bytes must be"):
        run({"onnx_snn.row_bytes": "x"})
    np.testing.assert_array_equal(run({"onnx_snn.row_bytes": "x"}, batch_size=1), run({}))
    for pair in ({"input": "layer.voltage", "output": "y"}, {"input": "n_steps", "output": "nowhere"}):
        with pytest.raises(ValueError, match=f"metadata name a state '{pair['input']}' that the model does not have"):
            run({"onnx_snn.states": json.dumps([pair])})


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_a_newer_format_is_refused_in_one_line(backend) -> None:
    with pytest.raises(FormatError) as error:
        run({"onnx_snn.format": "99", "onnx_snn.n_steps": "many"}, backend=backend)
    assert one_line(error) == f"made for format 99, this release reads {FORMAT_VERSION}: pip install -U onnx-snn"
    assert isinstance(error.value, ValueError)
    np.testing.assert_array_equal(run({"onnx_snn.format": str(FORMAT_VERSION)}), run({}))


@dataclass(frozen=True)
class Row:
    name: str
    heights: tuple[float, float]
    nodes: tuple[str, ...] = ()
    most: int | None = 1
    kinds: list[str] | None = None


def test_known_takes_the_fields_that_it_has() -> None:
    values = {"name": "a", "heights": [1, 0.5], "later": {"x": 1}}
    assert known(Row, values, "layers") == Row("a", (1, 0.5))
    assert known(Row, {**values, "nodes": ["n", "m"], "most": None, "kinds": ["k"]}, "layers") == Row(
        "a", (1, 0.5), ("n", "m"), None, ["k"]
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "'name' is missing"),
        ({"name": 3}, "'name' must be str, it is 3"),
        ({"name": "a", "heights": [1.0]}, "'heights' must be 2 values, they are 1"),
        ({"name": "a", "heights": [1.0, "x"]}, "'heights' must be float, it is 'x'"),
        ({"name": "a", "heights": 1.0}, "'heights' must be tuple[float, float], it is 1.0"),
        ({"name": "a", "heights": [1, True]}, "'heights' must be float, it is True"),
        ({"name": "a", "heights": [1, 10**400]}, "'heights' must be float, it is 1000"),
        ({"name": "a", "heights": [1, 2], "most": 1.5}, "'most' must be int | None, it is 1.5"),
        ({"name": "a", "heights": [1, 2], "nodes": [1]}, "'nodes' must be str, it is 1"),
    ],
)
def test_known_names_what_is_damaged(values, message) -> None:
    with pytest.raises(FormatError, match=re.escape(f"metadata onnx_snn.layers: {message}")) as error:
        known(Row, values, "layers")
    one_line(error)
