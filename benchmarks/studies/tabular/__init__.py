"""Real tables with published test log-likelihoods: `python -m benchmarks.studies.tabular power`."""
