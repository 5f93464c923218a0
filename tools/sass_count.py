"""Instructions of the CUDA kernels, counted in what nvcc made of them: ``python -m tools.sass_count [--json OUT] [CUBIN]``.

Without a CUBIN, kernels/cuda/walk.cu is compiled. Needs nvcc, cuobjdump and c++filt, no GPU. For each compiled neuron, type
and number of neurons in a thread it gives, all per neuron,

step        instructions of a step in the loop over whole groups of steps
call        instructions of a whole call of one step, its operands and states a value for each neuron
registers, stack, spills     as they are, of a thread; spills are instructions

A path is counted, not time: the shortest one that reads and writes what the step does. So it holds no slow path of a division
and one turn of a loop that depends on the data. An instruction whose predicate is false counts, since it is issued, too.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from snn_ops.ops import OPERATORS, Operator

ROOT = Path(__file__).parents[1]
OPTIONS = ("-std=c++17", "-O3", "-fmad=false", "-cubin", f"-I{ROOT / 'kernels'}")
"""As cmake/CudaKernels.cmake compiles."""
SIZES = {"float32": 4, "float16": 2}
CALL = 1000
"""Instructions that a call is taken for: only slow paths have one."""

_KERNEL = re.compile(r"walk<(.+?), (float|__half), (\d+)>\(")
_INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@(!?U?P\w+)\s+)?([A-Z][A-Z0-9_.]*)\s*(.*?);")
_RESOURCES = re.compile(r"Function (\S+):\s+REG:(\d+) STACK:(\d+)")


@dataclass(frozen=True)
class Instruction:
    """One of a kernel; `after` are the addresses of those that may come next, `sure` that it does something each time."""

    name: str
    after: tuple[int, ...]
    sure: bool

    @property
    def moves(self) -> tuple[str, int] | None:
        """Of a read from or a write to global memory: which, and a thread's bytes."""
        kind, *parts = self.name.split(".")
        widths = {"128": 16, "64": 8, "U16": 2}
        return (kind, next((widths[p] for p in parts if p in widths), 4)) if kind in ("LDG", "STG") else None


Kernel = dict[int, Instruction]
"""By address, in order."""
Moves = tuple[tuple[str, int], ...]
"""What a path reads and writes, sorted."""


def amount(moves: Iterable[tuple[str, int] | None], kind: str) -> int:
    """Bytes of one kind, LDG (read) or STG (written)."""
    return sum(move[1] for move in moves if move and move[0] == kind)


@dataclass(frozen=True)
class Count:
    """A compiled neuron; see the module's text."""

    neuron: str
    type: str
    neurons_of_thread: int
    step: float | None
    call: float | None
    registers: int
    stack: int
    spills: int


def parse(text: str) -> Kernel:
    """A function in cuobjdump's words."""
    found = _INSTRUCTION.findall(text)
    addresses = [int(address, 16) for address, *_ in found]
    kernel = {}
    for (_, predicate, name, operands), address, following in zip(
        found, addresses, [*addresses[1:], None], strict=True
    ):
        kind, after = name.split(".")[0], list[int]()
        target = re.search(r"0x([0-9a-f]+)\s*$", operands)
        if kind == "BRA" and target:
            after.append(int(target[1], 16))
        conditional = bool(predicate) or re.match(r"!?U?P\d", operands) is not None
        if following is not None and (conditional or kind not in ("BRA", "EXIT", "RET", "KILL")):
            after.append(following)
        kernel[address] = Instruction(name, tuple(after), not predicate)
    return kernel


def loops(kernel: Kernel) -> Iterator[tuple[int, int, set[int]]]:
    """Those with one entry: the first instruction, the jump back, all instructions."""
    first, before = next(iter(kernel)), dict[int, list[int]]()
    reached, waiting = set[int](), [first]
    while waiting:
        place = waiting.pop()
        if place not in reached:
            reached.add(place)
            waiting += kernel[place].after
            for target in kernel[place].after:
                before.setdefault(target, []).append(place)
    for place in sorted(reached):
        for target in (t for t in kernel[place].after if t <= place):
            body, waiting = {target}, [place]
            while waiting:
                inside = waiting.pop()
                if inside not in body:
                    body.add(inside)
                    waiting += before.get(inside, [])
            if first not in body:
                yield target, place, body


def shortest(kernel: Kernel, begin: int, ends: set[int], inside: set[int]) -> dict[Moves, int]:
    """Instructions of the shortest path, by what it reads and writes. No path goes back: loops take one turn."""
    best: dict[int, dict[Moves, int]] = {begin: {(): 0}}
    found: dict[Moves, int] = {}
    for place in sorted(inside):
        instruction = kernel[place]
        cost = CALL if instruction.name.startswith("CALL") else 1
        onwards = [best.setdefault(t, {}) for t in instruction.after if t > place and t in inside]
        for before, length in best.pop(place, {}).items():
            choices = [before] if instruction.moves is None or not instruction.sure else []
            if instruction.moves:
                choices.append(tuple(sorted([*before, instruction.moves])))
            for moved in choices:
                for paths in [*onwards, *([found] if place in ends else [])]:
                    paths[moved] = min(length + cost, paths.get(moved, length + cost))
    return found


