"""On which Pythons, releases of ONNX Runtime, processors and systems the project runs: docs/platforms.md."""
