"""ONNX-SNN with the delta code in two phases: each layer sends all its spikes, then the next; native kernels."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn-delta-two-phase", kind="delta-two-phase")
