"""What a user may not choose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.options import Options, load_layers
from tests.models import convert_model, mlp, samples, save


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[layers."third"]\nneuron = "if"', "there is no layer 'third'; there are first, second"),
        ('[layers."first"]\nspikes = 3', "layer 'first' has no option 'spikes' of its own"),
        ('[layers."first"]\nneuron = "glia"', "there is no neuron 'glia'"),
        ("neuron = 3", "it needs a table for each layer"),
        ("[layers", "not TOML"),
    ],
)
def test_bad_settings_of_layers(text, reason, tmp_path) -> None:
    (tmp_path / "layers.toml").write_text(text)
    with pytest.raises(RefusedError, match=reason):
        convert_model(mlp(), tmp_path, layers=load_layers(tmp_path / "layers.toml"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_energy": 0}, "max_energy is in per cent and must be above 0, it is 0"),
        ({"min_agreement": 101}, "must be above 0 and at most 100, it is 101"),
        ({"max_error": 3, "output": "classes"}, "max_error says nothing of outputs that are classes"),
        ({"output": "pictures"}, "there is no output 'pictures'; choose one of auto, classes, values"),
        ({"code": "delta", "percentile": 99.0}, "the delta code has no percentile to choose"),
        ({"code": "delta", "tau_rc": 0.1}, "the delta code has no tau_rc to choose"),
        ({"n_steps": 0}, "number of steps must be at least 1"),
        ({"readout": "median"}, "there is no readout 'median'; choose one of mean, window, leaky"),
        ({"code": "rate", "readout": "leaky"}, "--readout leaky is for streams whose input changes; add --streaming"),
        (
            {"code": "delta", "readout": "window", "streaming": True},
            "a stream of the delta code answers for the present input already; leave --readout out",
        ),
        (
            {"code": "rate", "readout": "leaky", "streaming": True, "neuron": "if-signed"},
            "if-signed neurons remember every spike that they sent; with --readout leaky use if, if-burst or lif",
        ),
        (
            {"code": "rate", "readout": "leaky", "streaming": True, "layers": {"first": {"neuron": "if-signed"}}},
            "if-signed neurons remember",
        ),
        (
            {"code": "rate", "readout": "leaky", "streaming": True, "correction": "potential"},
            "a stream forgets its initial voltages",
        ),
        ({"neuron": "pyramidal"}, "there is no neuron 'pyramidal'; choose one of auto"),
        ({"percentile": 0.0}, "percentile must be above 0"),
        ({"tau_rc": 0.0}, "tau_rc must be above 0"),
        ({"tau_n": -1.0}, "tau_n must be above 0, it is -1"),
        ({"inc_n": -1.0}, "inc_n must not be negative, it is -1"),
        ({"neuron": "lif", "min_voltage": 0.5}, "min_voltage must not be above 0, it is 0.5"),
        ({"method": "guess"}, "there is no method 'guess'; choose one of auto, percentile, mse, balance"),
        ({"schedule": "never"}, "there is no schedule 'never'"),
        ({"max_spikes": 0}, "max_spikes must be at least 1"),
        ({"schedule": "two-phase", "neuron": "lif"}, "lif neurons forget"),
        ({"code": "rate", "schedule": "two-phase", "streaming": True}, "only stepped models can be streamed"),
        ({"neuron": "few-spike", "schedule": "stepped"}, "use --schedule two-phase"),
        ({"code": "morse"}, "there is no code 'morse'; choose one of auto, rate, delta"),
        ({"code": "delta", "n_steps": 0}, "number of steps must be at least 1"),
        ({"code": "delta", "neuron": "lif"}, "lif neurons have no delta code; use --code rate"),
        ({"code": "delta", "method": "mse"}, "the delta code has no method to choose"),
        ({"code": "delta", "exponent": 40, "schedule": "two-phase"}, "exponent must be from 0 to 12, it is 40"),
        ({"code": "delta", "exponent": 6, "schedule": "stepped"}, "--exponent needs --schedule two-phase"),
        ({"code": "rate", "exponent": 6}, "exponent belongs to the delta code"),
        ({"neuron": "if", "analog_input": True}, "analog_input belongs to the delta code"),
    ],
)
def test_refuses_options(options, reason, tmp_path) -> None:
    model = mlp()
    with pytest.raises(RefusedError, match=reason):
        convert(save(model, tmp_path / "m.onnx"), samples(model), **options)


@pytest.mark.parametrize(
    ("options", "n_steps"),
    [
        ({"code": "rate"}, 32),
        ({"neuron": "if"}, 32),
        ({"neuron": "if", "n_steps": "auto"}, 32),
        ({}, 4),
        ({"code": "delta"}, 4),
        ({"code": "delta", "schedule": "two-phase"}, 4),
        ({"code": "delta", "schedule": "two-phase", "exponent": 7}, 6),
        ({"code": "delta", "n_steps": 3}, 3),
    ],
)
def test_usual_steps(options, n_steps) -> None:
    assert Options(**options).settled().n_steps == n_steps


@pytest.mark.parametrize(
    ("options", "code", "schedule"),
    [
        ({}, "auto", "auto"),
        ({"streaming": True}, "auto", "stepped"),
        ({"neuron": "lif"}, "rate", "stepped"),
        ({"percentile": 99.0}, "rate", "stepped"),
        ({"neuron": "few-spike"}, "rate", "two-phase"),
        ({"analog_input": True}, "delta", "auto"),
        ({"exponent": 6}, "delta", "two-phase"),
        ({"exponent": 6, "streaming": True}, "delta", "stepped"),
    ],
)
def test_an_option_decides_what_it_belongs_to(options, code, schedule) -> None:
    found = Options(**options)
    assert (found.code, found.schedule) == (code, schedule)
    assert replace(found.settled()) == found.settled()  # what is settled stays


def test_the_lowest_voltage_follows_from_the_readout() -> None:
    forgetting = {"code": "rate", "neuron": "lif", "streaming": True, "readout": "leaky"}
    assert Options(code="rate").lowest_voltage == -1
    assert Options(**forgetting).lowest_voltage == 0
    assert Options(**forgetting, min_voltage=-0.3).lowest_voltage == -0.3


def test_the_two_phase_schedule_cannot_stream() -> None:
    with pytest.raises(RefusedError, match="receives all steps at once; only stepped models can be streamed"):
        Options(code="rate", schedule="two-phase", streaming=True)
