"""Pictures for people who would rather look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from converter.io.files import write_whole
from converter.measure.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_SPAN = 5
"""Points of accuracy that the vertical axis shows at least."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches. Matplotlib is loaded when the first is made: most commands draw nothing."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def accuracy_picture(curves: dict[str, Evaluation], path: str | Path, *, title: str) -> None:
    """Accuracy (agreement, where there are no labels) over the number of steps, a line per evaluation; PNG.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    figure = new_figure(7, 4.2)
    axes = figure.add_subplot()
    labelled = all(step.accuracy is not None for curve in curves.values() for step in curve.steps)
    for index, (name, curve) in enumerate(curves.items()):
        shares = [step.accuracy if labelled else step.agreement for step in curve.steps]
        percents = [100 * share if share is not None else float("nan") for share in shares]
        (line,) = axes.plot([step.n_steps for step in curve.steps], percents, label=name, marker="os^d"[index % 4])
        line.set(linestyle=("-", ":", "--", "-.")[index % 4], markersize=5 + 3 * index)
        if index:  # curves that coincide stay visible
            line.set_markerfacecolor("none")
    ann = next((c.ann_accuracy for c in curves.values() if c.ann_accuracy is not None), None)
    if ann is not None and labelled:
        axes.axhline(100 * ann, color="gray", linestyle="--", label=f"trained model {100 * ann:.2f} %")
    low, high = axes.get_ylim()  # a difference of one image shall not fill the picture
    axes.set_ylim(min(low, high - LEAST_SPAN), high + (LEAST_SPAN / 10 if high - low < LEAST_SPAN else 0))
    axes.set_xscale("log", base=2)
    ticks = sorted({step.n_steps for curve in curves.values() for step in curve.steps})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("time steps")
    axes.set_ylabel("accuracy in %" if labelled else "agreement with the trained model in %")
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right")
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=130))
