"""`FlowDensity` on tables of packages, beside other densities; see run.py."""
