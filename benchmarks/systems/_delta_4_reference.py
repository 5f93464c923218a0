"""Not a row: what the delta code's 4 steps are held against, the function bodies of the same file in plain ONNX Runtime."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("delta-4-reference", kind="delta", n_steps=4, backend="functions")
