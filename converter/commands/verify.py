"""onnx-snn verify"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from converter.commands.arguments import Data, FirstSamples, Json, Preprocess, SpikingFile, Steps
from converter.commands.loading import load
from converter.errors import RefusedError, concerning
from converter.io.files import check_writable
from converter.io.optional import import_optional
from converter.options import check_steps
from converter.report.console import messages, number, progress, results, table
from converter.report.json_file import write_json
from converter.spiking.model import SpikingModel

if TYPE_CHECKING:
    from converter.nengo.verify import Difference, Verification


def verify_command(
    model: SpikingFile,
    data: Data,
    steps: Steps = None,
    samples: FirstSamples = 10,
    preprocess: Preprocess = None,
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
    loaded = load(data, spiking, first=samples, preprocess=preprocess)
    verifications: list[Verification] = []
    for name in chosen:
        with progress() as advance, concerning(model):
            verification = nengo.verify(
                spiking.proto,
                loaded.feed,
                steps or spiking.n_steps,
                simulator=name,
                progress=advance,
            )
        verifications.append(verification)
        if str(json) != "-":
            _print_verification(verification)
    if json:
        write_json([verification.summary() for verification in verifications], json)
    if not all(verification.differing <= tolerance * verification.compared for verification in verifications):
        messages().print("the spikes differ")
        sys.exit(1)
    if any(verification.outputs_differing and not verification.differing for verification in verifications):
        messages().print("the outputs differ, though all spikes are the same: what follows the last neurons does")
        sys.exit(1)


def _print_verification(verification: Verification) -> None:
    rows = [(y.node, y.op_type, y.neurons, y.compared, y.spikes, y.differing, y.original) for y in verification.layers]
    columns = ("layer", "neuron", "neurons", "neuron-steps", "with a spike", "differing", "original")
    run = f"{verification.n_steps} steps, {verification.samples} samples"
    title = f"ONNX Runtime and {verification.simulator}, {run}"
    results().print(table(title, columns, rows, left=2, drop=("neurons", "original", "neuron-steps")))
    results().print(
        f"outputs: largest difference {number(verification.output_error)}, "
        f"the same class for {verification.same_class:.1%} of the samples"
    )
    if verification.first:
        results().print(_in_words(verification.first))


def _in_words(first: Difference) -> str:
    what, state = ("sum of spikes", "sum in thresholds") if first.of_sums else ("spike", "voltage")
    text = (
        f"first difference: layer {first.layer}, sample {first.sample}, step {first.step}, neuron {first.neuron}: "
        f"{what} {first.onnx_spike:.6g} in ONNX Runtime, {first.nengo_spike:.6g} in Nengo"
    )
    for name, voltages in (("ONNX Runtime", first.onnx_voltage), ("Nengo", first.nengo_voltage)):
        if voltages is not None:
            before, after = voltages
            begin = "the initial one" if before is None else f"{before:.9g}"
            text += f"; {state} in {name}: {begin} before the step, {after:.9g} after it"
    return text
