"""onnx-snn verify"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from converter.commands.arguments import FirstSamples, Json, SpikingFile, Steps
from converter.errors import RefusedError, concerning
from converter.io.files import check_writable
from converter.io.optional import import_optional
from converter.io.samples import load_samples
from converter.options import check_steps
from converter.report.console import messages, number, progress, results, table
from converter.report.json_file import write_json
from converter.spiking.model import SpikingModel


def verify_command(
    model: SpikingFile,
    data: Annotated[Path, typer.Option(help="samples: .npz with `x` [samples, ...]", show_default=False)],
    steps: Steps = None,
    samples: FirstSamples = 10,
    simulator: Annotated[str, typer.Option(help="nengo: in float64; nengo-dl: in float32; or both")] = "nengo",
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="share of differing neuron-steps that is accepted")
    ] = 0.0,
    json: Json = None,
) -> None:
    """Run the same samples in ONNX Runtime and in Nengo and compare every spike; exit code 1 if any or an output differs."""
    nengo = import_optional("converter.nengo.verify", "nengo")
    simulators = nengo.SIMULATORS
    chosen = simulators if simulator == "both" else (simulator,)
    if not set(chosen) <= set(simulators):
        raise RefusedError(f"there is no simulator {simulator!r}; choose one of {', '.join(simulators)}, both")
    if steps is not None:
        check_steps(steps)
    check_writable(json)
    spiking = SpikingModel(model)
    loaded = load_samples(data, spiking.inputs).first(samples)
    found = []
    for name in chosen:
        with progress() as advance, concerning(model):
            verification = nengo.verify(
                spiking.proto,
                loaded.feed,
                steps or spiking.n_steps,
                simulator=name,
                progress=partial(advance, f"comparing with {name}"),
            )
        found.append(verification)
        if str(json) != "-":
            rows = [
                (y.node, y.op_type, y.neurons, y.compared, y.spikes, y.differing, y.original)
                for y in verification.layers
            ]
            columns = ("layer", "neuron", "neurons", "neuron-steps", "with a spike", "differing", "original")
            title = f"ONNX Runtime and {verification.simulator}, {verification.n_steps} steps, {len(loaded)} samples"
            results().print(table(title, columns, rows, left=2))
            results().print(
                f"outputs: largest difference {number(verification.output_error)}, "
                f"the same class for {verification.same_class:.1%} of the samples"
            )
            if verification.first:
                results().print(_describe(verification.first))
    if json:
        write_json([verification.summary() for verification in found], json)
    if not all(verification.differing <= tolerance * verification.compared for verification in found):
        messages().print("the spikes differ")
        sys.exit(1)
    if any(verification.outputs_differing and not verification.differing for verification in found):
        messages().print("the outputs differ, though all spikes are the same: what follows the last neurons does")
        sys.exit(1)


def _describe(first: object) -> str:
    values = vars(first)
    text = (
        "first difference: layer {layer}, sample {sample}, step {step}, neuron {neuron}: "
        "spike {onnx_spike:.6g} in ONNX Runtime, {nengo_spike:.6g} in Nengo"
    ).format(**values)
    for side, name in (("onnx_voltage", "ONNX Runtime"), ("nengo_voltage", "Nengo")):
        if values[side] is not None:
            before, after = values[side]
            begin = "the initial one" if before is None else f"{before:.9g}"
            text += f"; voltage in {name}: {begin} before the step, {after:.9g} after it"
    return text
