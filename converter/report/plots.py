"""Pictures for people who would rather look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from converter.conversion.result import Front
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
    figure = accuracy_figure(curves, title=title)
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=130))


def accuracy_figure(curves: dict[str, Evaluation], *, title: str) -> Figure:
    """The same as a figure."""
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
    return figure


def front_picture(front: Front, path: str | Path, *, title: str) -> None:
    """Loss against energy, a line for each code and schedule, the 8-bit network as a point; PNG.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    figure = front_figure(front)
    figure.axes[0].set_title(title)
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=130))


def front_figure(front: Front) -> Figure:
    """The same as a figure."""
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = new_figure(7, 4.2)
    axes = figure.add_subplot()
    by_class = front.min_agreement is not None

    def far(agreement: float | None, error: float | None) -> float:
        share = (None if agreement is None else 1 - agreement) if by_class else error
        return float("nan") if share is None else 100 * share

    for family in dict.fromkeys(point.family for point in front.points):
        points = [point for point in front.points if point.family == family]
        x = [100 * (point.energy_ratio or 0.0) for point in points]
        y = [far(point.agreement, point.relative_error) for point in points]
        (line,) = axes.plot(x, y, marker="o", label=", ".join(family if family[0] == "rate" else family[:2]))
        for point, place in zip(points, zip(x, y, strict=True), strict=True):
            name = f"T={point.n_steps}" if point.exponent is None else f"J={point.exponent}"
            if point.n_steps <= 8 or point.n_steps & (point.n_steps - 1) == 0:
                axes.annotate(
                    name, place, textcoords="offset points", xytext=(4, 4), fontsize=7, color=line.get_color()
                )
    taken, found = front.chosen, front.eight_bit
    spots = [("taken", "o", taken.agreement, taken.relative_error, taken.energy_ratio)]
    if found is not None:
        spots.append(("8-bit network", "*", found.agreement, found.relative_error, found.energy_ratio))
    for label, marker, agreement, error, energy in spots:
        x_of_spot, y_of_spot = 100 * (energy or 0.0), far(agreement, error)
        axes.scatter(x_of_spot, y_of_spot, 170, marker=marker, facecolors="none", edgecolors="black", label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("energy in % of the trained model's")
    axes.set_ylabel("samples with another class in %" if by_class else "error of the outputs in %")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    return figure
