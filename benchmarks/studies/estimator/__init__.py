"""`FlowDensity` on tables of packages, beside other densities: see __main__.py."""
