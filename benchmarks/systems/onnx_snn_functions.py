"""ONNX-SNN by the function bodies in the file, as in a plain ONNX Runtime without our library."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn-functions", backend="functions")
