"""ONNX-SNN, step by step, native kernels."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn")
