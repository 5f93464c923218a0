"""Figures of Matplotlib of what a spiking model does on samples: spikes, voltages, rates, accuracy, energy.

>>> import converter
>>> converter.plot_raster("model.snn.onnx", "samples.npz", layer="relu_1").savefig("raster.png")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.errors import RefusedError, concerning
from converter.graph.run import RUNTIME_ERRORS
from converter.io.samples import Samples, check_samples, load_samples, peek_shape
from converter.measure.cost import PICOJOULE_PER_ADDITION, PICOJOULE_PER_MULTIPLY_ADD
from converter.measure.eight_bit import PICOJOULE_PER_MULTIPLY_ADD_8
from converter.measure.evaluation import Evaluation, evaluate, usual_steps
from converter.measure.traces import NEURONS, Firing, record_firing
from converter.measure.work_of_file import work_of_file
from converter.normalise.ann import Ann, load_ann
from converter.report.charts import name_of
from converter.report.plots import accuracy_figure, new_figure
from converter.spiking.model import SpikingModel
from snn_ops import RecordingError
from snn_ops.record import layers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Model = str | Path | SpikingModel
"""A `.snn.onnx` file, or one that was read."""
Data = str | Path | Samples | np.ndarray | Mapping[str, np.ndarray]
"""An `.npz` file, or samples as the model takes them."""
BLUE, ORANGE, GREY, INK = "#0072b2", "#d55e00", "#98a3af", "#1b2430"
COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""That people tell apart who see colours otherwise."""
FEW_STEPS = 40
"""Up to which a spike is a cell, the darker the larger; of more steps it is a mark."""
MOST_LAYERS = 60
"""In one figure of rates; of more, the layers that spike most."""
LONGEST = 32
"""Characters of a layer's name, of which the end tells most."""


