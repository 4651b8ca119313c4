"""`Diagnosis`: the findings about a density, as a verdict in words, a page, and numbers."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from .findings import Finding, advice, count, headline, nats, sentences, short
from .tests import Row

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from ..training import History


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What `diagnose` found: print it for the verdict, `figure()` draws the page.

    All log-densities are in nats, in the units of the rows. Every `adjusted` p-value is Holm's,
    over all tests of the report: of a density that is the truth, at most a share `alpha` of the
    reports has any below `alpha`.

    Parameters
    ----------
    density : str
        The name of its class.
    n, names : int, tuple of str
        Held-out rows, and their columns.
    given : tuple of str
        The categories of a `TableDensity`: what is judged is the density of the numbers given them.
    mean, standard_error, median : float
        Of the held-out rows' log p; -inf and nan if the density of some row is 0.
    draws : int
        How many were made.
    alpha : float
        The level of the tests.
    findings : tuple of Finding
        All results, in the order of the verdict: `kind`, `name`, `effect`, `error`, `p`,
        `adjusted`, `held_out`, `fault`, `sentence`, `remedy`, `rows`, `counts`.
    worst : tuple of Row
        The least probable rows.
    rows, drawn : ndarray
        At most 2000 of the rows, and 10,000 of the draws, for the page.
    history : History or None
        As given: for the page.

    Examples
    --------
    >>> from flowcore import Normal, diagnose, targets
    >>> report = diagnose(Normal(2), targets.two_moons().sample(500, rng=0), draws=2000)
    >>> report.trusted, report.of("columns")[0].effect > 0.1
    (False, True)
    """

    density: str
    n: int
    names: tuple[str, ...]
    given: tuple[str, ...]
    mean: float
    standard_error: float
    median: float
    draws: int
    alpha: float
    findings: tuple[Finding, ...]
    worst: tuple[Row, ...]
    rows: np.ndarray | None
    drawn: np.ndarray | None
    history: History | None

    def of(self, kind: str) -> list[Finding]:
        """The findings of one kind: "columns", "baselines", "classifier", ..."""
        return [found for found in self.findings if found.kind == kind]

    @property
    def sentences(self) -> list[str]:
        """The verdict: "- ..." speaks against the density, "+ ..." does not."""
        return sentences(self.findings, self.alpha)

    @property
    def advice(self) -> list[str]:
        """What to do next, the most useful first."""
        return advice(self.findings, self.density)

    @property
    def verdict(self) -> list[str]:
        """The sentences, and what to do next."""
        todo = [f"* {text}" for text in self.advice]
        return self.sentences + (["", "What to do next", *todo] if todo else [])

    @property
    def trusted(self) -> bool:
        """True if no finding is a fault."""
        return not any(found.fault for found in self.findings)

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        mean = nats(self.mean, self.standard_error)
        columns = count(len(self.names), "column")
        where = f"Mean log p {mean} nats on {self.n:,} held-out rows of {columns}"
        return headline(where, self.findings)

    def figure(self) -> Figure:
        """The page: rows and draws in pairs, the histograms, the worst rows, the losses."""
        from .page import page

        return page(self)

    def to_dict(self) -> dict[str, Any]:
        """All findings and the verdict as plain lists, dicts and numbers, for JSON; no rows.

        Numbers that are not finite are None.
        """
        found = asdict(replace(self, rows=None, drawn=None, history=None))
        found = {name: value for name, value in found.items() if value is not None}
        found["verdict"] = {
            "trusted": self.trusted,
            "headline": self.headline,
            "sentences": self.sentences,
            "advice": self.advice,
        }
        return json.loads(json.dumps(found), parse_constant=lambda not_finite: None)

    def __str__(self) -> str:
        return "\n".join([self.headline, "", *self.verdict, "", *table(self.findings)])

    def __repr__(self) -> str:
        faults = count(sum(found.fault for found in self.findings), "fault")
        return f"Diagnosis({self.density}, mean log p {self.mean:.4g}, {faults}: print it)"


def table(findings: tuple[Finding, ...]) -> list[str]:
    """All numbers in lines of equal columns."""
    lines = [f"{'':<36}{'effect':>18}{'p':>10}{'adjusted p':>12}"]
    for found in findings:
        effect = f"{found.effect:.3f}" if isinstance(found.effect, float) else f"{found.effect}"
        if not math.isnan(found.error):
            effect = nats(found.effect, found.error)
        p = f"{found.p:>10.2g}{found.adjusted:>12.2g}" * (found.p >= 0)
        if not math.isnan(found.effect):
            lines.append(f"{short(found.name, 35):<36}{effect:>18}{p}")
    return lines
