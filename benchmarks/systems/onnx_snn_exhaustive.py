"""ONNX-SNN on a GPU, cuDNN's algorithms tried out for each shape, where our default asks which should be fast."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("onnx-snn-exhaustive", providers=("cuda",), options={"cudnn_conv_algo_search": "EXHAUSTIVE"})
