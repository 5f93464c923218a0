"""What only a GPU shows: places beyond 2^31, and a kernel in a CUDA graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_ops.cupy_ops import bind
from snn_ops.ops import OPERATORS
from tests.ops.cases import Shape, random_inputs
from tools.gpu.library import Array, Device, unwritten

BEYOND = 2**31 + 2**21
"""Currents, of which the last lie beyond the reach of 32 bits: 8 GiB of device memory with their spikes."""
LOOKED_AT = 1001
"""Neurons, the last of each step, whose spikes are compared."""
PIECE = 256 << 20
"""Bytes that are downloaded at once."""


def beyond_32_bits(device: Device, elements: int) -> dict[str, Any]:
    """IF in float16 for two steps over so many currents in all: places beyond 2^31 are found, and each is written once.

    Returns:
        The currents, and how many outputs are unlike NumPy's or unwritten, of all that are looked at: every output for
        poison, the last `LOOKED_AT` neurons of each step by number.
    """
    operator, n = OPERATORS["IF"], elements // 2
    assert operator.kernel is not None
    one, zero = np.ones((), np.float32), np.zeros((), np.float32)
    x = np.broadcast_to(np.float16(0), (2 * n,))
    bound = bind(device, operator, operator.kernel, [x, np.asarray(2), one, zero, zero], operator.defaults)
    currents = device.array_at(bound.call.current)
    device.draw(currents, 0, 3, seed=2)
    bound.call.final_state[:] = [None] * len(bound.call.final_state)
    device.variant = "IF"
    bound.launch()
    device.variant = None
    output: Array = bound.outputs[0]
    looked_at = min(n, LOOKED_AT)
    ends = [slice(2 * (step * n + n - looked_at), 2 * (step + 1) * n) for step in range(2)]
    given, found = (
        np.concatenate([array.words(end.start, end.stop).view(np.float16) for end in ends])
        for array in (currents, output)
    )
    expected = operator.run(given, np.asarray(2), one, zero, zero, **operator.defaults)[0]
    return {
        "currents": 2 * n,
        "unlike_numpy": int((found != expected).sum()),
        "unwritten": unwritten_in(output),
    }


def unwritten_in(array: Array) -> int:
    """`unwritten` of an array that may be larger than the host would like."""
    pieces = range(0, array.nbytes, PIECE)
    return sum(unwritten(array.words(begin, begin + PIECE).view(array.dtype)) for begin in pieces)


def in_a_graph(device: Device) -> dict[str, Any]:
    """LIF, captured and replayed twice over poison: each replay gives what a launch gives."""
    operator = OPERATORS["LIF"]
    assert operator.kernel is not None
    inputs = random_inputs("LIF", Shape(16, 4, (1000,)), np.float32, np.random.default_rng(1))
    bound = bind(device, operator, operator.kernel, inputs, operator.defaults)
    bound.launch()
    launched = [output.words() for output in bound.outputs]
    replay = device.captured(bound.launch)
    unlike = 0
    for _ in range(2):
        for output in bound.outputs:
            output.poison()
        replay()
        pairs = zip(bound.outputs, launched, strict=True)
        unlike += sum(int((output.words() != expected).sum()) for output, expected in pairs)
    return {"replays": 2, "unlike_launch": unlike}
