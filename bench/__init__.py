"""Benchmarks: Havre beside its peers and the machine's limits, in one run, as a table of ratios."""
