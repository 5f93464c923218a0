"""What the CUDA kernels should reach on a GPU, written down before it is measured, and measurements compared with it.

``python -m tools.expected_figures``  counts instructions (tools/sass_count.py) and writes tools/gpu/expected.json.

A kernel of ours either waits for memory or for instructions to be issued. The budget is the number of instructions that a GPU
issues while its memory moves the bytes of a neuron's step, and budget / instructions the ceiling: the share of a copy's speed
that arithmetic allows. Issue is never busy all the time, so the target is 90 % of the copy and at most 75 % of the ceiling.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snn_ops.ops import OPERATORS, Operator, Time
from tools.sass_count import SIZES, Count, compiled, count, repeat_step

FILE = Path(__file__).parent / "gpu" / "expected.json"
STEPS = 32
SHARE_OF_COPY, SHARE_OF_CEILING = 0.9, 0.75
"""The target is the lower of the two."""
UNSTEADY = 0.3
"""A spread of the times, (largest - smallest) / median, beyond which a row says little."""


@dataclass(frozen=True)
class Card:
    """A GPU: what it issues and what a copy on the device moves, bytes read plus bytes written."""

    multiprocessors: int
    lanes: int
    hertz: float
    bytes_per_second: float

    @property
    def slots_per_byte(self) -> float:
        """Instructions of a thread, issued while a byte is moved."""
        return self.multiprocessors * self.lanes * self.hertz / self.bytes_per_second


CARDS = {"H100": Card(132, 128, 1.755e9, 3.0e12), "H200": Card(132, 128, 1.755e9, 4.3e12)}


@dataclass(frozen=True)
class Figure:
    """What is expected of a call.

    Attributes:
        neuron: the compiled one, by its name in kernels/generated/variants.h, or TimeRepeat.
        type: of the currents.
        card: of `CARDS`.
        budget: instructions for a neuron's step that memory leaves time for.
        slots: those that it takes.
        ceiling: budget / slots.
        target: the share of a copy to reach.
    """

    neuron: str
    type: str
    card: str
    budget: float
    slots: float
    ceiling: float
    target: float


@dataclass(frozen=True)
class Verdict:
    """A measured row beside its figure. `why` says what to look at where the target is missed."""

    operator: str
    figure: Figure
    n_steps: int
    operands: str
    share: float
    reached: bool
    why: str


def figure(slots: float, n_bytes: float, neuron: str, element: str, card: str) -> Figure:
    """Of so many instructions and bytes for a neuron's step."""
    budget = n_bytes * CARDS[card].slots_per_byte
    ceiling = budget / slots
    target = min(SHARE_OF_COPY, SHARE_OF_CEILING * ceiling)
    return Figure(neuron, element, card, *(round(number, 2) for number in (budget, slots, ceiling, target)))


def slots_of(kernel: Mapping[str, Any], n_steps: int) -> float:
    """Instructions for a step of a call of so many: what the call takes once is shared by its steps."""
    step, call = kernel["step"], kernel["call"]
    return float(call if n_steps == 1 else step + max(0.0, call - step) / n_steps)


def bytes_of(neuron: str, element: str) -> float:
    """Read and written for a neuron's step, of T = 32 steps with operands that serve all neurons."""
    operator = operator_of(neuron)
    moved = {Time.LAST: 1 + 1 / STEPS, Time.REPEAT: 1 + 1 / STEPS}
    return SIZES[element] * (moved.get(operator.time, 2) if steps_taken(operator, STEPS) == STEPS else 2)


def steps_taken(operator: Operator, n_steps: int) -> int:
    """Steps whose currents a call of so many reads."""
    return 1 if operator.time in (Time.AT_ONCE, Time.NONE) or operator.name == "TimeLast" else n_steps


def operator_of(neuron: str) -> Any:
    """The operator that a compiled neuron belongs to."""
    if neuron in OPERATORS and OPERATORS[neuron].kernel is None:
        return OPERATORS[neuron]
    return next(o for o in OPERATORS.values() if o.kernel is not None and neuron in o.kernel.variants)


