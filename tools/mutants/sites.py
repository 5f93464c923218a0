"""Where a fault can be put, and which: text of a file replaced by other text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ("converter", "snn_ops")
NATIVE = ("kernels/neurons.h", "kernels/operators/*.h")
SKIPPED = (
    "converter/commands/",
    "converter/report/",
    "snn_ops/functions.py",
    "snn_ops/reference.py",
    "converter/cli.py",
)
"""What only words and pictures come from, and what is generated."""

COMPARED = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "is": "is not",
    "is not": "is",
    "in": "not in",
}
COMPUTED = {
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "//": "*",
    "%": "*",
    "**": "*",
    "&": "|",
    "|": "&",
    "<<": ">>",
    ">>": "<<",
}
JOINED = {"and": "or", "or": "and"}
TOKENS = re.compile(
    r"(?<![-+*/<>=!&|])(<=|>=|==|!=|&&|\|\||(?<= )[-+*/<>](?= ))(?![-+*/<>=&|])|(?<![\w.])(\d+(?:\.\d+)?)(?=[^\w.])"
)


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        path: of the file, from the checkout's root.
        begin, end: of the text that goes.
        old, new: that text, and what comes in its place.
        line: its number.
        context: the whole line, as it was.
    """

    path: str
    begin: int
    end: int
    old: str
    new: str
    line: int
    context: str

    def apply(self, text: str) -> str:
        """The file with the fault."""
        assert text[self.begin : self.end] == self.old
        return text[: self.begin] + self.new + text[self.end :]

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.old.strip()} -> {self.new.strip()}: {self.context.strip()}"


def files() -> list[Path]:
    """All that get faults."""
    found = [path for folder in PYTHON for path in (ROOT / folder).rglob("*.py")]
    found += [path for pattern in NATIVE for path in ROOT.glob(pattern)]
    return sorted(path for path in found if not str(path.relative_to(ROOT)).startswith(SKIPPED))


def mutants(path: Path) -> list[Mutant]:
    """All of a file."""
    text = path.read_text()
    changes = _python(text) if path.suffix == ".py" else _native(text)
    name = str(path.relative_to(ROOT))
    lines = text.splitlines()
    found = []
    for begin, end, new in changes:
        line = text.count("\n", 0, begin)
        found.append(Mutant(name, begin, end, text[begin:end], new, line + 1, lines[line]))
    return found


def _native(text: str) -> Iterator[tuple[int, int, str]]:
    swap = {**COMPARED, **COMPUTED, "&&": "||", "||": "&&"}
    for match in TOKENS.finditer(text):
        begin = text.rfind("\n", 0, match.start()) + 1
        line = text[begin : text.find("\n", match.start())]
        code = line.split("//")[0]
        if match.start() - begin >= len(code) or re.match(r"\s*(#|template|static_assert|constexpr)", line):
            continue
        if "<" in match.group() and re.search(r"template|static_cast|Constants<|std::", code):
            continue
        if match.group(2):
            yield match.start(), match.end(), _other_number(match.group())
        elif match.group() in swap:
            yield match.start(), match.end(), swap[match.group()]


def _other_number(text: str) -> str:
    number = float(text)
    other = 1 if number == 0 else 0 if number == 1 else number * 2
    return repr(float(other)) if "." in text or "e" in text else str(int(other))


class _Text:
    """A Python file, by the places of its nodes."""

    def __init__(self, text: str) -> None:
        self.text, self._lines, self._starts = text, text.splitlines(keepends=True), [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def _at(self, line: int, column: int) -> int:
        """Python counts columns in bytes."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where a node begins and ends."""
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno or 0, node.end_col_offset or 0)

    def between(self, left: ast.expr, right: ast.expr, swap: dict[str, str]) -> Iterator[tuple[int, int, str]]:
        """The operator between two nodes, and another."""
        begin, end = self.span(left)[1], self.span(right)[0]
        operator = self.text[begin:end].strip(" ()\n")
        if operator in swap and self.text[begin:end].count(operator) == 1:
            begin += self.text[begin:end].index(operator)
            yield begin, begin + len(operator), swap[operator]

    def constant(self, node: ast.Constant) -> Iterator[tuple[int, int, str]]:
        """Another truth value or number."""
        written = self.text[slice(*self.span(node))]
        if isinstance(node.value, bool):
            yield *self.span(node), str(not node.value)
        elif isinstance(node.value, int | float) and re.fullmatch(r"\d+(\.\d+)?", written):
            yield *self.span(node), _other_number(written)


def _python(text: str) -> Iterator[tuple[int, int, str]]:
    places = _Text(text)
    for node in _code(ast.parse(text)):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from places.between(node.left, node.comparators[0], COMPARED)
        elif isinstance(node, ast.BinOp):
            yield from places.between(node.left, node.right, COMPUTED)
        elif isinstance(node, ast.BoolOp):
            yield from places.between(node.values[0], node.values[1], JOINED)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield *places.span(node), f"bool({text[slice(*places.span(node.operand))]})"
        elif isinstance(node, ast.Constant):
            yield from places.constant(node)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """What runs and is no text: no annotations, no messages, no operators' bodies."""
    if isinstance(node, ast.JoinedStr | ast.Raise):
        return
    if isinstance(node, ast.AnnAssign):
        if node.value:
            yield from _code(node.value)
        return
    if isinstance(node, ast.FunctionDef):
        for child in (*node.args.defaults, *(d for d in node.args.kw_defaults if d), *node.body):
            yield from _code(child)
        return
    yield node
    for child in node.body if isinstance(node, ast.ClassDef) else ast.iter_child_nodes(node):
        yield from _code(child)
