"""What was tried, how good it was on rows that it had not seen, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

HUGE = 1e4  # nats: of a Gaussian, where a single row is far off


@dataclass(frozen=True)
class Scored:
    """A candidate: its held-out mean log-density (nats), the standard error of that, its weight."""

    name: str
    score: float
    error: float
    weight: float
    is_flow: bool

    def __str__(self):
        return f"{self.name} {_short(self.score)}"


@dataclass(frozen=True)
class Summary:
    """The scores behind a fitted `FlowDensity`, as numbers; print it.

    candidates   all that were tried; density   what was made of them; n_rows   of the table;
    n_held_out   rows of which each was scored by fits that had not seen it; n_folds;
    left_out     what was not tried, since it takes too much time or memory, and how much
    """

    candidates: tuple[Scored, ...]
    density: Scored
    n_rows: int
    n_held_out: int
    n_folds: int
    left_out: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.candidates:
            raise ValueError("a summary has at least one candidate")

    @property
    def winner(self) -> Scored:
        """The candidate of the largest weight."""
        return max(self.candidates, key=lambda scored: scored.weight)

    @property
    def line(self) -> str:
        """One line: "Gaussian -14.4, mixture of 2 -4.6, this density 4.7 (held out, +- 1.1)"."""
        total = self.density
        return f"{', '.join(map(str, self.candidates))}, {total} (held out, +- {total.error:.2g})"

    def shifted(self, nats: float) -> Summary:
        """The same in other units: every log-density is so many nats more."""
        found = tuple(replace(s, score=s.score + nats) for s in self.candidates)
        total = replace(self.density, score=self.density.score + nats)
        return replace(self, candidates=found, density=total)

    def __str__(self):
        rows = [
            f"log-density of held-out rows, mean in nats ({self.n_held_out:,} of {self.n_rows:,} "
            f"rows, {self.n_folds} fold{'s' * (self.n_folds > 1)})",
            f"  {'':24s}{'score':>10s}{'+-':>8s}{'weight':>9s}",
        ]
        for s in self.candidates:
            rows.append(f"  {s.name:24s}{_wide(s.score):>10s}{_wide(s.error):>8s}{s.weight:9.2f}")
        total = self.density
        rows.append(f"  {total.name:24s}{_wide(total.score):>10s}{_wide(total.error):>8s}")
        rows += [f"the largest part is: {self.winner.name}"]
        return "\n".join(rows + [f"left out: {what}" for what in self.left_out])

    __repr__ = __str__


def mean_and_error(log_p: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """The weighted mean, and its standard error."""
    mean = np.average(log_p, weights=weight)
    share = weight / weight.sum()
    apart = share * (log_p - mean)
    unit = np.abs(apart).max() or 1.0  # no square overflows
    return float(mean), float(unit * np.sqrt(np.sum((apart / unit) ** 2)))


def _wide(score: float) -> str:
    return f"{score:.3f}" if abs(score) < HUGE else f"{score:.0e}"


def _short(score: float) -> str:
    if abs(score) >= HUGE:
        return f"{score:.0e}"
    return f"{score:.1f}" if abs(score) >= 10 else f"{score:.2f}"
