"""The estimator: a density of a table, chosen by the log-density of held-out rows.

Read `selection.py` first: it is the whole way from a table to a weighted mixture.

selection.py    flows race on the first folds, the best go on to the others (in processes:
                workers.py), and held-out rows give the weights (stacking.py)
candidates.py   the candidates: flows, and simple densities (simple_densities.py)
plan.py         which candidates, on how many folds, for how many epochs: by the budget
rows.py         the table: checked, equal rows merged, standardised; a fold in its margins, or less
                means that are linear in the context
density.py      `FlowDensity`; record.py   its summary, and the same in a file

Rows with unknown cells are completed in `conditionals/completion.py`.
"""

from typing import TYPE_CHECKING

from .._imports import lazy_names
from .record import FlowDensityRecord, Scored, Summary

if TYPE_CHECKING:
    from .density import FlowDensity

__all__ = ["FlowDensity", "FlowDensityRecord", "Scored", "Summary"]
__getattr__, __dir__ = lazy_names(__name__, {".density": ("FlowDensity",)})  # it needs scikit-learn
