"""A run in chunks of time, in batches of samples, on several threads gives the same bits as one run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from snn_ops.ops import OPERATORS, Time, arithmetic
from snn_ops.ops._random import philox
from tests.ops.cases import CALLS, CASES, Shape, name_of, random_inputs
from tests.ops.provider import SingleOperator

STEPS = 20
STATEFUL = [call for call in CALLS if OPERATORS[call[0]].carried]


@pytest.mark.parametrize("element", [np.float32, np.float16, np.float64], ids=["float32", "float16", "float64"])
@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(("op_type", "attributes"), STATEFUL, ids=map(name_of, STATEFUL))
def test_chunks_of_time(op_type, attributes, backend, element) -> None:
    operator = OPERATORS[op_type]
    inputs = random_inputs(op_type, Shape(STEPS, 3, (7, 5)), element, np.random.default_rng(0))
    run = SingleOperator(op_type, backend=backend, **attributes)
    names = [tensor.name for tensor in operator.inputs]
    whole = run(*inputs)
    feed = dict(zip(names, inputs, strict=True))
    pieces = []
    start = 0
    for steps in (1, 7, 1, 11):
        chunk = inputs[0][start * 3 : (start + steps) * 3]
        outputs = run(*{**feed, names[0]: chunk, "n_steps": np.asarray(steps)}.values())
        pieces.append(outputs[0])
        for tensor, value in zip(operator.outputs[1:], outputs[1:], strict=True):
            feed[operator.carried[tensor.name]] = value
        start += steps
    assert start == STEPS
    joined = pieces[-1] if operator.time is Time.LAST else np.concatenate(pieces)
    np.testing.assert_array_equal(joined, whole[0])
    for value, expected in zip(outputs[1:], whole[1:], strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize("op_type", [name for name, operator in OPERATORS.items() if operator.draws])
def test_batches_of_samples(op_type, backend) -> None:
    """`first_sample` goes on from batch to batch."""
    rate = np.random.default_rng(0).uniform(0, 2000, (STEPS, 6, 11)).astype(np.float32)
    run = SingleOperator(op_type, backend=backend, seed=9)
    one, zero = np.ones((), np.float32), np.asarray(0)

    def spikes(first: int, last: int) -> np.ndarray:
        part = rate[:, first:last]
        out, _ = run(part.reshape(-1, 11), np.asarray(STEPS), one, zero, np.asarray(first))
        return out.reshape(STEPS, -1, 11)

    np.testing.assert_array_equal(np.concatenate([spikes(0, 1), spikes(1, 4), spikes(4, 6)], axis=1), spikes(0, 6))


@pytest.mark.parametrize(
    ("op_type", "attributes"), [(name, ({}, *case.attributes)[-1]) for name, case in CASES.items()]
)
def test_threads(op_type, attributes) -> None:
    """One and two ONNX Runtime threads, and eight callers of one session at once. 70,000 neurons: several blocks."""
    shape = Shape(6, 2, (5, 7000))
    inputs = random_inputs(op_type, shape, np.float32, np.random.default_rng(0))
    one, two = (SingleOperator(op_type, threads=threads, **attributes) for threads in (1, 2))
    expected = one(*inputs)
    for a, b in zip(two(*inputs), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    two.session(*inputs)
    with ThreadPoolExecutor(8) as pool:
        for outputs in pool.map(lambda _: two(*inputs), range(16)):
            for a, b in zip(outputs, expected, strict=True):
                np.testing.assert_array_equal(a, b)


def test_random_numbers_are_philox() -> None:
    """Known answers of Philox 4x32-10, from the Random123 library that its authors publish."""
    known = [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ]
    for counter, key, answer in known:
        assert tuple(int(word) for word in philox(counter, key)) == answer


def test_states_of_float16_runs_are_float32() -> None:
    inputs = random_inputs("LIF", Shape(3, 2, (4,)), np.float16, np.random.default_rng(0))
    _, voltage, refractory_time = SingleOperator("LIF")(*inputs)
    assert voltage.dtype == refractory_time.dtype == arithmetic(np.float16) == np.float32
