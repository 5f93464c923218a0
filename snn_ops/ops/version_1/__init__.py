"""Operators as version 1 of the domain has them, for files of release 0.1.0. Nothing here changes any more.

Their sums and counts are single numbers of the type in which the operator computes: float32 for most files. A sum of 2^24 ones
stays where it is, so means drift after a million steps and fade after tens of millions (docs/FINDINGS.md).
"""
