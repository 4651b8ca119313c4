"""The estimator: a density of a table, chosen by the log-density of held-out rows.

density.py      `FlowDensity`; record.py   its summary, and the same in a file
rows.py         the table: checked, equal rows merged, standardised
candidates.py   the candidates: flows, and simple densities (gaussians.py)

plan.py         which candidates, on how many folds, for how many epochs: by the budget
selection.py    the candidates fitted on folds, in processes (workers.py), and their weights
                (stacking.py): read this first
"""

from typing import TYPE_CHECKING

from .._imports import lazy_names
from .record import FlowDensityRecord, Scored, Summary

if TYPE_CHECKING:
    from .density import FlowDensity

__all__ = ["FlowDensity", "FlowDensityRecord", "Scored", "Summary"]
__getattr__, __dir__ = lazy_names(__name__, {".density": ("FlowDensity",)})  # it needs scikit-learn
