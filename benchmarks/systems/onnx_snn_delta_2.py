"""ONNX-SNN with the delta code, 2 steps; native kernels."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn-delta-2", kind="delta", n_steps=2)
