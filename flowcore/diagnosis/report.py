"""`Diagnosis`: the findings about a density, as a verdict in words, a page, and numbers."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .findings import KINDS, NAMED, Finding, listed, nats
from .tests import Row

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from ..training import History

HEAVIER = 'use heavier tails: fc.flows.nsf(..., base="student_t").'
ADVICE = {  # the most urgent first
    "gridded": "Add noise of one step to gridded columns, fc.Dequantize, or pass them as context.",
    "support": "Map a column with an edge by fc.Exp, fc.Softplus or fc.Sigmoid at the data end, in "
    f"a fc.Blockwise. Without an edge, {HEAVIER}",
    "baselines": "Use the simpler density, or fit more gently: fewer layers, more epochs, "
    "patience=20.",
    "overfitting": "Use fewer or narrower layers, patience=20, more rows, or the average of "
    "several fits.",
    "tails": f"Check the listed rows: are they errors? If not, {HEAVIER}",
    "narrow": "Intervals are too narrow: use more rows, or the average of several fits.",
    "thin": "The tails have too much mass: use more epochs, or a base with thinner tails.",
    "flexible": "Use more layers, wider networks, or fc.flows.nsf instead of maf; for separate "
    "groups base=fc.GaussianMixture.from_data(X, k).",
    "draws": "Draws overflow: bound the log-scale, fc.Affine(2.0), or lower learning_rate.",
}
TIME = "allow more time, {budget}, or add rows."
OF_ESTIMATORS = {  # those have other options than flows; by the kind of finding, or its remedy
    "gridded": "Model integers and grids: {integer}.",
    "support": "Model positive and bounded columns: {positive}.",
    "overfitting": "Add rows. More time does not help; a smaller flow, {small}, helps only if its "
    "held-out score is higher.",
    "narrow": "Intervals are too narrow: add rows.",
    "answers": "Take more draws of each row: {draws}.",
    "correlation": f"The density misses how columns depend on each other: {TIME}",
    "classifier": f"See which columns differ on the page, {{page}}; if none does, {TIME}",
    "tails": "Check the listed rows: are they errors? If not, take logarithms: {positive}.",
    "thin": f"The tails have too much mass: {TIME}",
    "baselines": f"A simpler density is better: {TIME}",
    "flexible": f"The density misses the shape of columns: {TIME}",
    "draws": "Draws overflow: fit a smaller flow, {small}.",
    "shares": "Fit again, to more rows or newer ones. A number that many rows have is an atom: "
    "{atoms}.",
    "rules": "Fit again with rows that break the rule, or without rules: {no_rules}.",
    "range": "If nothing can lie beyond the rows, give columns their ends: {positive}.",
}
IN_PYTHON = {
    "budget": "FlowDensity(budget=...)", "small": "FlowDensity('small')",
    "draws": "impute(X, n_draws=1000)", "page": "report.figure()",
    "integer": "fc.tables.fit_table(X, schema.edit(rooms='integer(0)'))",
    "positive": "fc.tables.fit_table(X, schema.edit(rain='positive'))",
    "atoms": "schema.edit(rain='positive atoms(0)')", "no_rules": "fit_table(rules=False)",
}  # fmt: skip
IN_SHELL = {
    "budget": "fit --budget 5, without --quick", "small": "fit --flow small",
    "draws": "impute --draws 1000", "page": "diagnose -o page.png",
    "integer": "fit --kind 'rooms=integer(0)'", "positive": "fit --kind rain=positive",
    "atoms": "fit --kind 'rain=positive atoms(0)'", "no_rules": "fit --no-rules",
}  # fmt: skip
ESTIMATORS = "FlowDensity", "TableDensity"


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """The result of `diagnose`: print it for the verdict, `figure()` draws the page.

    All log-densities are in nats, in the units of the rows. The `adjusted` p-values are Holm's: if
    the density is the truth, at most a share `alpha` of all reports has one below `alpha`.

    Parameters
    ----------
    density : str
        The name of its class.
    n, names : int, tuple of str
        The number of held-out rows, and the names of their columns.
    given : tuple of str
        The categories of a `TableDensity`: the report is about the density of the numbers given
        these categories.
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
    in_shell : bool
        Whether the advice names options of the command `flowcore`, not of the library.

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
    in_shell: bool = False

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
        if self.density not in ESTIMATORS:
            remedies = {found.remedy or found.kind for found in faults}
            return [ADVICE[key] for key in ADVICE if key in remedies]
        own = {one.kind if one.kind in OF_ESTIMATORS else one.remedy for one in faults}
        texts = [text for key, text in OF_ESTIMATORS.items() if key in own]
        slow = [text for text in texts if "{budget}" in text]
        left_out = slow if "overfitting" in own else slow[1:]  # once is enough
        words = IN_SHELL if self.in_shell else IN_PYTHON
        return [text.format(**words) for text in texts if text not in left_out]

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
        mean, dim = nats(self.mean, self.standard_error), len(self.names)
        columns = f"{dim:,} column{'s' * (dim != 1)}"
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
        found = asdict(replace(self, rows=None, drawn=None, history=None, in_shell=None))
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
