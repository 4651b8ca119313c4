"""Tests of the benchmarks: `pytest benchmarks/tests`."""
