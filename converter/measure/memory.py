"""Bytes that move, which on real chips cost more than arithmetic; what moves depends on the dataflow, so it is stated.

Trained and 8-bit network, and the layers of a spiking one that stay analog: a weight-stationary array of 16 x 16 multipliers.

    every weight is read once, every input once for 16 outputs, a partial sum (4 bytes) read and written for 16 inputs of it,
    every output written once

Spiking: event-driven. Nothing moves without a spike.

    a synaptic operation reads its weight, reads and writes its membrane (4 bytes each); a neuron that is computed reads and
    writes its state; a spike is sent as an address (4 bytes)

Energy: each tensor in the smallest SRAM that holds it, 10 / 20 / 100 pJ for 8 bytes from 8 KB / 32 KB / 1 MB; what does not fit
into 1 MB counts as if it did, though DRAM takes ten times that and more. Source: M. Horowitz, Computing's energy problem, ISSCC
2014.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from converter.measure.cost import LayerWork, Work
from converter.measure.totals import MemoryTraffic

ARRAY = 16
SUM_BYTES = 4
ADDRESS_BYTES = 4
FLOAT_BYTES = 4
PICOJOULE_PER_BYTE = ((8 * 1024, 10 / 8), (32 * 1024, 20 / 8), (float("inf"), 100 / 8))
"""Of an SRAM that holds so many bytes."""


@dataclass(frozen=True)
class Traffic:
    """Of one network, for one sample: bytes, and pJ to move them."""

    bytes: float = 0.0
    picojoule: float = 0.0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.bytes + other.bytes, self.picojoule + other.picojoule)


def memory_traffic(work: Work) -> MemoryTraffic:
    """From what there is to compute."""
    trained = _sum(_on_array(layer, FLOAT_BYTES, layer.multiply_adds) for layer in work.layers)
    small = _sum(_on_array(layer, 1, layer.multiply_adds) for layer in work.layers)
    spiking = _sum(_by_events(layer) for layer in work.layers)
    neurons = 2 * SUM_BYTES * work.neuron_updates + ADDRESS_BYTES * work.spikes
    spiking += Traffic(neurons, neurons * _per_byte(SUM_BYTES * max(1, work.neurons)))
    return MemoryTraffic(
        trained.bytes, spiking.bytes, small.bytes, trained.picojoule, spiking.picojoule, small.picojoule
    )


def _sum(parts: Iterable[Traffic]) -> Traffic:
    return sum(parts, Traffic())


def _per_byte(size: float) -> float:
    """pJ for a byte from the smallest memory that holds as many."""
    return next(picojoule for most, picojoule in PICOJOULE_PER_BYTE if size <= most)


def _moved(size: float, times: float) -> Traffic:
    """So many bytes of a tensor of that size."""
    return Traffic(times, times * _per_byte(size))


def _on_array(layer: LayerWork, width: int, multiply_adds: float) -> Traffic:
    """A pass, or the part of it that these multiply-adds are; numbers are `width` bytes wide."""
    if not multiply_adds:
        return Traffic()
    share = multiply_adds / layer.multiply_adds
    fan_in = max(1.0, layer.multiply_adds / max(1, layer.outputs))
    weights, inputs, outputs = (width * count for count in (layer.weights, layer.inputs, layer.outputs))
    return _sum(
        (
            _moved(weights, weights * share),
            _moved(inputs, multiply_adds / min(ARRAY, layer.width) * width),
            _moved(SUM_BYTES * layer.outputs, multiply_adds / min(ARRAY, fan_in) * 2 * SUM_BYTES),
            _moved(outputs, outputs * share),
        )
    )


def _by_events(layer: LayerWork) -> Traffic:
    """In all steps."""
    operations = sum(layer.synaptic_operations.values())
    return _sum(
        (
            _moved(FLOAT_BYTES * layer.weights, FLOAT_BYTES * operations),
            _moved(SUM_BYTES * layer.outputs, 2 * SUM_BYTES * operations),
            _on_array(layer, FLOAT_BYTES, layer.executed),
        )
    )
