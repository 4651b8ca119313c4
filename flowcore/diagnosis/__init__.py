"""Can a density be trusted? What is measured on rows that it has not seen, and said in words.

diagnose.py     the function: start here
uniforms.py     what is uniform if a flow is right; uniformity.py   is it?
draws.py        rows among the density's own draws; classifier.py   can they be told apart?
rows.py         the least probable rows; baselines.py   what a density has to beat
verdict.py      the sentences; report.py   the object; page.py   the figure
judged.py       anybody's density, seen as two functions; of_table.py   a `TableDensity`
findings.py     one small object a finding
"""

from .diagnose import diagnose
from .report import Diagnosis

__all__ = ["Diagnosis", "diagnose"]
