"""Not a row: what two-phase rows are held against."""

from benchmarks.systems._own import TwoPhaseReference

SYSTEM = TwoPhaseReference()
