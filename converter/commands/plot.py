"""onnx-snn plot"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.commands.arguments import FirstSamples, SpikingFile, Steps, parse_numbers
from converter.errors import RefusedError
from converter.io.files import check_writable, write_whole
from converter.io.samples import Samples, load_samples
from converter.options import check_steps
from converter.report.console import messages
from converter.report.figures import plot_accuracy, plot_energy, plot_raster, plot_rates, plot_voltage
from converter.spiking.model import SpikingModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")

plot_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Data = Annotated[
    Path, typer.Option(help="samples: .npz with `x` [samples, ...] and, if known, labels `y`", show_default=False)
]
Out = Annotated[Path, typer.Option("-o", "--out", help="the picture, .png, .svg or .pdf", show_default=False)]
Layer = Annotated[
    str | None, typer.Option(help="a layer, by the name that `onnx-snn inspect` shows [default: the first]")
]
Sample = Annotated[int, typer.Option(min=0, help="which sample, from 0 on")]


@plot_app.callback()
def _pictures() -> None:
    """Draw what a spiking model does on samples: spikes, voltages, rates, accuracy, energy."""


@plot_app.command("raster")
def raster_command(
    model: SpikingFile,
    data: Data,
    out: Out,
    layer: Layer = None,
    sample: Sample = 0,
    steps: Steps = None,
    neurons: Annotated[int, typer.Option(min=1, help="how many neurons to show")] = 40,
) -> None:
    """Draw the spikes of a layer on one sample.

    onnx-snn plot raster model.snn.onnx --data test.npz --layer relu_1 -o raster.png
    """
    spiking, samples = _read(model, data, out, None, steps)
    _save(plot_raster(spiking, samples, layer=layer, sample=sample, steps=steps, neurons=neurons), out)


@plot_app.command("voltage")
def voltage_command(
    model: SpikingFile,
    data: Data,
    out: Out,
    layer: Layer = None,
    sample: Sample = 0,
    steps: Steps = None,
    neurons: Annotated[int, typer.Option(min=1, help="how many neurons to show")] = 3,
) -> None:
    """Draw membrane voltages of a layer on one sample; of neurons without one, the value that they have sent so far.

    onnx-snn plot voltage model.snn.onnx --data test.npz --sample 7 -o voltage.svg
    """
    spiking, samples = _read(model, data, out, None, steps)
    _save(plot_voltage(spiking, samples, layer=layer, sample=sample, steps=steps, neurons=neurons), out)


@plot_app.command("rates")
def rates_command(model: SpikingFile, data: Data, out: Out, steps: Steps = None, samples: FirstSamples = None) -> None:
    """Draw how often the neurons of each layer spike.

    onnx-snn plot rates model.snn.onnx --data test.npz -o rates.png
    """
    spiking, loaded = _read(model, data, out, samples, steps)
    _save(plot_rates(spiking, loaded, steps=steps), out)


@plot_app.command("accuracy")
def accuracy_command(
    model: SpikingFile,
    data: Data,
    out: Out,
    against: Annotated[
        Path | None, typer.Option(help="the trained model [default: the file it was made from, if it is still there]")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help="numbers of time steps, separated by commas [default: as evaluate]")
    ] = None,
    samples: FirstSamples = None,
) -> None:
    """Draw accuracy, or without labels agreement with the trained model, over the number of time steps.

    onnx-snn plot accuracy model.snn.onnx --data test.npz -o accuracy.png
    """
    numbers = None if steps is None else parse_numbers(steps, "--steps")
    spiking, loaded = _read(model, data, out, samples, None if numbers is None else min(numbers))
    _save(plot_accuracy(spiking, loaded, against=against, steps=numbers), out)


@plot_app.command("energy")
def energy_command(model: SpikingFile, data: Data, out: Out, steps: Steps = None, samples: FirstSamples = None) -> None:
    """Draw the estimated energy of a sample beside that of the trained network in floats and in 8-bit integers.

    onnx-snn plot energy model.snn.onnx --data test.npz -o energy.png
    """
    spiking, loaded = _read(model, data, out, samples, steps)
    _save(plot_energy(spiking, loaded, steps=steps), out)


def _read(model: Path, data: Path, out: Path, first: int | None, steps: int | None) -> tuple[SpikingModel, Samples]:
    """The model and the samples; what is wrong is refused before anything is computed."""
    if out.suffix.lower().removeprefix(".") not in FORMATS:
        raise RefusedError("a picture is .png, .svg or .pdf; name it so", file=out)
    check_writable(out)
    if steps is not None:
        check_steps(steps)
    spiking = SpikingModel(model)
    return spiking, load_samples(data, spiking.inputs).first(first)


def _save(figure: Figure, out: Path) -> None:
    kind = out.suffix.lower().removeprefix(".")
    write_whole(out, lambda file: figure.savefig(file, format=kind, dpi=150))
    messages().print(f"wrote {out}")
