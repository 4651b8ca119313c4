"""`Diagnosis`: all that was found about a density, as a verdict in words, a page, and numbers."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from .advice import advice_of
from .findings import Findings
from .table import table_of
from .verdict import Sentence, headline_of, sentences_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Diagnosis(Findings):
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
    mean, standard_error, median : float
        Of the held-out rows' log p; -inf and nan if the density of some row is 0.
    baselines : tuple of Beside
        A Gaussian, and a mixture of Gaussians if there is a better one (BIC).
    baselines_by_halves : bool
        True: there were no training rows, so the baselines learned from half of the held-out rows,
        and all are compared on the other half.
    columns : tuple of Uniformity
        One for each column: where held-out values stand among the density's own draws.
    latents : tuple of Uniformity or None
        One for each latent coordinate: the base's CDF at z = f^-1(x), unless that is a column's own
        distribution. None: the density is no flow.
    latents_of : str
        "conditionals": the flow is triangular, so latent i is F(column | those before it), which is
        Rosenblatt's transform; "coordinates": it is not; "": there are none.
    association : Association or None
        Correlations of the latent coordinates.
    own_level : Uniformity
        Where the held-out rows' log p stands among that of the density's own draws.
    classifier : TwoSamples or None
        Rows against draws.
    far : Far
        Rows less probable than all but 0.1% of the draws.
    worst : tuple of Row
        The least probable rows.
    pull : float
        By how many nats the least probable row alone lowers the mean.
    learned : Learned or None
        Training rows against held-out ones; None without training rows.
    gridded : tuple of str
        Columns with few distinct values, which have no density.
    draws, wild_draws : int
        How many were made, and how many of them are not finite (these are left out).
    alpha : float
        The level of the tests.
    history : History or None
        As given: for the page.
    rows, drawn : ndarray
        At most 2000 of the rows, and 10,000 of the draws, for the page.
    given : tuple of str
        The categories of a `TableDensity`: what is judged is the density of the numbers given them.

    Examples
    --------
    >>> from flowcore import Normal, diagnose, targets
    >>> report = diagnose(Normal(2), targets.two_moons().sample(500, rng=0), draws=2000)
    >>> report.trusted, report.columns[0].ks > 0.1
    (False, True)
    """

    @property
    def sentences(self) -> list[Sentence]:
        """The verdict, one finding each: `.kind` for programs, `.fault`, `.text`."""
        return sentences_of(self)

    @property
    def advice(self) -> list[str]:
        """What to do next, the most useful first."""
        return advice_of(self)

    @property
    def trusted(self) -> bool:
        """True if no finding is a fault."""
        return not any(sentence.fault for sentence in self.sentences)

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        return headline_of(self)

    def figure(self) -> Figure:
        """The page: rows and draws in pairs, the histograms, the worst rows, the losses."""
        from .page import page

        return page(self)

    def to_dict(self) -> dict[str, Any]:
        """All findings and the verdict as plain lists, dicts and numbers, for JSON; no rows.

        Numbers that are not finite are None.
        """
        skipped = ("rows", "drawn", "history")
        found = {
            entry.name: _plain(getattr(self, entry.name))
            for entry in fields(self)
            if entry.name not in skipped
        }
        found["verdict"] = {
            "trusted": self.trusted,
            "headline": self.headline,
            "sentences": [_plain(sentence) for sentence in self.sentences],
            "advice": self.advice,
        }
        return found

    def __str__(self) -> str:
        mark = {True: "-", False: "+"}
        lines = [self.headline, ""]
        lines += [f"{mark[sentence.fault]} {sentence.text}" for sentence in self.sentences]
        if self.advice:
            lines += ["", "What to do next", *(f"* {text}" for text in self.advice)]
        return "\n".join([*lines, "", *table_of(self)])

    def __repr__(self) -> str:
        faults = sum(sentence.fault for sentence in self.sentences)
        return (
            f"Diagnosis({self.density}, {self.n} rows of {len(self.names)} columns, mean log p "
            f"{self.mean:.4g}, {faults} fault{'s' if faults != 1 else ''}: print it)"
        )


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
