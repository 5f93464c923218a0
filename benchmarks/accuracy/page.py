"""The table of accuracy beside speed, in Markdown, from the rows of a file of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MEASURES = {"accuracy": "{:.2%}", "spikes_per_synapse": "{:.3g}", "milliseconds": "{:.3g}"}
WORDS = {"accuracy": "accuracy", "spikes_per_synapse": "spikes per synapse", "milliseconds": "ms for 100 images"}


def table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each recipe and measure, and one with the reason where a converter did not run.

    Args:
        rows: of the file, by NETWORK/CONVERTER/SAMPLES/THREADS.
    """
    steps = list(
        dict.fromkeys(t for found in rows.values() for one in found.get("figures", []) for t in one["accuracy"])
    )
    yield f"| network, trained | converter | | {' | '.join(f'T = {t}' for t in steps)} |"
    yield "|---" * (len(steps) + 3) + "|"
    for key, found in rows.items():
        network, converter, samples, _ = key.split("/")
        if "figures" not in found:
            yield f"| {network} | {converter} | did not run: {found['reason']} | {' | ' * max(len(steps) - 1, 0)} |"
            continue
        for figures in found["figures"]:
            for measure, form in MEASURES.items():
                cells = " | ".join(form.format(figures[measure][t]) if t in figures[measure] else "" for t in steps)
                about = f"{network}, {found['trained']:.2%} of {samples} images"
                yield f"| {about} | {converter}: {figures['recipe']} | {WORDS[measure]} | {cells} |"
