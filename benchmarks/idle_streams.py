"""Whether a stream keeps its speed when it idles, saturates or meets denormal numbers: every operator with a state on the CPU.

    python -m benchmarks.idle_streams [--only LIF] [--smallest 0]

Time of a call of 32 steps, relative to one with usual input, least of 15 calls each in turn, one thread, float32:

at rest     the input is 0, after usual input and so many steps of 0 that states which decay would have become denormal
saturated   the input is 100 times the usual, after 10,000 steps of it
denormal    the input is 1e-40, the state at rest

Numbers below 1.2e-38 are denormal in float32; many processors take a hundred times longer for products of them.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import onnxruntime as ort

import snn_ops
from benchmarks.machine import describe
from converter.spiking.expose_states import SMALLEST_STATE
from snn_ops.ops import OPERATORS, SMALLEST, Operator
from snn_ops.single import SingleOperator

NEURONS = 20_000
STEPS = 32
REPEATS = 15
UNTIL_REST = 2_400
UNTIL_SATURATED = 10_000
WAYS = ("usual", "at rest", "saturated", "denormal")


class Run:
    """An operator with the input of one of `WAYS`, from the state that it has by then."""

    def __init__(self, operator: Operator, way: str, smallest: float) -> None:
        attributes = {SMALLEST.name: smallest} if SMALLEST.name in operator.defaults else {}
        rng = np.random.default_rng(0)
        usual = rng.uniform(*operator.usual, (STEPS, NEURONS)).astype(np.float32)
        x = {"usual": usual, "at rest": 0 * usual, "saturated": 100 * usual, "denormal": np.full_like(usual, 1e-40)}[
            way
        ]
        call = SingleOperator(operator.name, threads=1, **attributes)
        defaults = {p.name: p.default for p in operator.parameters}
        rests = {s.name: s.at_rest(operator.defaults) for s in operator.values}
        feed = {
            t.name: np.asarray({**defaults, **rests}.get(t.name, 0), t.kind.dtype(np.float32)) for t in operator.inputs
        }
        before = {"at rest": [usual] + [x] * (UNTIL_REST // STEPS), "saturated": [x] * (UNTIL_SATURATED // STEPS)}
        for chunk in before.get(way, [x]):
            feed |= {operator.input.name: chunk, "n_steps": np.asarray(STEPS)}
            _, *finals = call(*feed.values())
            names = [operator.carried[t.name] for t in operator.outputs[1:]]
            feed |= dict(zip(names, finals, strict=True))
        feed[operator.input.name] = x
        self._session = call.session(*feed.values())
        self._binding = self._session.io_binding()
        for name, array in feed.items():
            self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        for t in operator.outputs:
            self._binding.bind_output(t.name)
        self.times: list[float] = []

    def once(self) -> None:
        start = time.perf_counter()
        self._session.run_with_iobinding(self._binding)
        self.times.append(time.perf_counter() - start)


def main() -> None:
    """Prints a row for each operator."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="the operator")
    parser.add_argument("--smallest", type=float, default=SMALLEST_STATE, help="the attribute; 0: as release 0.1.0")
    arguments = parser.parse_args()
    print(f"{describe()}; kernels: {snn_ops.cpu_isa()}; T = {STEPS}, {NEURONS:,} neurons, float32, one thread")
    print("| operator | usual, ms |", " | ".join(WAYS[1:]), "|")
    print("|---|---|", "---|" * len(WAYS[1:]), sep="")
    for operator in OPERATORS.values():
        if not operator.states or arguments.only not in ("", operator.name):
            continue
        runs = [Run(operator, way, arguments.smallest) for way in WAYS]
        for _ in range(REPEATS):
            for run in runs:
                run.once()
        usual, *others = (min(run.times) for run in runs)
        print(
            f"| {operator.name} | {1e3 * usual:.2f} |", " | ".join(f"{t / usual:.2f}" for t in others), "|", flush=True
        )


if __name__ == "__main__":
    main()
