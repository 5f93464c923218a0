"""ONNX-SNN with the delta code, 4 steps; native kernels."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn-delta-4", kind="delta", n_steps=4)
