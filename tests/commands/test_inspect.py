"""onnx-snn inspect."""

from __future__ import annotations

import json

import pytest

DAMAGED = {
    "layers": ("nonsense", "must be a JSON list of objects, it is 'nonsense'"),
    "work": ('{"multiply_adds": "many"}', "'multiply_adds' must be int, it is 'many'"),
    "islands": ('[{"nodes": 3}]', "'nodes' must be"),
    "kept_analog": ('[{"name": "a"}]', "'activation' is missing"),
    "options": ("[]", "must be a JSON object, it is '[]'"),
    "n_steps": ("none", "must be an integer from 1 to 2^63 - 1, it is 'none'"),
}


@pytest.mark.parametrize("field", DAMAGED)
def test_inspect_names_a_damaged_field_and_shows_the_rest(command, change_metadata, field) -> None:
    text, reason = DAMAGED[field]
    change_metadata(**{field: text})
    done = command("inspect", "m.snn.onnx")
    assert done.code == 0, done.err
    assert done.err.startswith(f"damaged: metadata onnx_snn.{field}")
    assert reason in done.err
    assert done.err.count("\n") == 1
    assert ("Work per sample" in done.out) == (field not in ("work", "n_steps"))  # its title has the steps
    assert ("first" in done.out) == (field != "layers")
    as_json = json.loads(command("inspect", "m.snn.onnx", "--json", "-").out)
    assert list(as_json["damaged"]) == [field]
    assert reason in as_json["damaged"][field]
    whole = {"layers": 2, "work": 4, "options": 15}
    assert {name: len(as_json[name]) for name in whole} == {**whole, **({field: 0} if field in whole else {})}
