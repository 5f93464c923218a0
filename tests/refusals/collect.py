"""The texts that refuse a model, from the source, and which of them an error is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "converter"
TEXTS = {"RefusedError": 0, "MixesSamplesError": 0, "UnclearError": 0, "retold": 1}
"""What makes errors whose texts users read, and which argument is the text."""
OF_MODELS = (
    "activations", "calibration", "conversion", "graph", "io/claims.py", "io/onnx_files.py", "measure", "nengo/export.py",
    "nengo/handlers", "nengo/script.py", "nengo/shapes.py", "nengo/verify.py", "normalise", "spiking",
)  # fmt: skip
"""Where a model is what is refused; elsewhere it is an option, a number or a file with samples."""


@dataclass(frozen=True)
class Refusal:
    """A place in the source that refuses a model.

    Attributes:
        module: its file, from the package on.
        key: the function, and the text with ``{}`` for what is filled in: what a case is called by.
        lines: the first and the last one of the statement.
    """

    module: str
    key: str
    lines: range


def refusals(package: Path = PACKAGE, rooms: tuple[str, ...] = OF_MODELS) -> list[Refusal]:
    """All of them, in the order of files and lines."""
    paths = [path for room in rooms for path in _files(package / room)]
    return [refusal for path in paths for refusal in _in_file(path, path.relative_to(package).as_posix())]


def reached(error: BaseException, known: list[Refusal]) -> list[Refusal]:
    """Where an error and what caused it were raised, from the last to the first."""
    found, current = [], error
    while current is not None:
        traceback = current.__traceback__
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        if traceback is not None:
            path, line = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
            found += [r for r in known if path.endswith(f"converter/{r.module}") and line in r.lines]
        current = current.__cause__ or current.__context__
    return found


def _files(room: Path) -> list[Path]:
    return sorted(room.rglob("*.py")) if room.is_dir() else [room]


def _in_file(path: Path, module: str) -> Iterator[Refusal]:
    waiting: list[tuple[ast.AST, str]] = [(ast.parse(path.read_text()), "")]
    while waiting:
        node, function = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            function = node.name
        raised = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(raised, ast.Call):
            name = raised.func.attr if isinstance(raised.func, ast.Attribute) else getattr(raised.func, "id", "")
            if name in TEXTS or name[:1].islower():  # a function that makes an error has its text from elsewhere
                text = _text(raised.args[TEXTS[name]]) if name in TEXTS else "{}"
                yield Refusal(module, f"{function}: {text}", range(node.lineno, (node.end_lineno or 0) + 1))
        waiting.extend((child, function) for child in reversed(list(ast.iter_child_nodes(node))))


def _text(argument: ast.expr) -> str:
    """A text with ``{}`` where something is filled in."""
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    if isinstance(argument, ast.JoinedStr):
        return "".join(_text(part) for part in argument.values)
    return "{}"
