"""p(redshift | six magnitudes), flowcore beside pzflow: `python -m benchmarks.studies.redshift`."""
