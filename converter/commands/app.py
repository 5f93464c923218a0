"""All commands of onnx-snn, and what becomes of errors.

Exit codes: 0 done, 1 refused with a reason (one line on standard error), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import snn_ops
from converter.commands.bench import bench_command
from converter.commands.convert import convert_command
from converter.commands.demo import demo_command
from converter.commands.evaluate import evaluate_command
from converter.commands.export import export_app
from converter.commands.import_weights import import_weights_command
from converter.commands.inspect import inspect_command
from converter.commands.run import run_command
from converter.commands.train import train_command
from converter.commands.verify import verify_command
from converter.errors import RefusedError
from converter.graph.run import silence_runtime

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Trained ONNX models become spiking networks that are still ONNX files, and run in ONNX Runtime.",
)
app.command("convert")(convert_command)
app.command("run")(run_command)
app.command("evaluate")(evaluate_command)
app.command("bench")(bench_command)
app.command("inspect")(inspect_command)
app.add_typer(export_app, name="export")
app.command("import-weights")(import_weights_command)
app.command("train")(train_command)
app.command("verify")(verify_command)
app.command("demo")(demo_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"onnx-snn {snn_ops.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Runs the command line and exits."""
    silence_runtime()
    try:
        app()
    except (RefusedError, RuntimeError, OSError) as error:
        if os.environ.get("ONNX_SNN_DEBUG"):
            raise
        print(f"onnx-snn: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
