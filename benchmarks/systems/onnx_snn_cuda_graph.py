"""ONNX-SNN on a GPU, a CUDA graph replayed."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn-cuda-graph", providers=("cuda",), options={"enable_cuda_graph": 1})
