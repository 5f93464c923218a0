"""Arguments that several commands have: numbers and options of a provider, as texts."""

from __future__ import annotations

import pytest
import typer

from converter.commands.arguments import parse_numbers, parse_provider_options


def test_the_first_equals_sign_divides() -> None:
    assert parse_provider_options(None) == parse_provider_options([]) == {}
    texts = ["use_tf32=0", "path=a=b", "empty="]
    assert parse_provider_options(texts) == {"use_tf32": "0", "path": "a=b", "empty": ""}
    assert parse_provider_options(["device_id=0", "device_id=1"]) == {"device_id": "1"}


@pytest.mark.parametrize("text", ["use_tf32", "=1", ""])
def test_what_is_no_option_is_named(text) -> None:
    with pytest.raises(typer.BadParameter, match=f"^{text!r} is not of the form KEY=VALUE$") as error:
        parse_provider_options(["device_id=0", text])
    assert error.value.param_hint == "--provider-option"


def test_numbers() -> None:
    assert parse_numbers("4, 8,16", "--steps") == [4, 8, 16]
    for text in ("", "4,", "four", "1.5"):
        with pytest.raises(typer.BadParameter, match=f"^{text!r} is not a list of numbers like 4,8,16$") as error:
            parse_numbers(text, "--steps")
        assert error.value.param_hint == "--steps"
