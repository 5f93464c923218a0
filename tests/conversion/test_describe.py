"""The finished model and what it says about itself."""

from __future__ import annotations

import json

import onnx
import pytest

import snn_ops
from snn_ops.ops import OPERATORS
from tests.models import convert_model, mlp


@pytest.mark.parametrize("streaming", [False, True])
def test_format_rules(streaming, tmp_path) -> None:
    """Every attribute written, every input passed, every output listed; functions for all operators; metadata."""
    _, snn = convert_model(mlp("Tanh"), tmp_path, streaming=streaming)
    ours = [node for node in snn.graph.node if node.domain == snn_ops.DOMAIN]
    assert {node.op_type for node in ours} == {"SigmaDelta", "RunningMean", "TimeMean"}
    for node in ours:
        operator = OPERATORS[node.op_type].at(2 if streaming else 1)
        assert {a.name for a in node.attribute} == set(operator.defaults)
        assert len(node.input) == len(operator.inputs)
        assert all(node.input)
        assert len(node.output) == len(operator.outputs)
    assert {f.name for f in snn.functions} == {node.op_type for node in ours}
    onnx.checker.check_model(snn, full_check=True)
    metadata = {entry.key: entry.value for entry in snn.metadata_props}
    assert metadata["onnx_snn.n_steps"] == "32"
    assert metadata["onnx_snn.source"] == "m.onnx"
    assert len(json.loads(metadata["onnx_snn.layers"])) == 2


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"n_steps": 6}, 6),
        ({"n_steps": 6, "schedule": "two-phase"}, 12),
        ({"code": "delta"}, 4),
        ({"code": "delta", "schedule": "two-phase"}, 4 * 3),
    ],
)
def test_steps_to_the_answer(options, steps, tmp_path) -> None:
    """T, or T for each layer: two activations with the rate code, three values that enter weights with the delta code."""
    conversion, _ = convert_model(mlp(), tmp_path, **options)
    assert conversion.steps_to_answer == conversion.summary()["steps_to_answer"] == steps
    assert any(f"after {steps} steps" in note for note in conversion.notes) == ("schedule" in options)
