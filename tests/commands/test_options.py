"""The options of a conversion are the same in every command, and all that `Options` has."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest
import typer

from converter.commands.check import check_command
from converter.commands.convert import convert_command
from converter.commands.options import conversion_options, parse_steps, takes_conversion_options
from converter.options import Options


def test_all_options_are_on_the_command_line_with_their_defaults() -> None:
    parameters = inspect.signature(conversion_options).parameters
    names = {"steps" if field.name == "n_steps" else field.name for field in fields(Options)}
    assert set(parameters) == names
    assert conversion_options() == Options()
    for command in (check_command, convert_command):
        own = inspect.signature(command).parameters
        assert set(parameters) <= set(own)
        assert "options" not in own


def test_a_command_gets_them_as_one() -> None:
    seen = []

    def command(model: str, *, options: Options, json: bool = False) -> None:
        """What it does."""
        seen.append((model, options, json))

    taking = takes_conversion_options(command)
    shared = {name: p.default for name, p in inspect.signature(conversion_options).parameters.items()}
    taking(**{**shared, "model": "m", "json": True, "neuron": "lif", "steps": "8"})
    assert seen == [("m", Options(neuron="lif", n_steps=8), True)]
    assert (taking.__name__, taking.__doc__) == ("command", "What it does.")


def test_steps() -> None:
    assert (parse_steps("8"), parse_steps(None), parse_steps("auto")) == (8, None, "auto")
    with pytest.raises(typer.BadParameter, match="'many' is neither a number nor auto"):
        parse_steps("many")
