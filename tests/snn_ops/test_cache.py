"""What Linux says of a core's caches, and what is made of it."""

from __future__ import annotations

import pytest

from snn_ops.cache import TYPICAL, cache_bytes


def describe(folder, *caches: tuple[str, str, str]) -> None:
    for index, texts in enumerate(caches):
        place = folder / "cpu0" / "cache" / f"index{index}"
        place.mkdir(parents=True)
        for name, text in zip(("type", "level", "size"), texts, strict=True):
            (place / name).write_text(f"{text}\n")


SERVER = ("Data", "1", "48K"), ("Instruction", "1", "64K"), ("Unified", "2", "2048K"), ("Unified", "3", "491520K")


def test_second_level_caches_of_all_threads(tmp_path) -> None:
    describe(tmp_path, *SERVER)
    assert cache_bytes(2, tmp_path) == 4 << 20
    assert cache_bytes(16, tmp_path) == 32 << 20


@pytest.mark.parametrize(
    ("third", "expected"), [("32768K", 4 << 20), ("8M", 1 << 20), ("1G", TYPICAL), ("4M", 1 << 20)]
)
def test_a_piece_of_the_last_level_where_they_are_small(tmp_path, third, expected) -> None:
    """The whole host's is not believed."""
    describe(tmp_path, ("Data", "1", "32K"), ("Unified", "2", "512K"), ("Unified", "3", third))
    assert cache_bytes(2, tmp_path) == expected


@pytest.mark.parametrize(
    "caches", [(), (("Data", "1", "32K"),), (("Unified", "2", "much"),), (("Instruction", "2", "1M"),)]
)
def test_a_system_that_does_not_say(tmp_path, caches) -> None:
    describe(tmp_path, *caches)
    assert cache_bytes(2, tmp_path) == TYPICAL


def test_this_machine() -> None:
    assert 1 << 16 <= cache_bytes() <= 1 << 32
    assert cache_bytes(1) <= cache_bytes(4)
