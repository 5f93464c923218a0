"""All commands of onnx-snn, and what becomes of errors.

Exit codes: 0 done, 1 refused with a reason (one line on standard error), 2 wrong usage, 130 interrupted, 141 nobody reads the
output any more.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated, TextIO

import typer

import snn_ops
from converter.commands.bench import bench_command
from converter.commands.check import check_command
from converter.commands.convert import convert_command
from converter.commands.demo import demo_command
from converter.commands.doctor import doctor_command
from converter.commands.evaluate import evaluate_command
from converter.commands.examples import examples
from converter.commands.export import export_app
from converter.commands.import_weights import import_weights_command
from converter.commands.inspect import inspect_command
from converter.commands.plot import plot_app
from converter.commands.predict import predict_command
from converter.commands.run import run_command
from converter.commands.serve import serve_command
from converter.commands.train import train_command
from converter.commands.verify import verify_command
from converter.commands.view import view_command
from converter.errors import RefusedError
from converter.graph.build import without_library_warnings
from converter.graph.run import ONNX_RUNTIME_ERRORS, brief, silence_runtime

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Trained ONNX models become spiking networks that are still ONNX files, and run in ONNX Runtime.",
)
app.command("check", epilog=examples("check"))(check_command)
app.command("convert", epilog=examples("convert"))(convert_command)
app.command("run", epilog=examples("run"))(run_command)
app.command("evaluate", epilog=examples("evaluate"))(evaluate_command)
app.command("predict", epilog=examples("predict"))(predict_command)
app.command("serve", epilog=examples("serve"))(serve_command)
app.command("bench", epilog=examples("bench"))(bench_command)
app.command("inspect", epilog=examples("inspect"))(inspect_command)
app.command("view", epilog=examples("view"))(view_command)
app.add_typer(plot_app, name="plot")
app.add_typer(export_app, name="export")
app.command("import-weights", epilog=examples("import-weights"))(import_weights_command)
app.command("train", epilog=examples("train"))(train_command)
app.command("verify", epilog=examples("verify"))(verify_command)
app.command("demo", epilog=examples("demo"))(demo_command)
app.command("doctor", epilog=examples("doctor"))(doctor_command)


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


_SAID_IN_A_LINE: tuple[type[Exception], ...] = (RefusedError, RuntimeError, OSError, MemoryError, *ONNX_RUNTIME_ERRORS)
_NOBODY_READS = 141
"""What a shell shows of a program that the signal SIGPIPE ended."""


def run() -> None:
    """Runs the command line and exits."""
    silence_runtime()
    output = sys.stdout
    try:
        try:
            with without_library_warnings():  # whatever is wrong with a file, we say it
                app(prog_name="onnx-snn")  # whatever starts it: completion asks for this name
        finally:
            output.flush()  # a full disk is told here, and not at Python's end
    except BrokenPipeError:
        _give_up_output(output)
        sys.exit(_NOBODY_READS)
    except SystemExit:
        if sys.stdout is not output:  # Typer put another in place of one that nobody reads
            sys.exit(_NOBODY_READS)
        raise
    except _SAID_IN_A_LINE as error:
        if os.environ.get("ONNX_SNN_DEBUG"):
            raise
        if isinstance(error, OSError):
            _give_up_output(output)
        _complain(
            (brief(error) if isinstance(error, ONNX_RUNTIME_ERRORS) else str(error)) or "it does not fit into memory"
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(text: str) -> None:
    """One line on standard error. What a terminal would obey instead of showing it is not printed: it may come from a file."""
    line = "".join(c if c.isprintable() else " " for c in text)
    with suppress(OSError):
        print(f"onnx-snn: {' '.join(line.split())}", file=sys.stderr)


def _give_up_output(output: TextIO) -> None:
    """Lets what is still to be written there vanish, so that Python's end does not fail over it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
