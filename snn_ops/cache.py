"""How much fits into the caches of this machine's processor."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

TYPICAL = 4 << 20
"""Bytes, where the system does not say: the second-level caches of a few cores, or a piece of the last-level cache."""
_CORES = Path("/sys/devices/system/cpu")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def cache_bytes(threads: int | None = None, cores: Path = _CORES) -> int:
    """How large a value may be that one layer writes and the next one finds in the cache.

    That is what the second-level caches of so many threads hold together. Where they are small, it is an eighth of the
    last-level one, which others use too; no more than `TYPICAL` of it, as a virtual machine reports that of the whole host.

    Args:
        threads: that compute; default: one for each core.
        cores: the folder in which Linux describes them.
    """
    sizes = _sizes(cores)
    if 2 not in sizes:
        return TYPICAL
    return max(sizes[2] * (threads or _number_of_cores()), min(sizes.get(3, 0) // 8, TYPICAL))


@functools.cache
def _sizes(cores: Path) -> dict[int, int]:
    """Bytes of a core's data caches by level."""
    return dict(_caches(cores))


def _caches(cores: Path) -> Iterator[tuple[int, int]]:
    for folder in sorted((cores / "cpu0" / "cache").glob("index*")):
        try:
            kind, level, size = ((folder / name).read_text().strip() for name in ("type", "level", "size"))
        except OSError:
            continue
        found = re.fullmatch("([0-9]+)([KMG]?)", size)
        if found and level.isdecimal() and kind != "Instruction":
            yield int(level), int(found[1]) * _UNITS[found[2]]


def _number_of_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
