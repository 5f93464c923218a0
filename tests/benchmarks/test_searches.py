"""What searches found: which cells a search serves, and what a file of them must be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.matrix import Cell
from benchmarks.results import ResultsError
from benchmarks.searches import Search, Searches, Try, key_of

CELL = Cell("mlp", "if", 4, 32, 2, "cpu")
SEARCH = Search("1", 16, 32, 1.5, "2026-01-01", (Try({"a": 1}, 0.2), Try({"a": 2}, failed="no"), Try({"a": 3}, 0.1)))


def test_what_is_written_is_read(tmp_path) -> None:
    path = tmp_path / "new" / "s.json"
    Searches(path).put("k", SEARCH)
    assert Searches(path).found == {"k": SEARCH}


def test_the_fastest_is_the_best() -> None:
    assert SEARCH.best() == Try({"a": 3}, 0.1)
    assert replace(SEARCH, tried=SEARCH.tried[1:2]).best() is None


def test_another_version_is_searched_again() -> None:
    searches = Searches()
    searches.put("k", SEARCH)
    assert searches.get("k", "1") == SEARCH
    assert searches.get("k", "2") is None
    assert searches.get("other", "1") is None


def test_steps_and_equations_share_a_search_other_things_do_not() -> None:
    assert key_of("s", CELL) == key_of("s", replace(CELL, n_steps=128, equation="nengo-if", batch=63))
    others = [{"batch": 1}, {"batch": 64}, {"workload": "cnn"}, {"threads": 1}, {"provider": "cuda"}]
    assert len({key_of("s", CELL), key_of("t", CELL), *(key_of("s", replace(CELL, **other)) for other in others)}) == 7


@pytest.mark.parametrize(
    ("text", "words"), [("{", "is no file of searches"), ("[]", "is no file of searches"), ('{"k": {}}', "is missing")]
)
def test_a_damaged_file_is_refused(tmp_path, text, words) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(ResultsError, match=words) as error:
        Searches(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
