"""Detectors of outliers: rows -> one number for each, large for outliers.

All have their defaults. They are fitted to all rows, outliers included, without a label, and then
asked about the same rows, as PyOD's `decision_scores_` are. The seed of those that draw is 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def flow_density(table: np.ndarray, **options) -> np.ndarray:
    """`FlowDensity`: how improbable a row is."""
    import flowcore as fc

    return -fc.FlowDensity(random_state=0, **options).fit(table).score_samples(table)


def table_density(table: np.ndarray, **options) -> np.ndarray:
    """`TableDensity.outlier_score`, the columns as they are."""
    import flowcore as fc
    from flowcore.tables import Schema, fit_table

    learn = fc.FlowDensity(random_state=0, **options)
    return fit_table(table, Schema.from_data(table), learn=learn).outlier_score(table)


def pyod(module: str, name: str, **seed) -> Callable[[np.ndarray], np.ndarray]:
    """A detector of PyOD."""

    def scores(table):
        from importlib import import_module

        detector = getattr(import_module(f"pyod.models.{module}"), name)(**seed)
        return detector.fit(table).decision_scores_

    return scores


US = "FlowDensity"
DETECTORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    US: flow_density,
    "outlier_score": table_density,
    "IForest": pyod("iforest", "IForest", random_state=0),
    "KNN": pyod("knn", "KNN"),
    "ECOD": pyod("ecod", "ECOD"),
    "COPOD": pyod("copod", "COPOD"),
    "HBOS": pyod("hbos", "HBOS"),
    "GMM": pyod("gmm", "GMM", random_state=0),
    "KDE": pyod("kde", "KDE"),
}
