"""The picture and the table of rooms in docs/architecture.md, from the code's imports: `make docs`.

A room is a folder of `converter`, or a file that lies directly in it; `snn_ops` is one room. Imports for type checkers do not
count, as for import-linter.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- written by `make docs` -->\n", "<!-- until here -->\n"
Imports = dict[str, set[str]]
"""The rooms that each room imports."""


def imports() -> Imports:
    """The rooms, and what they import, from the code."""
    rooms: Imports = {"snn_ops": set()}
    rooms |= {path.stem: set() for path in (ROOT / "converter").iterdir() if _is_room(path)}
    for package in ("snn_ops", "converter"):
        for path in (ROOT / package).rglob("*.py"):
            room = _room(path.relative_to(ROOT).with_suffix("").parts, rooms)
            if room:
                tree = ast.parse(path.read_text())
                rooms[room] |= {other for name in _imported(tree) if (other := _room(name.split("."), rooms))} - {room}
    return rooms


def _is_room(path: Path) -> bool:
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")


def _room(parts: tuple[str, ...] | list[str], rooms: Imports) -> str | None:
    """The room of a module; None for the package `converter` itself and for what is not ours."""
    if parts[0] == "snn_ops":
        return "snn_ops"
    return parts[1] if parts[0] == "converter" and len(parts) > 1 and parts[1] in rooms else None


def _imported(node: ast.AST) -> Iterator[str]:
    """The names of modules, and of what is imported from them."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)


def floors(rooms: Imports) -> dict[str, int]:
    """How many rooms lie under each other, at most, up to each room."""

    @functools.cache
    def floor(room: str) -> int:
        return 1 + max((floor(other) for other in rooms[room]), default=0)

    return {room: floor(room) for room in rooms}


def reduced(rooms: Imports) -> Imports:
    """The imports without those that other imports imply: of a room that an imported room imports, directly or not."""

    @functools.cache
    def below(room: str) -> frozenset[str]:
        return frozenset(rooms[room]).union(*(below(other) for other in rooms[room]))

    return {
        room: {other for other in others if not any(other in below(between) for between in others)}
        for room, others in rooms.items()
    }


def steps(page: str) -> list[str]:
    """The texts of a model's way through the rooms: the numbered list of the page."""
    return re.findall(r"^\d+\. (`converter\..*(?:\n   .*)*)", page, re.MULTILINE)


def way(steps: list[str], rooms: Imports) -> dict[str, list[str]]:
    """The numbers of the steps in which a model is in a room: where its function stands, and the rooms that the step names."""
    numbers: dict[str, list[str]] = {}
    for number, text in enumerate(steps, 1):
        names = [name.removeprefix("converter.").split(".")[0] for name in re.findall(r"`([\w.]+)`", text)]
        for room in dict.fromkeys(name for name in names if name in rooms):
            numbers.setdefault(room, []).append(str(number))
    return numbers


def picture(rooms: Imports, numbers: dict[str, list[str]]) -> str:
    """The rooms as a diagram in Mermaid's language, from the top down; those of the way have the numbers of its steps."""
    height = floors(rooms)
    order = sorted(rooms, key=lambda room: (-height[room], room))
    lines = ["flowchart TB"]
    for room in order:
        text = f"<b>{room}</b><br/>{', '.join(numbers[room])}" if room in numbers else room
        lines.append(f'    {_node(room)}["{text}"]{":::way" if room in numbers else ""}')
    lines += [f"    {_node(room)} --> {_node(other)}" for room in order for other in sorted(reduced(rooms)[room])]
    return "\n".join([*lines, "    classDef way fill:#dbeafe,stroke:#2563eb,color:#1e3a8a"])


def _node(room: str) -> str:
    """Names in the diagram; `graph` alone is a word of Mermaid's language."""
    return f"room_{room}"


def table(rooms: Imports) -> str:
    """A row for each room: what it is, in the first line of its docstring, and all that it imports."""
    height = floors(rooms)
    lines = ["| room | what | imports |", "|---|---|---|"]
    for room in sorted(rooms, key=lambda room: (-height[room], room)):
        lines.append(f"| `{room}` | {_summary(room)} | {', '.join(sorted(rooms[room])) or '-'} |")
    return "\n".join(lines)


def _summary(room: str) -> str:
    folder = ROOT / "snn_ops" if room == "snn_ops" else ROOT / "converter" / room
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def files() -> dict[Path, str]:
    """The page, with its part that is written here."""
    page = PAGE.read_text()
    rooms = imports()
    count = sum(len(others) for others in rooms.values())
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    parts = (
        f"```mermaid\n{picture(rooms, way(steps(page), rooms))}\n```",
        f"{len(rooms)} rooms on {max(floors(rooms).values())} floors, {count} imports between them, none upwards, no circle.",
        table(rooms),
        END,
    )
    return {PAGE: head + "\n\n".join((BEGIN.rstrip(), *parts)) + tail}
