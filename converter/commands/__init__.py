"""The commands of onnx-snn, one per file."""
