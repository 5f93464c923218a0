"""onnx-snn check"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from converter.commands.arguments import Json, Trust, Verbose
from converter.commands.options import takes_conversion_options
from converter.conversion.check import Check, check
from converter.errors import RefusedError
from converter.graph.run import ONNX_RUNTIME_ERRORS, brief
from converter.io.files import check_writable
from converter.io.onnx_files import holds_operators, read_proto
from converter.normalise.ann import load_ann
from converter.normalise.frameworks import framework_of
from converter.options import Options
from converter.report.check_tables import check_tables, folder_tables
from converter.report.console import messages, print_passes, results
from converter.report.json_file import write_json

_REFUSED: tuple[type[Exception], ...] = (RefusedError, RuntimeError, OSError, MemoryError, *ONNX_RUNTIME_ERRORS)
"""What is said of one model of a folder, before the next one is looked at."""


@takes_conversion_options
def check_command(
    model: Annotated[
        Path,
        typer.Argument(
            help="a trained model as convert takes it, or a folder: each .onnx file in it", show_default=False
        ),
    ],
    *,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]3,224,224",
            help="lengths of a sample of an input that leaves them open [default: 64 each]; repeatable",
        ),
    ] = None,
    options: Options,
    trust: Trust = False,
    verbose: Verbose = False,
    json: Json = None,
) -> None:
    """Say whether a trained model will convert, what becomes of each layer, and about what it will cost. Needs no samples.

    Exit code: 0 if it converts, 1 if not; of a folder 0 if every model in it does.
    """
    check_writable(json)
    named = _parse_shapes(shape or [])
    if model.is_dir() and framework_of(model) is None:
        _check_folder(model, options, named, json)
        return
    try:
        found = _check(model, options, named, trust=trust)
    except RefusedError as error:
        if json:
            write_json(_refused(model, error), json)
        raise
    if json:
        passes = {"passes": [asdict(report) for report in found.reports]} if verbose else {}
        write_json(found.summary() | passes, json)
    if str(json) != "-":
        for table in check_tables(found):
            results().print(table)
    if verbose:
        print_passes(found.reports)
    for note in found.notes():
        messages().print(f"note: {note}")
    messages().print(f"to convert it: onnx-snn convert {model} --calibration SAMPLES.npz")


def _check(model: Path, options: Options, shapes: Mapping[str, Sequence[int]], *, trust: bool = False) -> Check:
    single = shapes.get("")
    ann = load_ann(model, sample_shape=single, trust=trust)
    if single is not None and len(ann.inputs) != 1:
        names = ", ".join(str(value.name) for value in ann.inputs)
        raise RefusedError(f"it has several inputs ({names}); say --shape NAME=3,224,224", file=model)
    lengths = {name or str(ann.inputs[0].name): numbers for name, numbers in shapes.items()}
    return check(ann, options=options, lengths=lengths)


def _check_folder(folder: Path, options: Options, shapes: Mapping[str, Sequence[int]], json: Path | None) -> None:
    """A row for each model. One that cannot be read is refused, and the next one looked at."""
    found: dict[str, Check | str] = {}
    data: list[dict[str, Any]] = []
    spiking = 0
    for path in _models(folder):
        name = str(path.relative_to(folder))
        try:
            if holds_operators(read_proto(path)):
                spiking += 1
                continue
            checked = _check(path, options, shapes)
            found[name] = checked
            data.append(checked.summary())
        except _REFUSED as error:
            found[name] = _reason(path, error)
            data.append(_refused(path, error))
    if not found:
        raise RefusedError("there is no trained model (.onnx) in this folder", file=folder)
    if json:
        write_json(data, json)
    if str(json) != "-":
        for table in folder_tables(str(folder), found):
            results().print(table)
    if spiking:
        messages().print(f"note: left out: {spiking} of the .onnx files, which spike already")
    if any(isinstance(result, str) for result in found.values()):
        raise typer.Exit(1)


def _models(folder: Path) -> Iterator[Path]:
    """Ordinary .onnx files at any depth, sorted; links to folders are not followed."""
    yield from sorted(path for path in folder.rglob("*.onnx") if path.is_file())


def _reason(path: Path, error: Exception) -> str:
    """The line without the file's name in front of it."""
    text = brief(error) if isinstance(error, ONNX_RUNTIME_ERRORS) else str(error) or "it does not fit into memory"
    return " ".join(text.removeprefix(str(path)).removeprefix(": ").removeprefix(", ").split())


def _refused(path: Path, error: Exception) -> dict[str, Any]:
    return {
        "model": str(path),
        "converts": False,
        "node": getattr(error, "node", None),
        "reason": _reason(path, error),
    }


def _parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """["x=3,224,224"] -> {"x": (3, 224, 224)}; without a name by "".

    Raises:
        typer.BadParameter: no numbers, or numbers below 1.
    """
    shapes = {}
    for text in texts:
        name, _, lengths = text.rpartition("=")
        try:
            numbers = tuple(int(word) for word in lengths.split(",")) if lengths.strip() else ()
        except ValueError:
            numbers = (0,)
        if not 1 <= min(numbers, default=1) <= max(numbers, default=1) < 2**40:
            raise typer.BadParameter(f"{text!r} is not of the form 3,224,224 or NAME=3,224,224", param_hint="--shape")
        shapes[name] = numbers
    return shapes
