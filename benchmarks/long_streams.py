"""How true a stream stays: every operator whose state grows without bound, for 10^8 steps in chunks, against float64.

    python -m benchmarks.long_streams [--steps 100000000] [--version 1]

Prints, decade by decade, the relative error of the mean of the outputs since the start (of RunningMean and TimeMean: of the
output), over all neurons: |found - exact| / |exact|, as norms. `exact` is the same operator in float64 on the same inputs.
Version 1 of the domain is what files of release 0.1.0 hold. Minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from snn_ops.format import OPSET_VERSION
from snn_ops.ops import Time
from snn_ops.single import SingleOperator

NEURONS = 8
CHUNK = 100_000
Input = Callable[[np.ndarray, float], np.ndarray]
"""The input of a chunk, from random numbers in [0, 1) (multiples of 2^-12) and from how much of the run is over."""


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        op_type: the operator.
        what: of the input, in words.
        input: as `Input` says.
        parameters: by name.
        attributes: those that differ from the defaults.
    """

    op_type: str
    what: str
    input: Input
    parameters: dict[str, float] = field(default_factory=dict)
    attributes: dict[str, float | int] = field(default_factory=dict)


CASES = (
    Case("RunningMean", "around 0.5", lambda u, part: u),
    Case("TimeMean", "around 0.5", lambda u, part: u),
    Case("TimeMean", "always 0.3", lambda u, part: np.full_like(u, 0.3)),
    Case("TimeMean", "spikes of 0.25", lambda u, part: 0.25 * (u < 0.25)),
    Case("RunningDifference", "always 0.375", lambda u, part: np.full_like(u, 0.375)),
    Case("SigmaDelta", "always 0.3", lambda u, part: np.full_like(u, 0.3), {"threshold": 0.7}),
    Case("SigmaDelta", "turns from -0.5 to 0.25", lambda u, part: np.full_like(u, -0.5 if part < 0.3 else 0.25)),
    Case("IF", "around 0.5", lambda u, part: u),
    Case("IF", "-0.3, then 0.9", lambda u, part: np.full_like(u, -0.3 if part < 0.5 else 0.9)),
    Case("IF", "3, then 0.1", lambda u, part: np.full_like(u, 3.0 if part < 0.25 else 0.1)),
    Case(
        "IF", "signed: 0.9, then -0.5", lambda u, part: np.full_like(u, 0.9 if part < 0.5 else -0.5), {}, {"signed": 1}
    ),
)


class Run:
    """A case in one type, chunk by chunk."""

    def __init__(self, case: Case, element: type, version: int) -> None:
        self._run = SingleOperator(case.op_type, version=version, **case.attributes)
        operator = self._run.operator
        self._operator, self._element = operator, element
        values = {
            parameter.name: case.parameters.get(parameter.name, parameter.default) for parameter in operator.parameters
        }
        self._feed = {t.name: np.asarray(values.get(t.name, 0), t.kind.dtype(element)) for t in operator.inputs}
        self._total = np.zeros(NEURONS)
        self._steps = 0

    def advance(self, x: np.ndarray) -> np.ndarray:
        """The mean of the outputs since the start, after these steps."""
        operator, steps = self._operator, len(x)
        self._feed |= {operator.input.name: x.astype(self._element), "n_steps": np.asarray(steps)}
        output, *finals = self._run(*self._feed.values())
        self._feed |= {operator.carried[t.name]: v for t, v in zip(operator.outputs[1:], finals, strict=True)}
        self._steps += steps
        if operator.time is Time.LAST:
            return np.float64(output[0])
        if operator.name == "RunningMean":
            return np.float64(output[-1])
        self._total += output.sum(0, dtype=np.float64)
        return self._total / self._steps


def errors(case: Case, steps: int, version: int, element: type) -> Iterator[tuple[int, float]]:
    """The relative error at every power of ten of steps."""
    u = np.random.default_rng(0).integers(0, 4096, (CHUNK, NEURONS)) / 4096
    runs = Run(case, element, version), Run(case, np.float64, version)
    done, decade = 0, 1000
    while done < steps:
        count = min(CHUNK, decade - done, steps - done)
        x = np.float32(case.input(u[:count], done / steps))
        found, exact = (run.advance(x) for run in runs)
        done += count
        if done == decade:
            scale = np.linalg.norm(exact)
            yield done, float(np.linalg.norm(found - exact) / scale) if scale else float(np.linalg.norm(found))
            decade *= 10


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000_000, help="a power of ten; default 10^8")
    parser.add_argument("--version", type=int, default=OPSET_VERSION, help="of the domain; default: the newest")
    parser.add_argument("--only", default="", help="the operator")
    arguments = parser.parse_args()
    decades = [10**k for k in range(3, len(str(arguments.steps)))]
    print("| operator | input |", " | ".join(f"10^{len(str(d)) - 1}" for d in decades), "|")
    print("|---|---|", "---|" * len(decades), sep="")
    for case in CASES:
        if arguments.only in ("", case.op_type):
            row = [f"{error:.1e}" for _, error in errors(case, arguments.steps, arguments.version, np.float32)]
            print(f"| {case.op_type} | {case.what} |", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
