"""The page: rows and draws in pairs, the verdict, the histograms, the worst rows, the losses."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plots import losses, pairs
from ..plots.drawing import BLACK, BLUE, GREY, PALE, SMALL, VERMILLION, new_figure
from .findings import Finding
from .tests import SHARE, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST_COLUMNS = 12  # in pairs
MOST_HISTOGRAMS, MOST_BARS, COLUMNS = 8, 4, 4
LETTERS, MOST_LINES = 84, 30  # of the verdict
LINE, ROW, LOW = 0.17, 1.3, 2.5  # inches: a line, a row of histograms, the part below these
HEIGHT = 9.6  # inches, at least


def page(report: Any) -> Figure:
    """One figure."""
    lines = [
        line
        for text in report.verdict
        for line in fill(text, LETTERS, subsequent_indent="   ").split("\n")
    ]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], "   ... (print the report for the rest)"]
    histograms = _histograms(report)
    bars = [found for found in report.of("shares") if len(found.levels) > 1]
    bars = sorted(bars, key=lambda one: one.adjusted)
    large = bars[:MOST_COLUMNS] if report.rows is None else []  # of a table without numbers
    bars = bars[len(large) : len(large) + MOST_BARS]
    n_rows = -(-(len(histograms) + len(bars)) // COLUMNS)
    heights = [LINE * (len(lines) + 3), ROW * n_rows, LOW]
    figure = new_figure((15, max(HEIGHT, sum(heights))), "constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[9.3, 5.7])
    if report.rows is None:
        _shares(left, large, report.alpha)
    else:
        _pairs(left, report)
    verdict, flat, last = right.subfigures(3, 1, height_ratios=heights)
    _title(verdict, fill(report.headline, LETTERS - 14))
    _text(verdict.subplots(), 1, "\n".join(lines), fontsize=SMALL + 0.5)
    also = "; shares of values" * bool(bars)
    _title(flat, f"Where rows stand among draws (PIT), KS: flat is right{also}")
    panels = flat.subplots(n_rows, COLUMNS, squeeze=False).flat
    for panel, found in zip(panels, histograms, strict=False):
        _histogram(panel, found, report.alpha)
    for panel in panels[len(histograms) + len(bars) :]:
        panel.remove()
    for panel, found in zip(panels[len(histograms) :], bars, strict=False):
        _bars(panel, found, report.alpha)
    if report.history is not None and report.history.train_nll:
        last, curve = last.subplots(1, 2, width_ratios=[1.6, 1])
        losses(report.history, ax=curve)
        curve.set_ylabel("NLL (nats)", fontsize=SMALL)
        curve.set_title(curve.get_title(loc="left"), loc="left", fontsize=SMALL - 1, color=GREY)
        curve.legend(fontsize=SMALL - 1)
        curve.tick_params(labelsize=SMALL)
    else:
        last = last.subplots()
    if report.worst:
        _worst(last, report.worst, report.draws)
    else:
        last.set_axis_off()
    return figure


def _pairs(figure, report: Any):
    """At most 12 columns, in their own order: those that are furthest from right."""
    by_ks = np.argsort([-found.effect for found in report.of("columns")], kind="stable")
    chosen = np.sort(by_ks[:MOST_COLUMNS])
    names = [report.names[j] for j in chosen]
    figure.suptitle(" ")  # room for the legend
    axes = figure.subplots(len(chosen), len(chosen), squeeze=False)
    pairs(report.rows[:, chosen], report.drawn[:, chosen], names, axes)
    if len(chosen) < len(report.names):
        text = f"the {len(chosen)} columns of the largest KS, of {len(report.names)}"
        figure.supxlabel(text, fontsize=SMALL, color=GREY)


def _shares(figure, bars: list[Finding], alpha: float):
    """Columns of a table without numbers."""
    _title(figure, "Shares of values: rows filled, draws as lines")
    across = min(3, max(1, len(bars)))
    axes = figure.subplots(-(-len(bars) // across) or 1, across, squeeze=False)
    for ax, found in zip(axes.flat, bars, strict=False):
        _bars(ax, found, alpha)
    for ax in axes.flat[len(bars) :]:
        ax.remove()


def _histograms(report: Any) -> list[Finding]:
    """Histograms of log p, then of the columns and latent coordinates with the largest effects."""
    found = report.of("columns") + report.of("latents") + report.of("hidden")
    kept = sorted(found, key=lambda one: -one.effect)[: MOST_HISTOGRAMS - 1]
    return report.of("level") + [one for one in found if one in kept]


def _histogram(ax: Axes, found: Finding, alpha: float):
    """It should be flat: 95% of the bars of one that is end in the band."""
    heights, bad = np.array(found.counts) / np.mean(found.counts), found.adjusted < alpha
    wide = 1.96 * np.sqrt((len(heights) - 1) / sum(found.counts))
    ax.axhspan(max(1 - wide, 0), 1 + wide, color=PALE, lw=0)
    ax.stairs(heights, np.linspace(0, 1, len(heights) + 1), fill=True, alpha=0.7,
              color=VERMILLION if bad else BLUE)  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(0, max(2.0, 1.1 * heights.max())), xticks=[0, 1], yticks=[0, 1])
    _name(
        ax,
        found.name.removeprefix("KS of ")
        .replace(" given others", " | rest")
        .replace(" given seen cells", " | seen"),
        found,
        alpha,
    )


def _bars(ax: Axes, found: Finding, alpha: float):
    """The commonest values of a column: the share of rows, and as a line that of draws."""
    texts, rows, draws = zip(*found.levels, strict=True)
    places = np.arange(len(texts))
    ax.barh(places, rows, color=BLUE, alpha=0.45)
    ax.barh(places, draws, fill=False, edgecolor=VERMILLION)
    for place, text in zip(places, texts, strict=True):
        ax.text(0.03, place, _literal(f"{text:.20}"), va="center", fontsize=SMALL - 3,
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.invert_yaxis()
    ax.set(yticks=[])
    _name(ax, found.name.removeprefix("share of ").partition(":")[0], found, alpha)


def _name(ax: Axes, name: str, found: Finding, alpha: float):
    """The title of a panel: in bold if the finding is significant."""
    ax.tick_params(labelsize=SMALL - 2, length=2, pad=1)
    ax.set_title(_literal(f"{name:.14}: {found.effect:.2f}"), fontsize=SMALL,
                 weight="bold" if found.adjusted < alpha else "normal")  # fmt: skip


def _worst(ax: Axes, worst: tuple[Row, ...], n_draws: int):
    ax.set_title("the least probable rows", fontsize="medium")
    style = {"fontsize": SMALL - 0.5, "family": "monospace"}
    _text(ax, 0.95, f"{'row':>8}{'log p':>10}{'draws below':>13}  furthest out in", **style)
    for k, row in enumerate(worst, 1):
        share = f"< {1 / n_draws:.2g}" if row.level < 1 / n_draws else f"{row.level:.2%}"
        line = f"{row.index:>8}{row.log_p:>10.4g}{share:>13}  {row.column:.12} = "
        colour = VERMILLION if row.level < SHARE else BLACK
        _text(ax, 0.95 - k / (len(worst) + 2), f"{line}{row.value:.4g}", color=colour, **style)


def _title(figure, text: str):
    figure.suptitle(_literal(text), x=0.01, ha="left", fontsize=SMALL + 1, weight="bold")


def _text(ax: Axes, y: float, text: str, **style):
    ax.axis("off")
    ax.text(0, y, _literal(text), va="top", in_layout=False, **style)


def _literal(text: str) -> str:
    """No formula."""
    return text.replace("$", r"\$").replace("`", "")
