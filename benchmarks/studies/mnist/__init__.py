"""MNIST, all 70,000 digits, beside the MAF paper: `python -m benchmarks.studies.mnist`."""
