"""What searches for the fastest setting of a system found, in a file beside the results: each search serves many cells.

One for each system, workload, class of batches and number of threads, at `STEPS` time steps. All settings are ways to compute
the same, and are said without the exact batch (`benchmarks.systems.system.Setting`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.matrix import Cell
from benchmarks.results import ResultsError
from snn_ops.files import write_whole
from snn_ops.format import FormatError, known

STEPS = 16
"""Time steps of a search, between those of the cells. Of a stream it is 1."""
FEW = 64
"""Samples from which on a batch is a large one."""


@dataclass(frozen=True)
class Try:
    """A setting.

    Attributes:
        setting: as its system takes it.
        seconds: of a run; None: it failed.
        failed: why.
    """

    setting: dict[str, Any]
    seconds: float | None = None
    failed: str = ""


@dataclass(frozen=True)
class Search:
    """One search.

    Attributes:
        made_with: what the system is made of; where that changes, the search is made again.
        n_steps, batch: with which it was made.
        seconds: that it took.
        when: the day.
        tried: in order.
        ended: why no more were tried, where it was ended from outside.
    """

    made_with: str
    n_steps: int
    batch: int
    seconds: float
    when: str
    tried: tuple[Try, ...]
    ended: str = ""

    def best(self) -> Try | None:
        """The fastest; None: none ran."""
        ran = [(each.seconds, index) for index, each in enumerate(self.tried) if each.seconds is not None]
        return self.tried[min(ran)[1]] if ran else None

    def words(self) -> dict[str, str]:
        """For the table."""
        found = {"searched at": f"T = {self.n_steps}, batch {self.batch}"}
        failed = [f"{_name(each.setting)}: {each.failed}" for each in self.tried if each.failed]
        return found | ({"failed": "; ".join(failed)} if failed else {})


def _name(setting: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in setting.items())


def key_of(system: str, cell: Cell) -> str:
    """Of the search that serves a cell."""
    kind = "1" if cell.batch == 1 else "few" if cell.batch < FEW else "many"
    return "/".join((system, cell.workload, kind, str(cell.threads), cell.provider))


class Searches:
    """All of them.

    Args:
        path: of the file; it need not exist. None: they are kept nowhere.

    Raises:
        ResultsError: it is no such file.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.found: dict[str, Search] = {}
        if path is not None and path.exists():
            try:
                content = json.loads(path.read_text())
                self.found = {key: known(Search, values, "searches") for key, values in content.items()}
            except FormatError as error:
                raise ResultsError(f"{path}: {str(error).rpartition('onnx_snn.')[2]}") from error
            except (OSError, ValueError, AttributeError, TypeError) as error:
                raise ResultsError(f"{path}: is no file of searches: {error}") from error

    def get(self, key: str, made_with: str) -> Search | None:
        """The search, where there was one with what the system is made of today."""
        found = self.found.get(key)
        return found if found is not None and found.made_with == made_with else None

    def put(self, key: str, search: Search) -> None:
        """Writes the file, a line for each, whole or not at all."""
        self.found[key] = search
        if self._path is not None:
            lines = [f"{json.dumps(key)}: {json.dumps(asdict(search))}" for key, search in self.found.items()]
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
