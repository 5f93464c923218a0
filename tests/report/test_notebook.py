"""Results in a notebook."""

from __future__ import annotations

import subprocess
import sys

import pytest

from converter.measure.evaluation import Evaluation
from converter.measure.scores import StepResult
from snn_ops.ops import OPERATORS


@pytest.fixture(scope="module")
def shell():
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    from converter import load_ipython_extension  # noqa: PLC0415

    made = interactive.InteractiveShell()
    load_ipython_extension(made)
    return made


def shown(shell, value) -> dict[str, str]:
    formatted, _ = shell.display_formatter.format(value)
    return formatted


def test_a_conversion_shows_its_headline_and_its_layers(shell, conversion) -> None:
    formatted = shown(shell, conversion)
    assert "3 layers of spiking neurons" in formatted["text/plain"]
    assert "<table" in formatted["text/html"]
    for layer in conversion.layers:
        assert layer.name in formatted["text/html"]
    assert "<script" not in formatted["text/html"]


def test_an_evaluation_shows_its_curve(shell) -> None:
    steps = [StepResult(2**i, 0.5 + i / 10, 0.6 + i / 10, 0.1, {}) for i in range(3)]
    formatted = shown(shell, Evaluation(10, 0.9, steps))
    assert "<svg" in formatted["text/html"]
    assert "T = 4: accuracy 70.00 %" in formatted["text/plain"]


def test_an_operator_shows_its_equation(shell) -> None:
    for operator in OPERATORS.values():
        formatted = shown(shell, operator)
        assert operator.name in formatted["text/plain"]
        assert "<pre>" in formatted["text/html"]


def test_importing_the_package_in_a_notebook_is_enough() -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as S; s = S.instance(); import converter; "
        "f = s.display_formatter.formatters['text/html']; "
        "print(('converter.conversion.result', 'Conversion') in f.deferred_printers, 'numpy' in __import__('sys').modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split()[-2] == "True", done.stderr
