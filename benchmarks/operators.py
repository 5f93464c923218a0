"""Operator throughput on the CPU as a share of memcpy: ``python -m benchmarks.operators [--json OUT]``.

T = 32 steps of a million float32 neurons, as in a converted model: spikes go out, final states do not. Inputs and outputs are
bound to fixed memory that begins at a cache line, as ONNX Runtime's own tensors do. Every row alternates the operator with a
copy of the same bytes (the currents, read once, to the spikes, written once) and gives the ratio of the medians, so that a
machine that is slow at the moment is slow for both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort

import snn_ops
from benchmarks.machine import describe
from snn_ops.single import SingleOperator

STEPS = 32
NEURONS = 1_000_000
REPEATS = 15
CACHE_LINE = 64

ZERO, STEP = np.zeros((), np.float32), np.zeros((), np.int64)
ONE = np.ones((), np.float32)
PER_CHANNEL = np.linspace(0.8, 1.2, NEURONS, dtype=np.float32)
CASES: dict[str, tuple[str, dict[str, float | int], list[np.ndarray]]] = {
    "IF": ("IF", {}, [ONE, ONE / 2, ZERO]),
    "IF, a threshold per neuron": ("IF", {}, [PER_CHANNEL, PER_CHANNEL / 2, ZERO]),
    "IF, up to 4 spikes": ("IF", {"max_spikes": 4}, [ONE, ONE / 2, ZERO]),
    "IF, signed": ("IF", {"signed": 1}, [ONE, ONE / 2, ZERO]),
    "LIF": ("LIF", {}, [ONE, ZERO, ZERO]),
    "SigmaDelta": ("SigmaDelta", {}, [ONE, ZERO, STEP]),
    "RunningMean": ("RunningMean", {}, [ZERO, STEP]),
    "RunningDifference": ("RunningDifference", {}, [ZERO, STEP]),
}


def measure(name: str, threads: int, currents: np.ndarray, output: np.ndarray) -> dict[str, object]:
    op_type, attributes, operands = CASES[name]
    operator = SingleOperator(op_type, threads=threads, with_states=False, **attributes)
    inputs = operator.operator.completed([currents, np.asarray(STEPS), *map(np.asarray, operands)])
    session = operator.session(*inputs)
    binding = session.io_binding()
    for tensor, array in zip(operator.operator.inputs, inputs, strict=True):
        binding.bind_ortvalue_input(tensor.name, ort.OrtValue.ortvalue_from_numpy(array))
    first = operator.operator.outputs[0].name
    binding.bind_output(first, "cpu", 0, np.float32, output.shape, output.ctypes.data)

    def run() -> None:
        session.run_with_iobinding(binding)

    def copy() -> None:
        np.copyto(output, currents)

    operator_times, copy_times = interleaved(run, copy)
    operator_time, copy_time = statistics.median(operator_times), statistics.median(copy_times)
    run()
    return {
        "operator": name,
        "threads": threads,
        "milliseconds": 1e3 * operator_time,
        "share_of_memcpy": copy_time / operator_time,
        "spike_rate": float((output != 0).mean()),
    }


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins at a cache line."""
    room = np.empty(array.nbytes + CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % CACHE_LINE
    copy = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[:] = array
    return copy


def two_copies(source: np.ndarray, target: np.ndarray) -> float:
    """Seconds that two threads take to copy one half each: what the memory lets two threads do at most."""
    halves = [(target[: STEPS // 2], source[: STEPS // 2]), (target[STEPS // 2 :], source[STEPS // 2 :])]
    with ThreadPoolExecutor(2) as pool:
        (times,) = interleaved(lambda: list(pool.map(lambda half: np.copyto(*half), halves)))
    return statistics.median(times)


def interleaved(*actions: Callable[[], object]) -> list[list[float]]:
    """Times of each action in turn, the first two rounds left out."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(REPEATS + 2):
        for action, record in zip(actions, times, strict=True):
            start = time.perf_counter()
            action()
            record.append(time.perf_counter() - start)
    return [record[2:] for record in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    currents = rng.uniform(0, 3, (STEPS, NEURONS)).astype(np.float32)
    currents, output = aligned(currents), aligned(np.zeros_like(currents))
    print(f"{describe()}; kernels: {snn_ops.cpu_isa()}; T = {STEPS}, {NEURONS:,} neurons, float32")
    print(f"{'operator':30} threads       ms   of memcpy   spike rate")
    rows = []
    for name in CASES:
        for threads in (1, 2):
            row = measure(name, threads, currents.reshape(-1), output.reshape(-1))
            rows.append(row)
            print(
                f"{name:30} {threads:7} {row['milliseconds']:8.1f} {row['share_of_memcpy']:10.0%} {row['spike_rate']:11.1%}"
            )
    print(f"{'a copy with two threads':30} {2:7} {1e3 * two_copies(currents, output):8.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": describe(), "isa": snn_ops.cpu_isa(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
