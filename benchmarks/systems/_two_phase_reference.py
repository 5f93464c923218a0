"""Not a row: what two-phase rows are held against, the stepped operator one layer after the other."""

from benchmarks.systems._own import OwnSystem

SYSTEM = OwnSystem("two-phase-reference", kind="one-after-the-other")
