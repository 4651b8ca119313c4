"""The estimator: a density of a table, chosen by the log-density of held-out rows.

density.py                     `FlowDensity`; record.py   the same in a file
inputs.py, rows.py, scaling.py the table: checked, equal rows merged, standardised
candidates.py, recipes.py      what is tried: simple densities (gaussians.py) and flows
plan.py                        how much of it, by the budget
selection.py                   on which folds, in workers.py, until when (stopping.py), with
                               which weights (stacking.py); reported by summary.py
"""

from typing import TYPE_CHECKING

from .summary import Scored, Summary

if TYPE_CHECKING:
    from .density import FlowDensity, FlowDensityRecord

__all__ = ["FlowDensity", "FlowDensityRecord", "Scored", "Summary"]


def __getattr__(name: str) -> object:
    """`FlowDensity` is loaded when it is first asked for: it needs scikit-learn."""
    if name in ("FlowDensity", "FlowDensityRecord"):
        from . import density

        return getattr(density, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
