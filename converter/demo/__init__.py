"""The embedded LeNet-5 and MNIST images of `onnx-snn demo`, made by ``examples/train_lenet5.py``.

MNIST: Y. LeCun, C. Cortes, C. Burges, the MNIST database of handwritten digits.
"""
