"""onnx-snn plot"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.commands.arguments import Data, FirstSamples, Preprocess, SpikingFile, Steps, parse_numbers
from converter.commands.examples import examples
from converter.commands.loading import load
from converter.errors import RefusedError
from converter.io.files import check_writable, write_whole
from converter.io.samples import Samples
from converter.options import check_steps
from converter.report.console import messages
from converter.report.figures import plot_accuracy, plot_energy, plot_raster, plot_rates, plot_voltage
from converter.spiking.model import SpikingModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")

plot_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Out = Annotated[Path, typer.Option("-o", "--out", help="the picture, .png, .svg or .pdf", show_default=False)]
Layer = Annotated[
    str | None, typer.Option(help="a layer, by the name that `onnx-snn inspect` shows [default: the first]")
]
Sample = Annotated[int, typer.Option(min=0, help="which sample, from 0 on")]


@plot_app.callback()
def _pictures() -> None:
    """Draw what a spiking model does on samples: spikes, voltages, rates, accuracy, energy."""


@plot_app.command("raster", epilog=examples("plot raster"))
def raster_command(
    model: SpikingFile,
    data: Data,
    out: Out,
    preprocess: Preprocess = None,
    layer: Layer = None,
    sample: Sample = 0,
    steps: Steps = None,
    neurons: Annotated[int, typer.Option(min=1, help="how many neurons to show")] = 40,
) -> None:
    """Draw the spikes of a layer on one sample."""
    spiking, samples = _read(model, data, out, None, steps, preprocess)
    _save(plot_raster(spiking, samples, layer=layer, sample=sample, steps=steps, neurons=neurons), out)


@plot_app.command("voltage", epilog=examples("plot voltage"))
def voltage_command(
    model: SpikingFile,
    data: Data,
    out: Out,
    preprocess: Preprocess = None,
    layer: Layer = None,
    sample: Sample = 0,
    steps: Steps = None,
    neurons: Annotated[int, typer.Option(min=1, help="how many neurons to show")] = 3,
) -> None:
    """Draw membrane voltages of a layer on one sample; of neurons without one, the value that they have sent so far."""
    spiking, samples = _read(model, data, out, None, steps, preprocess)
    _save(plot_voltage(spiking, samples, layer=layer, sample=sample, steps=steps, neurons=neurons), out)


@plot_app.command("rates", epilog=examples("plot rates"))
def rates_command(
    model: SpikingFile,
    data: Data,
    out: Out,
    preprocess: Preprocess = None,
    steps: Steps = None,
    samples: FirstSamples = None,
) -> None:
    """Draw how often the neurons of each layer spike."""
    spiking, loaded = _read(model, data, out, samples, steps, preprocess)
    _save(plot_rates(spiking, loaded, steps=steps), out)


@plot_app.command("accuracy", epilog=examples("plot accuracy"))
def accuracy_command(
    model: SpikingFile,
    data: Data,
    out: Out,
    preprocess: Preprocess = None,
    against: Annotated[
        Path | None, typer.Option(help="the trained model [default: the file it was made from, if it is still there]")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help="numbers of time steps, separated by commas [default: as evaluate]")
    ] = None,
    samples: FirstSamples = None,
) -> None:
    """Draw accuracy, or without labels agreement with the trained model, over the number of time steps."""
    numbers = None if steps is None else parse_numbers(steps, "--steps")
    spiking, loaded = _read(model, data, out, samples, None if numbers is None else min(numbers), preprocess)
    _save(plot_accuracy(spiking, loaded, against=against, steps=numbers), out)


@plot_app.command("energy", epilog=examples("plot energy"))
def energy_command(
    model: SpikingFile,
    data: Data,
    out: Out,
    preprocess: Preprocess = None,
    steps: Steps = None,
    samples: FirstSamples = None,
) -> None:
    """Draw the estimated energy of a sample beside that of the trained network in floats and in 8-bit integers."""
    spiking, loaded = _read(model, data, out, samples, steps, preprocess)
    _save(plot_energy(spiking, loaded, steps=steps), out)


def _read(
    model: Path, data: str, out: Path, first: int | None, steps: int | None, preprocess: list[str] | None
) -> tuple[SpikingModel, Samples]:
    """The model and the samples; what is wrong is refused before anything is computed."""
    if out.suffix.lower().removeprefix(".") not in FORMATS:
        raise RefusedError("a picture is .png, .svg or .pdf; name it so", file=out)
    check_writable(out)
    if steps is not None:
        check_steps(steps)
    spiking = SpikingModel(model)
    return spiking, load(data, spiking, first=first, preprocess=preprocess)


def _save(figure: Figure, out: Path) -> None:
    kind = out.suffix.lower().removeprefix(".")
    write_whole(out, lambda file: figure.savefig(file, format=kind, dpi=150))
    messages().print(f"wrote {out}", soft_wrap=True)
