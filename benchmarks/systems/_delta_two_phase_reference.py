"""Not a row: what the two-phase delta code is held against, the function bodies of the same file in plain ONNX Runtime."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("delta-two-phase-reference", kind="delta-two-phase", backend="functions")