def plot_raster(
    model: Model,
    data: Data,
    *,
    layer: str | None = None,
    sample: int = 0,
    steps: int | None = None,
    neurons: int = NEURONS,
) -> Figure:
    """When the neurons of a layer spike on one sample: a row for a neuron, a column for a time step.

    Args:
        model: the spiking model.
        data: samples.
        layer: its name, as ``onnx-snn inspect`` shows it; default: the first.
        sample: which, from 0 on.
        steps: T; default: the model's.
        neurons: how many rows; of more neurons, evenly from those that spike most to those that spike least.

    Raises:
        RefusedError: no such layer or sample, or spikes without an order in time.
    """
    spiking, firing, name = _fired(model, data, layer, sample, steps, neurons)
    figure = new_figure(7, 1.4 + 0.09 * max(len(firing.neurons), 12))
    axes = figure.add_subplot()
    _draw_spikes(axes, firing, is_delta=spiking.code == "delta")
    _over_time(axes, firing)
    axes.set_ylim(len(firing.neurons) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_ylabel(f"{len(firing.neurons)} of {firing.all_neurons:,} neurons")
    axes.set_title(f"{_short(name)}, sample {sample}: {firing.fired:,} neurons spike", fontsize=10)
    return figure


def plot_voltage(
    model: Model, data: Data, *, layer: str | None = None, sample: int = 0, steps: int | None = None, neurons: int = 3
) -> Figure:
    """The membrane voltages of some neurons of a layer after each step; of neurons without one, the value sent so far.

    Args:
        model: the spiking model.
        data: as for `plot_raster`.
        layer: as for `plot_raster`.
        sample: which one, from 0 on.
        steps: time steps; default: the file's.
        neurons: how many, evenly from those that spike most to those that spike least.

    Raises:
        RefusedError: as for `plot_raster`.
    """
    _, firing, name = _fired(model, data, layer, sample, steps, neurons, follow=True)
    figure = new_figure(7, 3.4)
    axes = figure.add_subplot()
    curves, what = (firing.values, "value sent so far")
    if firing.voltages is not None:
        curves, what = firing.voltages, "voltage in thresholds" if firing.in_thresholds else "membrane voltage"
    x = np.arange(1, len(curves) + 1)
    style = "default" if firing.voltages is not None else "steps-post"
    for place, row in enumerate(firing.followed):
        look: dict[str, Any] = {"drawstyle": style, "marker": "o" if len(x) <= FEW_STEPS else None, "markersize": 3}
        look["label"] = f"neuron {int(firing.neurons[row]):,}"
        axes.plot(x, curves[:, place], color=COLOURS[place % len(COLOURS)], **look)
    if firing.voltages is not None and firing.in_thresholds:
        axes.axhline(1, color=GREY, linestyle="--", linewidth=1)
    _over_time(axes, firing)
    axes.set_ylabel(what)
    axes.set_title(f"{_short(name)}, sample {sample}", fontsize=10)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def plot_rates(model: Model, data: Data, *, steps: int | None = None) -> Figure:
    """How often neurons spike, layer by layer: the mean as a bar, the middle half and the busiest hundredth as lines.

    Args:
        model: the spiking model.
        data: as for `plot_raster`; all samples count.
        steps: time steps; default: the file's.
    """
    spiking = _spiking(model)
    evaluation = _evaluated(spiking, _samples(spiking, data), steps)
    n_steps = evaluation.steps[-1].n_steps
    rates = {name: count.ravel() / n_steps for name, count in evaluation.spikes.items()}
    if len(rates) > MOST_LAYERS:
        busiest = sorted(rates, key=lambda name: -float(rates[name].mean()))[:MOST_LAYERS]
        rates = {name: rate for name, rate in rates.items() if name in busiest}
    figure = new_figure(7, 1.2 + 0.3 * len(rates))
    axes = figure.add_subplot()
    rows = np.arange(len(rates))
    axes.barh(rows, [rate.mean() for rate in rates.values()], color=BLUE, height=0.62, label="mean")
    quartiles = np.array([np.quantile(rate, (0.25, 0.75, 0.99)) for rate in rates.values()])
    axes.hlines(rows, quartiles[:, 0], quartiles[:, 1], color=ORANGE, linewidth=4, label="middle half of the neurons")
    axes.plot(quartiles[:, 2], rows, "|", color=INK, ms=9, mew=1.6, label="99 % are below")
    axes.set_yticks(rows, [_short(name) for name in rates], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("spikes per neuron and step")
    axes.set_title(f"{name_of(spiking.path.name)}, {evaluation.samples} samples, T = {n_steps}", fontsize=10)
    axes.grid(visible=True, axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def plot_accuracy(
    model: Model, data: Data, *, against: str | Path | Ann | None = None, steps: Sequence[int] | None = None
) -> Figure:
    """Accuracy over the number of time steps; without labels, agreement with the trained model.

    Args:
        model: the spiking model.
        data: as for `plot_raster`.
        against: the trained model; default: the file it was made from, where that is still there.
        steps: numbers of steps; default: those that `onnx-snn evaluate` takes.

    Raises:
        RefusedError: there are neither labels nor a trained model.
    """
    spiking = _spiking(model)
    samples = _samples(spiking, data)
    source = against or spiking.source()
    shape = peek_shape(data) if isinstance(data, str | Path) else None
    ann = source if isinstance(source, Ann) or source is None else load_ann(source, sample_shape=shape)
    if ann is None and samples.labels is None:
        raise RefusedError(
            "without labels `y` in the data, and without the trained model, there is no accuracy; name it with --against",
            file=spiking.path,
        )
    found = evaluate(spiking, samples, steps or usual_steps(spiking), against=ann)
    name = name_of(spiking.path.name)
    return accuracy_figure({name: found}, title=f"{name}, {len(samples)} samples")


def plot_energy(model: Model, data: Data, *, steps: int | None = None) -> Figure:
    """What a sample is estimated to take: the trained network in floats and in 8-bit integers, and the spiking one.

    Args:
        model: the spiking model.
        data: as for `plot_raster`; all samples count.
        steps: time steps; default: the file's.
    """
    spiking = _spiking(model)
    samples = _samples(spiking, data)
    evaluation = _evaluated(spiking, samples, steps)
    n_steps = evaluation.steps[-1].n_steps
    work = work_of_file(spiking, evaluation.spikes, samples.shapes_of_one, n_steps)
    micro = 1e-6
    floats = work.multiply_adds * PICOJOULE_PER_MULTIPLY_ADD * micro
    integers = work.multiply_adds * PICOJOULE_PER_MULTIPLY_ADD_8 * micro
    analog = (work.executed or 0) * PICOJOULE_PER_MULTIPLY_ADD * micro
    spikes = work.synaptic_operations * PICOJOULE_PER_ADDITION * micro
    figure = new_figure(7, 2.6)
    axes = figure.add_subplot()
    names = ["trained, 32-bit floats", "trained, 8-bit integers", f"spiking, T = {n_steps}"]
    axes.barh(names, [floats, integers, analog], color=GREY, label="multiply-adds")
    axes.barh(names, [0, 0, spikes], left=[0, 0, analog], color=BLUE, label="additions by spikes")
    for row, total in enumerate((floats, integers, analog + spikes)):
        share = f"{100 * total / floats:.3g} %" if floats else ""
        axes.annotate(share, (total, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("energy a sample in µJ (45 nm, without memory)")
    axes.set_title(f"{name_of(spiking.path.name)}, {evaluation.samples} samples", fontsize=10)
    axes.legend(fontsize=8)
    return figure


def _spiking(model: Model) -> SpikingModel:
    return model if isinstance(model, SpikingModel) else SpikingModel(model)


def _samples(spiking: SpikingModel, data: Data) -> Samples:
    if isinstance(data, str | Path):
        return load_samples(data, spiking.inputs)
    return data if isinstance(data, Samples) else check_samples(data, spiking.inputs)


def _evaluated(spiking: SpikingModel, samples: Samples, steps: int | None) -> Evaluation:
    with concerning(spiking.path):
        evaluation = evaluate(spiking, samples, [steps or spiking.n_steps])
        if not evaluation.spikes:
            raise RefusedError("it has no layer that spikes")
        return evaluation


def _fired(
    model: Model,
    data: Data,
    layer: str | None,
    sample: int,
    steps: int | None,
    neurons: int,
    *,
    follow: bool = False,
) -> tuple[SpikingModel, Firing, str]:
    """What a layer does on a sample, and its name."""
    spiking = _spiking(model)
    samples = _samples(spiking, data)
    if not 0 <= sample < len(samples):
        raise RefusedError(f"there is no sample {sample}: there are {len(samples)}, and the first is 0")
    there = list(layers_of(spiking.proto))
    if not there:
        raise RefusedError("it has no layer that spikes", file=spiking.path)
    name = there[0] if layer is None else layer
    feed = samples.take(slice(sample, sample + 1)).feed
    options: dict[str, Any] = {"neurons": neurons, "followed": neurons if follow else 0}
    try:
        return spiking, record_firing(spiking, name, feed, steps or spiking.n_steps, **options), name
    except RecordingError as error:
        raise RefusedError(str(error), file=spiking.path) from error
    except RUNTIME_ERRORS as error:
        raise spiking.refusal(error) from error


def _draw_spikes(axes: Axes, firing: Firing, *, is_delta: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.lines import Line2D

    size = np.abs(firing.sent if is_delta else firing.counts).astype(np.float64)
    largest = size.max(initial=0) or 1.0
    names = ("the value goes up", "the value goes down") if is_delta else ("spikes", "taken back")
    if len(firing.counts) <= FEW_STEPS:
        shade = np.sign(firing.counts) * (0.35 + 0.65 * np.sqrt(size / largest))
        stops = [(0, "#a34700"), (0.33, "#f4c7a1"), (0.5, "#ffffff"), (0.67, "#a9cfe6"), (1, "#00507d")]
        colours = LinearSegmentedColormap.from_list("signed", stops)
        edges = np.arange(len(shade) + 1) + 0.5, np.arange(shade.shape[1] + 1) - 0.5
        axes.pcolormesh(*edges, shade.T, cmap=colours, vmin=-1, vmax=1, edgecolors="white", linewidth=0.8)
    else:
        for sign, colour in ((1, BLUE), (-1, ORANGE)):
            step, row = np.nonzero(np.sign(firing.counts) == sign)
            axes.scatter(step + 1, row, marker="|", s=22, c=colour, linewidths=1.2)
    signs = [sign for sign in (1, -1) if sign == 1 or (firing.counts < 0).any()]
    handles = [Line2D([], [], marker="s", linestyle="", color=(BLUE, ORANGE)[sign < 0]) for sign in signs]
    labels = [names[sign < 0] for sign in signs]
    figure = axes.figure
    assert figure is not None
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)


def _over_time(axes: Axes, firing: Firing) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.5, len(firing.counts) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("time step")
    axes.spines[["top", "right"]].set_visible(False)


def _short(name: str) -> str:
    """The part of a name that tells it from others: frameworks join names with ";", and the end tells most."""
    first = name_of(name).split(";")[0] or name_of(name)
    return first if len(first) <= LONGEST else f"…{first[1 - LONGEST :]}"
