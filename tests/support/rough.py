"""Estimators that try less, for tests that do not ask how good they are."""

from contextlib import contextmanager

import pytest


@contextmanager
def rough_plans():
    """`FlowDensity` tries less, and what answers start from is rough."""
    with pytest.MonkeyPatch.context() as own:
        own.setattr("flowcore.estimator.plan.FOLDS", 2)
        own.setattr("flowcore.estimator.plan.SIZES", (2, 3))
        own.setattr("flowcore.estimator.selection.ROUNDS", (0.3, 0.7))
        own.setattr("flowcore.conditionals.proposal.DRAWS", 3000)
        own.setattr("flowcore.tables.proposal.DRAWS", (2000, 2000))
        own.setattr("flowcore.tables.proposal.COMPONENTS", (3, 8))
        yield
