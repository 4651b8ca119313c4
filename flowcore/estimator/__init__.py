"""The estimator: a density of a table, chosen by what held-out rows say.

`FlowDensity` stands in `density.py`; what is tried in `candidates.py` and `gaussians.py`, how much
of it in `plan.py`, how it is weighed in `selection.py` and `stacking.py`.
"""

from .density import FlowDensity
from .summary import Scored, Summary

__all__ = ["FlowDensity", "Scored", "Summary"]
