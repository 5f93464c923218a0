"""onnx-snn doctor"""

from __future__ import annotations

import typer

from converter.commands.arguments import Json
from converter.doctor import diagnose
from converter.io.files import check_writable
from converter.report.console import results
from converter.report.json_file import write_json


def doctor_command(json: Json = None) -> None:
    """Say what is installed, whether spiking models run here, and what to do first where they do not; then exit code 1."""
    check_writable(json)
    found = diagnose()
    if json:
        write_json(found.summary(), json)
    if str(json) != "-":
        results().print("\n".join(found.lines()), soft_wrap=True)
    if found.wrong:
        raise typer.Exit(1)
