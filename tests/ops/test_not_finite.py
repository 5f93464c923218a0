"""NaN in one neuron's current: the other neurons never notice, and what becomes of it is as docs/format.md says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from snn_ops.ops import OPERATORS
from tests.ops.cases import CALLS, IDS, Shape, name_of, random_inputs
from tests.ops.provider import SingleOperator

STEPS, BATCH, FEATURES = 90, 3, (7, 5)
BEFORE_REBASED = 30
"""As many steps: a run has made 19 before at most."""
BAD_STEP, BAD_NEURON = 4, (1, 3, 2)
NEURON = (slice(None), *BAD_NEURON)
PAGE = Path(__file__).parents[2] / "docs" / "format.md"


def both_runs(
    op_type: str, attributes: Mapping[str, float | int], backend: str, bad: float, steps: int = STEPS
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The outputs with and without the bad number in one neuron at one step, ``[steps, batch, ...]`` each."""
    rng = np.random.default_rng(0)
    inputs = random_inputs(op_type, Shape(steps, BATCH, FEATURES), np.float32, rng)
    run = SingleOperator(op_type, backend=backend, **attributes)
    spoilt = inputs[0].reshape(-1, BATCH, *FEATURES).copy()
    spoilt[(min(BAD_STEP, len(spoilt) - 1), *BAD_NEURON)] = bad
    outputs = run(spoilt.reshape(inputs[0].shape), *inputs[1:]), run(*inputs)
    dirty, clean = ([o.reshape(-1, BATCH, *FEATURES) if o.ndim else o for o in run_of] for run_of in outputs)
    return dirty, clean


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=IDS)
def test_the_other_neurons_keep_their_bits(op_type, attributes, backend, bad) -> None:
    """Over all steps, in outputs and states."""
    for dirty, clean in zip(*both_runs(op_type, attributes, backend, bad), strict=True):
        if dirty.ndim:
            dirty[NEURON] = clean[NEURON] = 0
        assert dirty.tobytes() == clean.tobytes()


def becomes_of_nan(op_type: str, attributes: Mapping[str, float | int], backend: str) -> str:
    """The words of the page."""
    dirty, clean = both_runs(op_type, attributes, backend, np.nan, BEFORE_REBASED)
    after, _ = both_runs(op_type, attributes, backend, np.nan)
    stays = any(np.isnan(state[NEURON]).any() for state in after[1:] if state.ndim)
    how_long = "for ever" if stays else "until it is rebased"
    found, expected = dirty[0][NEURON], clean[0][NEURON]
    states = [state[NEURON] for state in dirty[1:] if state.ndim]
    place = min(BAD_STEP, len(found) - 1)
    later = found[place + 1 :]
    if np.isnan(found[place]):
        if np.isnan(later).all() and any(np.isnan(state).any() for state in states):
            return f"NaN {how_long}" if np.isnan(after[0][NEURON][-1]).any() == stays else "another answer"
        if states and np.isfinite(later).all():
            return "NaN for one step"
        return "NaN" if np.array_equal(later[1:], expected[place + 2 :]) else "another answer"
    if states:
        silent = np.isnan(states[0]).all() and not later[-10:].any()
        return f"silent {how_long}" if silent and after[0][NEURON][-20:].any() != stays else "another answer"
    return "another answer" if found.any() else "0"


def documented() -> dict[str, str]:
    """What the page says of each operator."""
    lasting = ("NaN for ever", "NaN until it is rebased", "silent for ever", "silent until it is rebased")
    words = (*lasting, "NaN for one step", "NaN", "0")
    rows = re.findall(rf"^\| (`.*?) \| ({'|'.join(words)}) \|.*\|$", PAGE.read_text(), re.MULTILINE)
    return {name: word for names, word in rows for name in re.findall(r"`(\w+)`", names)}


NAMED = [call for call in CALLS if call[0] in documented()]


@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(("op_type", "attributes"), NAMED, ids=map(name_of, NAMED))
def test_what_becomes_of_nan(op_type, attributes, backend) -> None:
    assert becomes_of_nan(op_type, attributes, backend) == documented()[op_type]


ELEMENTS = pytest.mark.parametrize("element", [np.float32, np.float16, np.float64])
RECOVERING = [call for call in CALLS if call[0] == "MultiThreshold" or OPERATORS[call[0]].bases]


@ELEMENTS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, "largest"])
@pytest.mark.parametrize(("op_type", "attributes"), RECOVERING, ids=map(name_of, RECOVERING))
def test_recovery_has_the_same_bits_everywhere(op_type, attributes, bad, element) -> None:
    """Kernel, function and reference. Two steps in a row are bad: of the largest number, the sum or its base overflows."""
    operator = OPERATORS[op_type]
    inputs = random_inputs(op_type, Shape(STEPS, BATCH, FEATURES), element, np.random.default_rng(3))
    spoilt = inputs[0].reshape(STEPS, BATCH, *FEATURES)
    spoilt[BAD_STEP : BAD_STEP + 2, 0] = np.finfo(element).max if bad == "largest" else bad
    spoilt[BAD_STEP::40, 1] = np.finfo(element).max if bad == "largest" else bad
    native, functions = (SingleOperator(op_type, backend=b, **attributes)(*inputs) for b in ("native", "functions"))
    for a, b, c in zip(native, functions, operator.run(*inputs, **attributes), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert all(np.isfinite(state[0]).all() for state in native[1:] if state.ndim)


@ELEMENTS
@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("op_type", ["IF", "SigmaDelta", "RunningMean", "TimeMean"])
def test_from_step_64_on_it_sums_again(op_type, bad, backend, element) -> None:
    """On its base, without what came before."""
    operator, base = OPERATORS[op_type], 3.0
    x = np.random.default_rng(4).integers(-64, 64, (STEPS, 5)).astype(element) / 64
    x[BAD_STEP] = bad
    given = {operator.input.name: x, "n_steps": STEPS, "threshold": 1} | {b.name: base for b in operator.bases}
    inputs = [np.asarray(given.get(t.name, 0), t.kind.dtype(element)) for t in operator.inputs]
    unlimited = {"max_spikes": 0} if "max_spikes" in operator.defaults else {}
    outputs = SingleOperator(op_type, backend=backend, **unlimited)(*inputs)
    found = dict(zip((t.name for t in operator.outputs), outputs, strict=True))
    state = operator.states[0]
    held = np.float64(found[state.output][0]) + found[f"{state.name}_base_out"][0]
    taken = np.float64(x[64:]).sum(0)
    if operator.height:
        spikes = np.float64(found["spikes"][64:]).sum(0)
        taken = spikes if op_type == "SigmaDelta" else taken - spikes
    np.testing.assert_array_equal(held, base + taken)
    if "y" in found:
        np.testing.assert_allclose(np.float64(found["y"][-1]), held / STEPS, rtol=1e-3)


def test_the_page_names_operators() -> None:
    assert len(documented()) >= 19
    assert documented().keys() <= OPERATORS.keys()
