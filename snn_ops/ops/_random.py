"""Philox 4x32-10, a counter-based generator: in NumPy for the references, in ONNX text for the function bodies.

A random word depends on the seed, the neuron and the step, on nothing else: not on threads, chunks, batches or the device.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import numpy as np

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_WORD = 2**32


def philox(counter: tuple[np.ndarray, ...], key: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Four random 32-bit words for a counter of four words (arrays of uint64 below 2^32) and a key of two."""
    c0, c1, c2, c3 = (np.asarray(word, np.uint64) for word in counter)
    low, shift = np.uint64(_WORD - 1), np.uint64(32)
    k0, k1 = key
    for _ in range(_ROUNDS):
        a, b = np.uint64(_MULTIPLIERS[0]) * c0, np.uint64(_MULTIPLIERS[1]) * c2
        c0, c1, c2, c3 = (b >> shift) ^ c1 ^ np.uint64(k0), b & low, (a >> shift) ^ c3 ^ np.uint64(k1), a & low
        k0, k1 = (k0 + _KEY_STEPS[0]) % _WORD, (k1 + _KEY_STEPS[1]) % _WORD
    return c0, c1, c2, c3


def uniforms(seed: int, neuron: np.ndarray, step: int, dtype: np.dtype) -> tuple[np.ndarray, ...]:
    """Four numbers in [0, 1) for each neuron at a step: multiples of 2^-24, the same in float32 and float64."""
    neuron = np.asarray(neuron, np.uint64)
    steps = np.full_like(neuron, step % _WORD), np.full_like(neuron, step // _WORD)
    words = philox((neuron % _WORD, neuron // _WORD, *steps), (seed % _WORD, seed // _WORD % _WORD))
    return tuple((word >> np.uint64(8)).astype(dtype) * dtype.type(2.0**-24) for word in words)


def neuron_index(currents: np.ndarray, first_sample: int) -> np.ndarray:
    """The index of each neuron of ``currents`` [T, B, ...] over all samples of a run, [B, ...]."""
    per_sample = int(np.prod(currents.shape[2:]))
    return np.arange(currents[0].size).reshape(currents.shape[1:]) + first_sample * per_sample


def uniforms_body(count: int, like: str) -> str:
    """In a step: ``uniform_0`` ... as `uniforms`, from ``neuron``, ``step_before`` and the constants of `constants_body`.

    ONNX has no unsigned arithmetic everywhere, so words are int64, and a product of two 32-bit words is made of two
    products with 16-bit halves, which fit.
    """
    lines = [
        "word_0_0 = Mod(neuron, two_32)",
        "word_1_0 = Div(neuron, two_32)",
        "step_low = Mod(step_before, two_32)",
        "step_high = Div(step_before, two_32)",
        "word_2_0 = Expand(step_low, neurons)",
        "word_3_0 = Expand(step_high, neurons)",
    ]
    for r in range(_ROUNDS):
        for multiplier, word in ((0, 0), (1, 2)):
            p = f"p{multiplier}_{r}"
            lines += [
                f"{p}_top = Div(word_{word}_{r}, two_16)",
                f"{p}_bottom = Mod(word_{word}_{r}, two_16)",
                f"{p}_low_product = Mul({p}_bottom, multiplier_{multiplier})",
                f"{p}_high_product = Mul({p}_top, multiplier_{multiplier})",
                f"{p}_carry = Div({p}_low_product, two_16)",
                f"{p}_sum = Add({p}_high_product, {p}_carry)",
                f"{p}_high = Div({p}_sum, two_16)",
                f"{p}_middle = Mod({p}_sum, two_16)",
                f"{p}_shifted = Mul({p}_middle, two_16)",
                f"{p}_last = Mod({p}_low_product, two_16)",
                f"{p}_low = Add({p}_shifted, {p}_last)",
            ]
        lines += [
            f"x0_{r} = BitwiseXor(p1_{r}_high, word_1_{r})",
            f"word_0_{r + 1} = BitwiseXor(x0_{r}, key_0_{r})",
            f"word_1_{r + 1} = Identity(p1_{r}_low)",
            f"x2_{r} = BitwiseXor(p0_{r}_high, word_3_{r})",
            f"word_2_{r + 1} = BitwiseXor(x2_{r}, key_1_{r})",
            f"word_3_{r + 1} = Identity(p0_{r}_low)",
        ]
    for k in range(count):
        lines += [
            f"bits_{k} = Div(word_{k}_{_ROUNDS}, two_8)",
            f"bits_{k}_cast = CastLike(bits_{k}, {like})",
            f"uniform_{k} = Mul(bits_{k}_cast, two_to_minus_24)",
        ]
    return "\n".join(lines) + "\n"


def constants_body(like: str) -> str:
    """Before the steps: what `uniforms_body` refers to, from the attribute ``seed``."""
    lines = ["seed_int = Constant<value_int: int = @seed>()"]
    numbers = {
        "two_8": 2**8,
        "two_16": 2**16,
        "two_32": _WORD,
        "multiplier_0": _MULTIPLIERS[0],
        "multiplier_1": _MULTIPLIERS[1],
    }
    lines += [f"{name} = Constant<value_int = {value}>()" for name, value in numbers.items()]
    lines += [
        "key_0_0 = Mod(seed_int, two_32)",
        "seed_high = Div(seed_int, two_32)",
        "key_1_0 = Mod(seed_high, two_32)",
    ]
    for half, key_step in enumerate(_KEY_STEPS):
        lines.append(f"key_step_{half} = Constant<value_int = {key_step}>()")
        for r in range(1, _ROUNDS):
            lines.append(f"key_{half}_{r}_sum = Add(key_{half}_{r - 1}, key_step_{half})")
            lines.append(f"key_{half}_{r} = Mod(key_{half}_{r}_sum, two_32)")
    lines += [f"two_to_minus_24_64 = Constant<value = double {{{2.0**-24!r}}}>()"]
    lines += [f"two_to_minus_24 = CastLike(two_to_minus_24_64, {like})"]
    return "\n".join(lines) + "\n"
