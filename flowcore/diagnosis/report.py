"""`Diagnosis`: the findings about a density, as a verdict in words, a page, and numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .advice import sentences
from .findings import KINDS, NAMED, Finding, listed, nats
from .tests import Row

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from ..training import History


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """The result of `diagnose`: print it for the verdict, `figure()` draws the page.

    All log-densities are in nats, in the units of the rows. The `adjusted` p-values are Holm's: if
    the density is the truth, at most a share `alpha` of all reports has one below `alpha`.

    Parameters
    ----------
    density : str
        The name of its class.
    n, dim : int
        The number of held-out rows, and of their columns.
    names : tuple of str
        The columns that are compared with draws: of a `TableDensity`, those of numbers.
    given : tuple of str
        The categories of a `TableDensity`, given which its numbers are compared.
    mean, standard_error, median : float
        Statistics of the held-out rows' log p; -inf and nan if the density of some row is 0.
    draws : int
        The number of draws.
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
        The `history` of `diagnose`, for the page.
    phrase : callable
        From a warning, see `with_fix`, to the words of an advice: the command line has options.

    Examples
    --------
    >>> from flowcore import Normal, diagnose, targets
    >>> report = diagnose(Normal(2), targets.two_moons().sample(500, rng=0), draws=2000)
    >>> report.trusted, report.of("columns")[0].effect > 0.1
    (False, True)
    """

    density: str
    n: int
    dim: int
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
    phrase: Callable[[Warning], str] = field(default_factory=lambda: str)

    def of(self, kind: str) -> list[Finding]:
        """The findings of one kind: "columns", "baselines", "classifier", ..."""
        return [found for found in self.findings if found.kind == kind]

    @property
    def sentences(self) -> list[str]:
        """The largest significant effects of each kind, or a sentence that there are none.

        A sentence "- ..." speaks against the density; a sentence "+ ..." does not.
        """
        lines = []
        for kind, group in groupby(self.findings, lambda found: found.kind):
            shown, nothing = [found for found in group if found.sentence], KINDS[kind].nothing
            if nothing is not None:  # tests
                largest = max(found.effect for found in shown)
                shown = [found for found in shown if found.adjusted < self.alpha]
                shown.sort(key=lambda found: -found.effect)
                if nothing and not shown:
                    lines.append(f"+ {nothing.format(largest)}")
                if others := listed([found.name for found in shown[NAMED:]]):
                    also = replace(shown[NAMED], sentence=f"Also significant: {others}.")
                    shown = [*shown[:NAMED], also]
            for found in shown:
                small = found.adjusted < self.alpha and not found.fault
                end = " The difference is small." * small
                lines.append(f"{'-' if found.fault else '+'} {found.sentence}{end}")
        return lines

    @property
    def advice(self) -> list[str]:
        """Remedies for the faults, the most urgent first."""
        faults = [found for found in self.findings if found.fault]
        return [self.phrase(one) for one in sentences(faults)]

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
        """The verdict in one sentence, or two."""
        mean = nats(self.mean, self.standard_error)
        columns = f"{self.dim:,} column{'s' * (self.dim != 1)}"
        where = f"Mean log p {mean} nats on {self.n:,} held-out rows of {columns}"
        kinds = list(dict.fromkeys(found.kind for found in self.findings if found.fault))
        if not kinds:
            return f"{where}: nothing speaks against this density."
        if kinds[0] in ("support", "baselines"):
            return f"{where}. Do not use this density yet: {KINDS[kinds[0]].reason}."
        reasons = " and ".join(KINDS[kind].reason for kind in kinds[:2])
        return f"{where}. Use it with care: {reasons}."

    def figure(self) -> Figure:
        """The page: rows and draws in pairs, the histograms, the worst rows, the losses."""
        from .page import page

        return page(self)

    def to_dict(self) -> dict[str, Any]:
        """All findings and the verdict as plain lists, dicts and numbers, for JSON; no rows.

        Numbers that are not finite are None.
        """
        found = asdict(replace(self, rows=None, drawn=None, history=None, phrase=None))
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
        faults = sum(found.fault for found in self.findings)
        return f"Diagnosis({self.density}, mean log p {self.mean:.4g}, faults: {faults}; print it)"


def table(findings: tuple[Finding, ...]) -> list[str]:
    """All numbers in lines of equal columns."""
    lines = [f"{'':<36}{'effect':>18}{'p':>10}{'adjusted p':>12}"]
    for found in findings:
        effect = f"{found.effect:.3f}" if isinstance(found.effect, float) else f"{found.effect}"
        if not math.isnan(found.error):
            effect = nats(found.effect, found.error)
        p = f"{found.p:>10.2g}{found.adjusted:>12.2g}" * (found.p >= 0)
        if not math.isnan(found.effect):
            lines.append(f"{found.name:<36.35}{effect:>18}{p}")
    return lines