def step_of(kernel: Kernel, size: int) -> float | None:
    """Instructions for a neuron's step; `size` of a current in bytes."""
    storing: tuple[int, int, int] = (0, 0, 0)  # bytes written and read, instructions
    silent: tuple[int, int] = (0, 0)  # bytes read, instructions
    for first, back, body in loops(kernel):
        paths = shortest(kernel, first, {back}, body)
        sizes = ((amount(moves, "LDG"), amount(moves, "STG"), length) for moves, length in paths.items())
        read, written, length = max(sizes, key=lambda path: (path[1], path[0], -path[2]))
        if written:
            storing = max(storing, (written, read, length), key=lambda loop: (loop[:2], -loop[2]))
        else:
            silent = max(silent, (read, length), key=lambda loop: (loop[0], -loop[1]))
    summing = silent[1] * size / silent[0] if silent[0] else 0
    if not storing[0]:  # one output after the last step
        return summing or None
    step = storing[2] * size / storing[0]
    return step if storing[1] else step + summing  # the mean of all currents first, then steps that read none


def whole_call(kernel: Kernel, operator: Operator, size: int, neurons: int) -> float | None:
    """Instructions for a neuron in a call of one step, where a path moves what the operator needs and no more."""
    current, output = ("LDG", size * neurons), ("STG", size * neurons)
    begin = next(iter(kernel))
    inside, step = set(kernel), begin
    for first, _, body in loops(kernel):
        moves = sorted(move for place in body if (move := kernel[place].moves))
        if amount(moves, "LDG") + amount(moves, "STG") > 2 * size * neurons:  # whole groups of steps
            inside -= body
        elif moves in ([current, output], [current]):
            step = first
    ends = {place for place in kernel if kernel[place].name.startswith("EXIT")}
    before = shortest(kernel, begin, {p for p in inside if p < step in kernel[p].after}, inside) or {(): 0}
    after = shortest(kernel, step, ends, inside)
    for states in range(len(operator.values), -1, -1):  # some neurons leave out a state which nobody asked for
        values = [("LDG", 4 * neurons)] * (len(operator.parameters) + states)
        read = tuple(sorted([*values, *[("LDG", 8)] * (operator.counts_steps + operator.draws)]))
        rest = tuple(sorted([current, output, *[("STG", 4 * neurons)] * states]))
        if step == begin:  # a kernel without a loop of single steps
            read, rest = (), tuple(sorted([*read, *rest]))
        if read in before and rest in after:
            return (before[read] + after[rest]) / neurons
    return None


def functions(cubin: Path) -> Iterator[tuple[str, str, Kernel]]:
    """Its name in the library, its name in C++ and its instructions, of each kernel."""
    for text in _output_of("cuobjdump", "-sass", cubin).split("Function : ")[1:]:
        name = text.split(maxsplit=1)[0]
        yield name, _output_of("c++filt", name), parse(text)


def count(cubin: Path) -> list[Count]:
    """All neurons in a cubin but those of an earlier version of an operator."""
    neurons = {
        struct.replace(" ", ""): (name, operator)
        for operator in OPERATORS.values()
        if operator.kernel is not None
        for name, struct in operator.kernel.variants.items()
    }
    resources = {
        name: (int(r), int(s)) for name, r, s in _RESOURCES.findall(_output_of("cuobjdump", "-res-usage", cubin))
    }
    counts = []
    for name, in_cpp, kernel in functions(cubin):
        matched = _KERNEL.search(in_cpp)
        if not matched:
            continue
        struct = matched[1].replace("onnx_snn::", "").replace(" ", "")
        if struct not in neurons:
            continue
        variant, operator = neurons[struct]
        element, of_thread = "float32" if matched[2] == "float" else "float16", int(matched[3])
        size = SIZES[element]
        spills = sum(instruction.name.startswith(("LDL", "STL")) for instruction in kernel.values())
        call = whole_call(kernel, operator, size, of_thread)
        counts.append(Count(variant, element, of_thread, step_of(kernel, size), call, *resources[name], spills))
    order = [name for name, _ in neurons.values()]
    return sorted(counts, key=lambda c: (order.index(c.neuron), c.type != "float32", -c.neurons_of_thread))


def repeat_step(cubin: Path) -> dict[str, float]:
    """Instructions of TimeRepeat for a step of a number, by type: where 16 bytes are written at once."""
    kernel = next(kernel for _, in_cpp, kernel in functions(cubin) if "repeat<onnx_snn::Group" in in_cpp)
    return {element: step for element, size in SIZES.items() if (step := step_of(kernel, size)) is not None}


def compiled(architecture: str, folder: Path, nvcc: str = "nvcc") -> Path:
    """The kernels as a cubin for this architecture."""
    cubin = folder / f"walk.{architecture}.cubin"
    source = ROOT / "kernels" / "cuda" / "walk.cu"
    subprocess.run([nvcc, *OPTIONS, f"-arch={architecture}", str(source), "-o", str(cubin)], check=True)
    return cubin


def table(counts: Sequence[Count]) -> str:
    """In Markdown."""
    lines = ["| neuron | type | a thread's | step | call | registers | stack | spills |", "|" + "---|" * 8]
    for c in counts:
        numbers = ["-" if value is None else f"{value:.1f}" for value in (c.step, c.call)]
        cells = [c.neuron, c.type, str(c.neurons_of_thread), *numbers, *map(str, (c.registers, c.stack, c.spills))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _output_of(*command: str | Path) -> str:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cubin", type=Path, nargs="?")
    parser.add_argument("--architecture", default="sm_90")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = count(arguments.cubin or compiled(arguments.architecture, Path(folder)))
    print(table(counts))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(c) for c in counts], indent=1) + "\n")
    if any(c.stack or c.spills for c in counts):
        sys.exit("a kernel has a stack frame or spills")


if __name__ == "__main__":
    main()
