"""onnx-snn export"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from converter.commands.arguments import SpikingFile
from converter.commands.examples import examples
from converter.errors import RefusedError, concerning
from converter.io.files import write_npz
from converter.io.optional import import_optional
from converter.io.weights import weights_of
from converter.report.console import messages
from converter.spiking.model import SpikingModel

export_app = typer.Typer(no_args_is_help=True, help="Write a spiking model in another form.")


@export_app.command("nengo", epilog=examples("export nengo"))
def export_nengo(
    model: SpikingFile,
    out: Annotated[Path, typer.Option("-o", "--out", help="the script, .py; its weights go beside it, .npz")],
    core_neurons: Annotated[
        bool,
        typer.Option(
            help="only Nengo's own neurons, as NengoLoihi needs: IF becomes SpikingRectifiedLinear, not spike for spike"
        ),
    ] = False,
    readout_tau: Annotated[
        float | None,
        typer.Option(
            help="read outputs through an Alpha synapse of this time constant in seconds, for inputs that change, such as "
            "PresentInput's [default: the mean over all steps]"
        ),
    ] = None,
) -> None:
    """Write a Python script that builds and runs the model in Nengo, and an .npz with its weights."""
    export = import_optional("converter.nengo.export", "nengo")
    if out.suffix != ".py":
        raise RefusedError("the script's name must end in .py", file=out)
    spiking = SpikingModel(model)
    with concerning(model):
        script = export.make_script(spiking.proto, core_neurons=core_neurons, readout_tau=readout_tau)
    export.write_script(script, out)
    for note in script.notes:
        messages().print(f"note: {note}")
    messages().print(
        f"wrote {out} and {out.with_suffix('.npz').name}: {len(script.populations)} layers of neurons", soft_wrap=True
    )


@export_app.command("npz", epilog=examples("export npz"))
def export_npz(
    model: SpikingFile, out: Annotated[Path, typer.Option("-o", "--out", help="the weights by name, .npz")]
) -> None:
    """Write a model's weights by name, as `import-weights` reads them."""
    weights = weights_of(SpikingModel(model).proto)
    write_npz(out, weights)
    messages().print(
        f"wrote {out}: {len(weights)} arrays, {sum(array.size for array in weights.values())} numbers", soft_wrap=True
    )