def expected(counts: Sequence[Count], repeat: Mapping[str, float]) -> dict[str, Any]:
    """The file's content, of counts and of the instructions of TimeRepeat's step by type."""
    kernels = {}
    for c in counts:
        if (c.neuron, c.type) not in kernels:  # the first is that of most neurons in a thread
            kernels[c.neuron, c.type] = {"neuron": c.neuron, "type": c.type, "step": c.step, "call": c.call}
    for element, step in repeat.items():
        kernels["TimeRepeat", element] = {"neuron": "TimeRepeat", "type": element, "step": step, "call": step}
    figures = []
    for (neuron, element), kernel in kernels.items():
        n_steps = steps_taken(operator_of(neuron), STEPS)
        for card in CARDS:
            figures.append(figure(slots_of(kernel, n_steps), bytes_of(neuron, element), neuron, element, card))
    return {
        "cards": {
            name: {**asdict(card), "slots_per_byte": round(card.slots_per_byte, 3)} for name, card in CARDS.items()
        },
        "rule": f"target = min({SHARE_OF_COPY}, {SHARE_OF_CEILING} * ceiling), a share of a copy on the device; T = {STEPS}",
        "kernels": list(kernels.values()),
        "figures": [asdict(f) for f in figures],
    }


def card_of(gpu: str) -> str | None:
    """Of `CARDS`, for a GPU's name; None for another GPU, of which nothing is expected."""
    return next((card for card in CARDS if card in gpu), None)


def compare(rows: Iterable[Mapping[str, Any]], gpu: str, file: Path = FILE) -> list[Verdict]:
    """A verdict for each row of tools/gpu/bandwidth.py that has a share; none for a GPU that is not in the file.

    Args:
        rows: operator, type, n_steps, operands, neurons, milliseconds, GB/s, share_of_copy, spread, attributes and, where it
            is not the operator's own, variant.
        gpu: its name, as nvidia-smi has it.
        file: what is expected.
    """
    card = card_of(gpu)
    if card is None:
        return []
    kernels = {(k["neuron"], k["type"]): k for k in json.loads(file.read_text())["kernels"]}
    return [_verdict(row, kernels, card) for row in rows if "share_of_copy" in row]


def _verdict(row: Mapping[str, Any], kernels: Mapping[tuple[str, str], Any], card: str) -> Verdict:
    neuron, steps = _neuron(row), int(row["n_steps"])
    operator = OPERATORS[row["operator"]]
    taken = steps_taken(operator, steps)
    moved = row["GB/s"] * row["milliseconds"] * 1e6 / row["neurons"] / taken
    wanted = figure(slots_of(kernels[neuron, row["type"]], taken), moved, neuron, row["type"], card)
    share = float(row["share_of_copy"])
    reached = share >= wanted.target
    why = "" if reached else _why(share, wanted, float(row.get("spread", 0)))
    return Verdict(row["operator"], wanted, steps, row["operands"], share, reached, why)


def _neuron(row: Mapping[str, Any]) -> str:
    """The compiled neuron that was measured."""
    operator = OPERATORS[row["operator"]]
    if operator.kernel is None:
        return operator.name
    attributes = {name: row.get(name, default) for name, default in operator.defaults.items()}
    return str(
        row.get("variant") or operator.kernel.variant(operator.checked_attributes(attributes), np.dtype(np.float32))
    )


def _why(share: float, wanted: Figure, spread: float) -> str:
    if spread > UNSTEADY:
        return f"unsteady: times differ by {spread:.0%}, measure again"
    if share < 0.6 and share < 0.5 * wanted.ceiling:
        return "far below the ceiling: too few bytes under way (kAhead, registers, small blocks)"
    if wanted.ceiling * SHARE_OF_CEILING < SHARE_OF_COPY:
        return f"arithmetic: {wanted.slots:.0f} instructions a step where memory leaves time for {wanted.budget:.0f}"
    return f"{share / wanted.ceiling:.0%} of a ceiling of {wanted.ceiling:.1f}: profile it"


def table(verdicts: Sequence[Verdict]) -> str:
    """In Markdown: reached, missed, why."""
    lines = ["| operator | neuron | type | T | operands | share | target | ceiling | |", "|" + "---|" * 9]
    for v in verdicts:
        f = v.figure
        outcome = "reached" if v.reached else f"**missed**: {v.why}"
        cells = [v.operator, f.neuron, f.type, str(v.n_steps), v.operands]
        numbers = [f"{v.share:.2f}", f"{f.target:.2f}", f"{f.ceiling:.2f}"]
        lines.append("| " + " | ".join([*cells, *numbers, outcome]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="sm_90")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cubin = compiled(arguments.architecture, Path(folder))
        found = expected(count(cubin), repeat_step(cubin))
    FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
