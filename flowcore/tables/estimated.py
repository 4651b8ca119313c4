"""The numbers of a table learned by an estimator, and what it tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..estimator.record import as_data
from .encoding import line

if TYPE_CHECKING:
    from .._typing import Base, Seed
    from .frequencies import Frequencies
    from .schema import Schema


class Estimated:
    """A `FlowDensity` as the function that `fit_table` calls.

    Scores of its summary are of x given c, on rows that were held out; log p(c), of all rows, is
    added, and all is in the units of the table. Errors are those of log p(z | c): what is added is
    the same for every candidate.
    """

    def __init__(self, estimator: Any, schema: Schema):
        from ..estimator import FlowDensity

        estimator = FlowDensity() if estimator is None else estimator
        if not isinstance(estimator, FlowDensity):
            raise TypeError(f"learn is a FlowDensity or a function: got {estimator!r:.80}")
        self.estimator, self.schema, self.nats = estimator, schema, None

    def __call__(self, x, context=None, sample_weight=None, rng: Seed = 0) -> Base:
        from sklearn.base import clone

        own = self.estimator = clone(self.estimator)
        if own.random_state is None:
            seed = np.random.default_rng(rng).integers(2**31)
            own.set_params(random_state=int(seed))
        own.fit(x, sample_weight=sample_weight, context=context)
        held_out = np.isfinite(own.held_out_scores_)
        weight = np.ones(len(x)) if sample_weight is None else sample_weight
        self.nats = self._log_det(x[held_out], weight[held_out])
        return own.density_

    def _log_det(self, z: np.ndarray, weight: np.ndarray) -> float:
        """The mean of log |det dz/dx| + sum log step: from learned numbers to the table's units."""
        numbers = self.schema.numbers
        ends, steps = line(numbers), [c.kind.step for c in numbers if c.kind.is_gridded]
        nats = float(np.log(steps).sum()) if steps else 0.0
        if ends is not None and len(z):
            nats -= float(np.average(ends.forward_log_det(z), weights=weight))
        return nats

    def notes(self, frequencies: Frequencies | None, own: np.ndarray, weight, dropped: int) -> dict:
        """For the density to remember: rows, and the summary as plain data; own: codes (n, K)."""
        of_categories = 0.0
        if frequencies is not None:
            of_categories = float(np.average(frequencies.log_prob(own), weights=weight))
        found = self.nats is not None
        summary = self.estimator.summary_.shifted(self.nats + of_categories) if found else None
        return {
            "rows": len(own),
            "dropped": dropped,
            "log_prob_of_categories": None if found else of_categories,
            "summary": None if summary is None else as_data(summary),
        }
