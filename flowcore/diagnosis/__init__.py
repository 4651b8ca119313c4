"""Can a density be trusted? Tests on held-out rows, and a verdict in plain English.

diagnose.py     the function: start here
density.py      any density as two functions: log p of rows, and draws
uniforms.py     numbers that are uniform if a flow is right
tests.py        rows against draws: columns, log p, a classifier, the tails; the latent space
shares.py       for tables: shares of categories, atoms and other values; ranges
hidden.py       conditionals: hidden cells of rows among their draws; coverage of intervals
likelihood.py   mean log p compared with baselines, with training rows, without the worst row
findings.py     `Finding`; Holm's adjustment of their p-values
report.py       `Diagnosis`: the verdict and the advice; draws the page (page.py), becomes a dict
"""

from .diagnose import diagnose
from .report import Diagnosis

__all__ = ["Diagnosis", "diagnose"]
