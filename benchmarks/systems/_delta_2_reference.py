"""Not a row: what the delta code's 2 steps are held against, the function bodies of the same file in plain ONNX Runtime."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("delta-2-reference", kind="delta", n_steps=2, backend="functions")
