"""ONNX-SNN in two phases: each layer receives all its input, then fires; native kernels."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn-two-phase", kind="two-phase")
