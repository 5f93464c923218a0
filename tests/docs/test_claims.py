"""Numbers in the README and on the pages for readers in a hurry are those of the committed results."""

from __future__ import annotations

import json
import re
from statistics import median
from typing import Any

import pytest

from tests.docs.blocks import ROOT

RESULTS = ROOT / "benchmarks" / "results"
MODELS = {
    "MNIST, LeNet (ReLU, MaxPool)": "ccoltong_lenet",
    "MNIST, 6 layers of Sigmoid": "vnn21_mnist_sigmoid_6x200",
    "CIFAR-10, residual network": "vnn21_cifar10_resnet_2b",
    "CIFAR-10, ResNet-8": "tiny_pretrainedResnet",
    "CIFAR-10, vision transformer": "vnn23_vit_ibp_3_3_8_cifar",
}
"""By what the pages call them."""


def page(name: str) -> str:
    return " ".join((ROOT / name).read_text().split())


def defaults() -> list[dict[str, Any]]:
    """Default conversions that were not refused."""
    rows = json.loads((RESULTS / "defaults" / "models.json").read_text())["rows"]
    return [row for row in rows if not row["refused"]]


def energy(share: float) -> str:
    """In whole percent; tenths where there are few."""
    return f"{100 * share:.0f} %"


@pytest.mark.parametrize("name", ["README.md", "docs/index.md"])
def test_the_table_of_costs(name) -> None:
    rows = {row["model"]: row for row in defaults()}
    lines = dict(re.findall(r"^\| ([^|]*?) \| (.*) \|$", (ROOT / name).read_text(), re.MULTILINE))
    for called, model in MODELS.items():
        row = rows[model]
        cells = [
            f"{100 * row['trained']:.1f} %",
            str(row["n_steps"]),
            f"{100 * row['loss'] + 0:.1f}".replace("-0.0", "0.0"),
        ]
        cells += [f"{row['spikes']:.2f}"] if name == "README.md" else []
        cells += [energy(row["energy"]), f"{100 * row['eight_bit']:.1f} %"]
        assert lines[called].split(" | ") == cells


def test_the_medians_of_the_results() -> None:
    labelled = [row for row in defaults() if row["labelled"]]
    others = [row for row in defaults() if not row["labelled"]]
    text = page("docs/results.md")
    for what, values in {
        "14 models with labels: points of accuracy lost": [
            f"{100 * f(r['loss'] for r in labelled):.2f}" for f in (median, max)
        ],
        "the same: spikes per synapse": [f"{f(r['spikes'] for r in labelled):.2f}" for f in (median, max)],
        "the same: energy, % of the trained network's": [
            f"{100 * f(r['energy'] for r in labelled):.0f}" for f in (median, max)
        ],
        "13 models without labels: relative error of the outputs, %": [
            f"{100 * f(r['error'] for r in others):.1f}" for f in (median, max)
        ],
    }.items():
        assert f"| {what} | {values[0]} | {values[1]} |" in text
    assert (len(labelled), len(others)) == (14, 13)
    cheaper = sum(row["energy"] < row["eight_bit"] for row in labelled)
    assert cheaper == 5
    assert "converted networks take less for five, more for nine" in text


def test_streams() -> None:
    models = json.loads((RESULTS / "delta" / "streams.json").read_text())["models"]
    pictures, digits = list(models.values())[:8], list(models.values())[8:]
    still, *noisy = (f"{median(row[noise]['share'] for row in pictures):.2f}" for noise in "012")
    empty = [f"{median(row[noise]['share'] for row in digits):.2f}" for noise in "02"]
    assert f"costs {still} of a fresh frame in the median of eight networks" in page("README.md")
    assert f"costs {still} of a fresh one in the median of eight networks, {noisy[0]} and {noisy[1]} with" in page(
        "docs/results.md"
    )
    assert f"mostly empty anyway, {empty[0]} to {empty[1]}" in page("docs/results.md")
    assert f"costs {still} of a fresh frame's operations in the median of eight networks, {noisy[1]} with" in page(
        "docs/streams.md"
    )


def test_the_comparisons_speed_is_that_of_the_readme() -> None:
    """Whose table `make bench` writes."""
    readme, comparison = ((ROOT / name).read_text() for name in ("README.md", "docs/comparison.md"))
    table = {row[0]: row for row in (line.strip("| ").split(" | ") for line in readme.splitlines()) if len(row) == 5}
    for called, system in {
        "SpikingJelly": "spikingjelly",
        "Norse": "norse",
        "Sinabs": "sinabs",
        "snnTorch": "snntorch",
        "Spyx": "spyx",
    }.items():
        assert f"| {called} | {table[system][1]} | {table[system][3]} |" in comparison
    assert f"| NengoDL (Nengo's neuron) | {table['nengo-dl'][2]} | {table['nengo-dl'][4]} |" in comparison
    assert f"| Nengo (the same) | {table['nengo'][2]} | {table['nengo'][4]} |" in comparison


def test_the_comparisons_accuracy_is_that_of_the_page() -> None:
    """Beside SpikingJelly: each row of the comparison is one of docs/accuracy.md."""
    rows = re.findall(
        r"^\| [^|]*\| [^|]*\| ((?:-?[\d.]+ \| ){3}-?[\d.]+) \|$",
        (ROOT / "docs/comparison.md").read_text(),
        re.MULTILINE,
    )
    accuracy = page("docs/accuracy.md")
    assert len(rows) == 10
    assert all(row in accuracy for row in rows)
