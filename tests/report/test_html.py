"""The report as a page."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from converter.errors import RefusedError
from converter.report.html import write_html


class Texts(HTMLParser):
    """The tags of a page, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.append(tag)

    def handle_data(self, data) -> None:
        self.text += data


def test_every_table_and_picture_is_in_the_page(conversion, tmp_path) -> None:
    write_html(replace(conversion, notes=["a <note> & more"]), tmp_path / "r.html")
    page = Texts()
    page.feed((tmp_path / "r.html").read_text())
    assert page.tags.count("table") == 5
    assert page.tags.count("svg") == 2
    assert "m" not in page.tags  # the file is called <m>.onnx
    for text in (
        "<m>.onnx",
        "a <note> & more",
        "Analog islands",
        "8-bit, dense",
        *(layer.name for layer in conversion.layers),
    ):
        assert text in page.text


def test_without_trials_there_is_no_picture_of_them(conversion, tmp_path) -> None:
    write_html(replace(conversion, trials=[]), tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text().count("<svg") == 1


def test_a_folder_that_is_not_there(conversion, tmp_path) -> None:
    with pytest.raises(RefusedError, match=r"the folder .* does not exist"):
        write_html(conversion, tmp_path / "missing" / "r.html")
