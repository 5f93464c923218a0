"""onnx-snn demo"""

from __future__ import annotations

import shutil
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

import snn_ops
from converter.conversion.main import convert
from converter.conversion.result import Conversion
from converter.demo import demo_samples
from converter.io.files import write_npz
from converter.io.samples import Samples
from converter.measure.evaluation import Evaluation, evaluate, usual_steps
from converter.measure.simulation import seconds_per_sample
from converter.normalise.ann import load_ann
from converter.options import Options
from converter.report.console import messages, number, percent, progress, results
from converter.report.console import table as make_table
from converter.report.json_file import write_json
from converter.report.plots import accuracy_picture, front_picture
from converter.report.tables import conversion_tables, rates_table
from converter.spiking.model import SpikingModel

_BACKENDS = {"native kernels": "native", "plain ONNX Runtime": "functions"}
"""By what the tables call them."""


def demo_command(
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("onnx-snn-demo"),
    activation: Annotated[str, typer.Option(help="of the embedded LeNet-5: relu or tanh")] = "relu",
    code: Annotated[str, typer.Option(help="as for convert")] = Options().code,
    neuron: Annotated[str, typer.Option(help="as for convert")] = Options().neuron,
) -> None:
    """The main job on embedded data: convert a trained LeNet-5, run it on 1,000 MNIST test images, compare."""
    if activation not in ("relu", "tanh"):
        raise typer.BadParameter("there is a LeNet-5 with relu and one with tanh", param_hint="--activation")
    out.mkdir(parents=True, exist_ok=True)
    name = f"lenet5_{activation}"
    trained = out / f"{name}.onnx"
    with resources.as_file(resources.files("converter.demo") / "data" / f"{name}.onnx") as source:
        shutil.copyfile(source, trained)
    ann = load_ann(trained)
    test, calibration = (demo_samples(which, ann.input_specs) for which in ("test", "calibration"))
    for samples, path in ((test, out / "test.npz"), (calibration, out / "calibration.npz")):
        _write_samples(samples, path)
    spiking_path = out / f"{name}.snn.onnx"
    with progress() as advance:
        conversion = convert(ann, calibration, options=Options(neuron, code), progress=advance)
        conversion.save(spiking_path)
        spiking = SpikingModel(spiking_path)
        evaluations = {
            way: evaluate(
                spiking, test, usual_steps(spiking), against=ann, backend=backend, progress=partial(advance, way)
            )
            for way, backend in _BACKENDS.items()
        }
    for table in conversion_tables(conversion):
        results().print(table)
    native, plain = evaluations.values()
    _print_accuracy(native, plain)
    seconds = {
        way: seconds_per_sample(spiking.session(backend=backend), test.first(200)) for way, backend in _BACKENDS.items()
    }
    rows = [(way, f"{1e3 * time:.3f} ms") for way, time in seconds.items()]
    title = f"Time per image at {spiking.n_steps} steps, instruction set {snn_ops.cpu_isa()}, median of 5"
    results().print(make_table(title, ("", "time"), rows))
    write_json(
        {
            "conversion": conversion.summary(),
            "native": native.summary(),
            "plain": plain.summary(),
            "seconds_per_image": seconds,
            "cpu_isa": snn_ops.cpu_isa(),
        },
        out / f"{name}.json",
    )
    title = f"LeNet-5 ({activation}) on MNIST, {conversion.layers[0].neuron} neurons"
    accuracy_picture(evaluations, out / f"{name}.png", title=title)
    pictures = [f"{name}.png"]
    if conversion.front is not None:
        pictures.append(f"{name}.front.png")
        front_picture(conversion.front, out / pictures[-1], title=f"LeNet-5 ({activation}): accuracy against energy")
    results().print(_in_short(conversion, native))
    messages().print(f"wrote {spiking_path}, {name}.json and {' and '.join(pictures)} in {out}/", soft_wrap=True)
    messages().print(f"to try other commands with, beside them: {trained.name}, calibration.npz, test.npz")


def _write_samples(samples: Samples, path: Path) -> None:
    """As the other commands read them."""
    (x,) = samples.feed.values()
    write_npz(path, {"x": x} if samples.labels is None else {"x": x, "y": samples.labels})


def _in_short(conversion: Conversion, evaluation: Evaluation) -> Table:
    """What the conversion gives and what it takes, beside the trained and the 8-bit network."""
    totals, options = conversion.totals(), conversion.options
    step = next(step for step in evaluation.steps if step.n_steps == options.n_steps)
    lost = (evaluation.ann_accuracy or 0.0) - (step.accuracy or 0.0)
    eight_bit = conversion.eight_bit
    rows = [
        ("code, schedule, T", f"{options.code}, {options.schedule}, {options.n_steps}"),
        (f"points lost on {evaluation.samples} test images", percent(lost)),
        ("spikes per synapse", number(totals.spikes_per_synapse)),
        ("energy, share of the trained network's", percent(totals.energy_ratio, 1)),
        ("energy of the 8-bit network, dense", percent(eight_bit.energy_ratio, 1)),
        ("energy of the 8-bit network, skipping zeros", percent(eight_bit.energy_ratio_skipping, 1)),
    ]
    return make_table("In short", ("what", "how much"), rows)


def _print_accuracy(native: Evaluation, plain: Evaluation) -> None:
    rows: list[tuple[object, ...]] = [("trained model", percent(native.ann_accuracy), "", "")]
    rows += [
        (a.n_steps, percent(a.accuracy), percent(b.accuracy), percent(a.agreement))
        for a, b in zip(native.steps, plain.steps, strict=True)
    ]
    columns = ("steps", *_BACKENDS, "agreement with the trained model")
    results().print(make_table(f"Accuracy on {native.samples} MNIST test images", columns, rows))
    results().print(rates_table(native))
