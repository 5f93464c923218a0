"""Faults put into the code one at a time, and whether the tests see them: ``python -m tools.mutants`` (`make mutants`)."""
