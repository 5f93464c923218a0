"""The model file: names and versions that every reader and writer of a `.snn.onnx` file agrees on (docs/format.md)."""

from __future__ import annotations

DOMAIN = "onnx_snn"
OPSET_VERSION = 1
LOWEST_ONNX_OPSET = 18
"""The oldest opset of the standard domain in which every function body is valid."""
LOWEST_IR_VERSION = 9
"""The oldest IR version that has all we write: functions, and initialisers as defaults of inputs."""

N_STEPS = "n_steps"
"""The graph input with the number of time steps T, int64, a scalar with a default."""
FIRST_SAMPLE = "first_sample"
"""The graph input with the number of samples in earlier batches of a run; models with random neurons have it."""
STEP = "step"
"""The graph input with the number of steps in earlier chunks of a run; streaming models that count steps have it."""
BATCH = "batch"
"""The symbol of the batch axis, B."""
TIME_BATCH = "time_batch"
"""The symbol of the merged axis, T*B."""
STATES = "onnx_snn.states"
"""The file's metadata under this key list its states: JSON, ``[{"input": NAME, "output": NAME}, ...]``."""
