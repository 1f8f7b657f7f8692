"""Measurements: each prints a table and writes its figures to benchmarks/results/. Not part of the tests."""
