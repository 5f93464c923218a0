"""The table of accuracy beside speed, in Markdown, from a file of results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT, DidNotRunError

FOLDER = ROOT / "benchmarks" / "results" / "accuracy"
WORDS = {
    "accuracy": "accuracy",
    "spikes_per_synapse": "spikes per synapse",
    "milliseconds": "ms for 100 images, threads: {}",
}


def read(path: Path) -> dict[str, Any]:
    """The file of results, or an empty one.

    Raises:
        DidNotRunError: it is no such file.
    """
    if not path.exists():
        return {"machine": {}, "rows": {}}
    try:
        content = json.loads(path.read_text())
        content["rows"].items()
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DidNotRunError(f"{path}: is no file of results: {error}") from error
    found: dict[str, Any] = content
    return found


def table(rows: Mapping[str, Mapping[str, Any]], cores: int) -> Iterator[str]:
    """A line for each recipe and measure, and one with the reason where a converter did not run.

    Args:
        rows: of the file, by NETWORK/CONVERTER/SAMPLES/THREADS.
        cores: of the machine; where its load average was higher, times have a "~".
    """
    steps = list(
        dict.fromkeys(t for found in rows.values() for one in found.get("figures", []) for t in one["accuracy"])
    )
    yield f"| network, trained | converter | | {' | '.join(f'T = {t}' for t in steps)} |"
    yield "|---" * (len(steps) + 3) + "|"
    for key, found in rows.items():
        network, converter, samples, threads = key.split("/")
        if "figures" not in found:
            yield f"| {network} | {converter} | did not run: {found['reason']} | {' | ' * max(len(steps) - 1, 0)} |"
            continue
        busy = found["load_average"] > cores
        for figures in found["figures"]:
            for measure, words in WORDS.items():
                values = figures[measure]
                if not values:
                    continue
                cells = " | ".join(shown(values[t], measure, busy=busy) if t in values else "" for t in steps)
                about = f"{network}, {found['trained']:.1%} of {samples} images"
                yield f"| {about} | {converter}: {figures['recipe']} | {words.format(threads)} | {cells} |"


def shown(value: float, measure: str, *, busy: bool) -> str:
    """Accuracy in per cent, other numbers with three digits."""
    if measure == "accuracy":
        return f"{value:.1%}"
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"~{number}" if busy and measure == "milliseconds" else number
