"""Whether a stream keeps its speed when it idles, saturates or meets denormal numbers: every operator with a state on the CPU.

    python -m benchmarks.idle_streams [--only LIF] [--smallest 0]

Time of a call of 32 steps, relative to one with usual input, least of 15 calls each in turn, one thread, float32:

at rest      the input is 0, after usual input and so many steps of 0 that states which decay would have become denormal
saturated    the input is 100 times the usual, after 10,000 steps of it
denormal     the input is 1e-40, the state at rest
in a stream  the same through `snn_ops.Stream`, which takes such numbers as 0, relative to usual input through it; the
             input is held for the 32 steps, and a call also copies it in and all outputs out

Numbers below 1.2e-38 are denormal in float32; many processors take a hundred times longer for products of them.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext

import numpy as np
import onnxruntime as ort

import snn_ops
from benchmarks.machine import describe
from converter.spiking.expose_states import SMALLEST_STATE
from snn_ops.format import N_STEPS
from snn_ops.ops import OPERATORS, SMALLEST, Operator
from snn_ops.single import SingleOperator
from snn_ops.stream import State, Stream

NEURONS = 20_000
STEPS = 32
REPEATS = 15
UNTIL_REST = 2_400
UNTIL_SATURATED = 10_000
WAYS = ("usual", "at rest", "saturated", "denormal")
DENORMAL = 1e-40


class Streamed:
    """A stream of an operator by itself, which takes the currents of one step and holds them."""

    def __init__(self, operator: Operator, x: np.ndarray, smallest: float) -> None:
        feed = at_rest(operator, (1, NEURONS)) | {operator.input.name: x}
        call = SingleOperator(operator.name, threads=1, constant_current=1, **smallest_of(operator, smallest))
        carried = {state: output for output, state in operator.carried.items()}
        self._stream = Stream(
            call.session(*feed.values()),
            [State(name, output, feed[name].dtype, feed[name].shape) for name, output in carried.items()],
            [operator.input.name],
            [operator.output.name],
            numbers={n: array for n, array in feed.items() if n not in (operator.input.name, N_STEPS, *carried)},
            device="cpu",
            n_steps=STEPS,
            rows=STEPS,
            has_frames=False,
            guard=nullcontext,
        )
        self._stream.restore({name: feed[name] for name in carried})
        self._x = x
        self.times: list[float] = []
        self.once()
        self.times.clear()

    def once(self) -> None:
        start = time.perf_counter()
        self._stream.run(self._x)
        self.times.append(time.perf_counter() - start)


class Run:
    """An operator with the input of one of `WAYS`, from the state that it has by then."""

    def __init__(self, operator: Operator, way: str, smallest: float) -> None:
        rng = np.random.default_rng(0)
        usual = rng.uniform(*operator.usual, (STEPS, NEURONS)).astype(np.float32)
        denormal = np.full_like(usual, DENORMAL)
        x = {"usual": usual, "at rest": 0 * usual, "saturated": 100 * usual, "denormal": denormal}[way]
        call = SingleOperator(operator.name, threads=1, **smallest_of(operator, smallest))
        feed = at_rest(operator)
        before = {"at rest": [usual] + [x] * (UNTIL_REST // STEPS), "saturated": [x] * (UNTIL_SATURATED // STEPS)}
        for chunk in before.get(way, [x]):
            feed |= {operator.input.name: chunk, N_STEPS: np.asarray(STEPS)}
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


def at_rest(operator: Operator, state: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    """Its inputs before the first step: parameters at their defaults, states of a shape."""
    defaults = {p.name: p.default for p in operator.parameters}
    rests = {s.name: s.at_rest(operator.defaults) for s in operator.values}
    feed = {}
    for tensor in operator.inputs:
        number = np.asarray({**defaults, **rests}.get(tensor.name, 0), tensor.kind.dtype(np.float32))
        feed[tensor.name] = np.full(state, number) if tensor.name in rests else number
    return feed


def smallest_of(operator: Operator, smallest: float) -> dict[str, float]:
    """The attribute, where it has it."""
    return {SMALLEST.name: smallest} if SMALLEST.name in operator.defaults else {}


def main() -> None:
    """Prints a row for each operator."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="the operator")
    parser.add_argument("--smallest", type=float, default=SMALLEST_STATE, help="the attribute; 0: as release 0.1.0")
    arguments = parser.parse_args()
    print(f"{describe()}; kernels: {snn_ops.cpu_isa()}; T = {STEPS}, {NEURONS:,} neurons, float32, one thread")
    columns = (*WAYS[1:], "in a stream: usual, ms", "denormal")
    print("| operator | usual, ms |", " | ".join(columns), "|")
    print("|---|---|", "---|" * len(columns), sep="")
    for operator in OPERATORS.values():
        if not operator.states or arguments.only not in ("", operator.name):
            continue
        runs: list[Run | Streamed] = [Run(operator, way, arguments.smallest) for way in WAYS]
        if "constant_current" in operator.defaults:  # not TimeMean, which no caller feeds
            usual = np.random.default_rng(0).uniform(*operator.usual, (1, NEURONS)).astype(np.float32)
            runs += [Streamed(operator, x, arguments.smallest) for x in (usual, np.full_like(usual, DENORMAL))]
        for _ in range(REPEATS):
            for run in runs:
                run.once()
        first, *others = (min(run.times) for run in runs)
        ways, streams = others[: len(WAYS) - 1], others[len(WAYS) - 1 :]
        told = [f"{1e3 * first:.2f}", *(f"{t / first:.2f}" for t in ways)]
        told += [f"{1e3 * streams[0]:.2f}", f"{streams[1] / streams[0]:.2f}"] if streams else ["-", "-"]
        print(f"| {operator.name} |", " | ".join(told), "|", flush=True)


if __name__ == "__main__":
    main()
