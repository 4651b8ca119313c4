"""The estimator: a density of a table, chosen by what held-out rows say.

`FlowDensity` stands in `density.py`; what is tried in `candidates.py` and `gaussians.py`, how much
of it in `plan.py`, how it is weighed in `selection.py` and `stacking.py`; as a file in `record.py`.
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
