"""Options that change nothing are told, and no others."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from converter.conversion.effects import ALWAYS, WHY, idle_options
from converter.conversion.main import convert
from converter.conversion.prepare import prepare
from converter.conversion.search import default_recipe
from converter.io.samples import check_samples
from converter.normalise.ann import load_ann
from converter.options import Options
from tests.models import mlp, samples, save, text_model

MIXED = """m (float[N,8] x) => (float[N,4] y) <float[8,16] W1, float[16,12] W2, float[12,4] W3> {
  h = MatMul(x, W1)  s = Sigmoid(h)  [first] a = Mul(h, s)  g = MatMul(a, W2)  [second] b = Relu(g)  y = MatMul(b, W3) }"""
SKIP = """m (float[N,8] x) => (float[N,8] y) <float[8,8] W1, float[8,8] W2> {
  h = MatMul(x, W1)  a = Relu(h)  g = MatMul(a, W2)  y = Add(g, a) }"""


def idle(text: str, folder, **options: object) -> dict[str, str]:
    """What is said of each option, by its name."""
    model = mlp() if text == "mlp" else text_model(text)
    ann = load_ann(save(model, folder / "m.onnx"))
    settled = Options(**options).settled()
    prepared = prepare(ann, check_samples(samples(model, 4), ann.input_specs), settled)
    return {found.option: found.text for found in idle_options(prepared, default_recipe(settled), chooses=False)}


CHANGES_NOTHING = {
    "neuron": ("mlp", {"neuron": "if", "layers": {"first": {"neuron": "if-burst"}, "second": {"neuron": "if-burst"}}}),
    "method": ("mlp", {"method": "mse", "layers": {n: {"method": "percentile"} for n in ("first", "second")}}),
    "percentile": ("mlp", {"method": "balance", "percentile": 99.0}),
    "max_spikes": ("mlp", {"neuron": "lif", "max_spikes": 4}),
    "correction": ("mlp", {"neuron": "sigma-delta", "correction": "potential"}),
    "tau_rc": ("mlp", {"neuron": "if", "tau_rc": 0.05}),
    "tau_ref": ("mlp", {"neuron": "izhikevich", "tau_ref": 0.001}),
    "min_voltage": ("mlp", {"neuron": "if-signed", "min_voltage": 0.0}),
    "tau_n": ("mlp", {"neuron": "lif", "tau_n": 2.0}),
    "inc_n": ("mlp", {"neuron": "lif", "inc_n": 0.0}),
    "dt": ("mlp", {"neuron": "if", "dt": 0.002}),
    "long_streams": ("mlp", {"streaming": True, "long_streams": False}),
    "exponent": None,
    "analog_input": None,
    "exact_skips": ("mlp", {"exact_skips": True}),
    "output": ("mlp", {"output": "values", "code": "rate"}),
}
"""A model and options for each that may change nothing; None: whoever may name it, it acts, and others are refused."""
ACTS = {
    "neuron": ("mlp", {"neuron": "lif"}),
    "method": ("mlp", {"method": "mse"}),
    "percentile": ("mlp", {"percentile": 99.0}),
    "max_spikes": ("mlp", {"neuron": "if-burst", "max_spikes": 15}),
    "correction": ("mlp", {"neuron": "if", "correction": "potential"}),
    "tau_rc": ("mlp", {"neuron": "lif", "tau_rc": 0.05}),
    "tau_ref": ("mlp", {"neuron": "adaptive-lif", "tau_ref": 0.001}),
    "min_voltage": ("mlp", {"neuron": "lif", "min_voltage": -1.0}),
    "tau_n": ("mlp", {"neuron": "adaptive-lif", "tau_n": 2.0}),
    "inc_n": ("mlp", {"neuron": "adaptive-lif", "inc_n": 0.0}),
    "dt": ("mlp", {"neuron": "izhikevich", "dt": 0.002}),
    "long_streams": ("mlp", {"code": "rate", "streaming": True, "long_streams": False}),
    "exponent": ("mlp", {"exponent": 6, "schedule": "two-phase"}),
    "analog_input": ("mlp", {"analog_input": True}),
    "exact_skips": (SKIP, {"exact_skips": True}),
    "output": None,
}
"""A model and options with which each acts, its default among the values; None: it acts where T is chosen."""


def test_every_option_is_spoken_of() -> None:
    named = {field.name for field in fields(Options)} - {"layers"}
    assert named == {*ALWAYS, *WHY}
    assert set(WHY) == set(CHANGES_NOTHING) == set(ACTS)


@pytest.mark.parametrize("name", [name for name, case in CHANGES_NOTHING.items() if case])
def test_an_option_that_changes_nothing_is_told(name, tmp_path) -> None:
    text, options = CHANGES_NOTHING[name]
    assert idle(text, tmp_path, **options)[name].endswith(f"changes nothing: {WHY[name]}")


@pytest.mark.parametrize("name", [name for name, case in ACTS.items() if case])
def test_an_option_that_acts_is_not_told(name, tmp_path) -> None:
    """Also where its value is what it is by default."""
    text, options = ACTS[name]
    assert name not in idle(text, tmp_path, **options)


def test_layers_without_a_form_for_a_neuron_are_named(tmp_path) -> None:
    for neuron in ("lif", "if", "few-spike"):
        instead = "CountIF" if neuron == "few-spike" else "SigmaDelta"
        expected = f"--neuron {neuron}: layer 'first' has no form for {neuron} (SiLU); it gets {instead} neurons"
        assert idle(MIXED, tmp_path, neuron=neuron) == {"neuron": expected}
    both = MIXED.replace("[second] b = Relu(g)", "[second] b = Elu(g)")
    said = idle(both, tmp_path, neuron="lif")["neuron"]
    assert said == "--neuron lif: none of the 2 layers has a form for lif (SiLU, Elu); they get SigmaDelta neurons"
    said = idle(MIXED, tmp_path, layers={"first": {"neuron": "if"}})["neuron"]
    assert said == "neuron = 'if' of layer 'first': layer 'first' has no form for if (SiLU); it gets SigmaDelta neurons"
    assert idle(MIXED, tmp_path, code="rate") == {}


def test_an_option_of_one_layer_that_changes_nothing_is_told(tmp_path) -> None:
    said = idle("mlp", tmp_path, method="mse", layers={"second": {"percentile": 90.0}})["percentile"]
    assert said == f"percentile = 90.0 of layer 'second' changes nothing: {WHY['percentile']}"


def test_a_conversion_tells_it_and_its_file_is_the_same_without(tmp_path) -> None:
    path, x = save(mlp(), tmp_path / "m.onnx"), samples(mlp(), 16)
    fixed = {"neuron": "if", "method": "percentile", "correction": "none", "n_steps": 4}
    told, plain = convert(path, x, **fixed, tau_rc=0.05), convert(path, x, **fixed)
    assert f"--tau-rc 0.05 changes nothing: {WHY['tau_rc']}" in told.notes
    assert not [note for note in plain.notes if "changes nothing" in note]
    for a, b in zip(told.proto().graph.initializer, plain.proto().graph.initializer, strict=True):
        assert (a.name, a.raw_data) == (b.name, b.raw_data)
    assert np.array_equal(told.proto().graph.node, plain.proto().graph.node)
