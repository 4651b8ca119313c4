"""Published test log-likelihoods of a real table: `python -m benchmarks.studies.tabular power`."""
