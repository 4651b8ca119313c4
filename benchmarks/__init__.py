"""Benchmarks and experiments: plain scripts, `python -m benchmarks.NAME`."""
