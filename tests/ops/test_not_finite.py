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

STEPS, BATCH, FEATURES = 30, 3, (7, 5)
BAD_STEP, BAD_NEURON = 4, (1, 3, 2)
NEURON = (slice(None), *BAD_NEURON)
PAGE = Path(__file__).parents[2] / "docs" / "format.md"


def both_runs(
    op_type: str, attributes: Mapping[str, float | int], backend: str, bad: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The outputs with and without the bad number in one neuron at one step, ``[steps, batch, ...]`` each."""
    rng = np.random.default_rng(0)
    inputs = random_inputs(op_type, Shape(STEPS, BATCH, FEATURES), np.float32, rng)
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
    dirty, clean = both_runs(op_type, attributes, backend, np.nan)
    found, expected = dirty[0][NEURON], clean[0][NEURON]
    states = [state[NEURON] for state in dirty[1:] if state.ndim]
    place = min(BAD_STEP, len(found) - 1)
    later = found[place + 1 :]
    if np.isnan(found[place]):
        if np.isnan(later).all() and any(np.isnan(state).any() for state in states):
            return "NaN for ever"
        return "NaN" if np.array_equal(later[1:], expected[place + 2 :]) else "another answer"
    if states:
        return "silent for ever" if np.isnan(states[0]).all() and not later[-10:].any() else "another answer"
    return "another answer" if found.any() else "0"


def documented() -> dict[str, str]:
    """What the page says of each operator."""
    words = ("NaN for ever", "NaN", "silent for ever", "0")
    rows = re.findall(rf"^\| (`.*?) \| ({'|'.join(words)}) \|.*\|$", PAGE.read_text(), re.MULTILINE)
    return {name: word for names, word in rows for name in re.findall(r"`(\w+)`", names)}


NAMED = [call for call in CALLS if call[0] in documented()]


@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(("op_type", "attributes"), NAMED, ids=map(name_of, NAMED))
def test_what_becomes_of_nan(op_type, attributes, backend) -> None:
    assert becomes_of_nan(op_type, attributes, backend) == documented()[op_type]


def test_the_page_names_operators() -> None:
    assert len(documented()) >= 17
    assert documented().keys() <= OPERATORS.keys()
