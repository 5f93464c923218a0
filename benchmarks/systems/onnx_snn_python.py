"""ONNX-SNN through the Python operators: the NumPy references inside ONNX Runtime."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn-python", backend="numpy", providers=("cpu",))
