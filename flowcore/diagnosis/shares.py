"""Rows of a table compared with draws: shares of categories, atoms and other values; ranges.

If rows and draws have the same distribution, it is chance which of them have a value. If k of them
have it, the number of rows among these k is exactly hypergeometric, even if there are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from ..core import imported, without_warnings
from .advice import never_negative, with_atom
from .findings import Finding

LEAST = 10  # rows and draws together that have a value
COMMON = 0.02  # of these: a number of which less have is not looked at
PAIRED = 20  # columns
SHOWN = 6  # values of a column, on the page
HIGH = 0.9, 0.97  # quantiles that several columns exceed together


def shares(
    density: Any, held_out: Any, train: Any, n_draws: int, rng: np.random.Generator
) -> list[Finding]:
    """Findings about a `TableDensity`: one per column, and one about pairs of the first 20 columns.

    Values are categories, atoms, missing cells and new values, or a column's commonest number. Also
    a finding about the range of each column of numbers, one about each rule, and two about columns
    that are large together.
    """
    with without_warnings():  # warnings about these rows have been given
        tables = [held_out, density.sample(n_draws, rng), *([] if train is None else [train])]
        frames = [density.schema_.select(table, density.ignore_extra) for table in tables]
        frames[0] = frames[0].take(~density.encoding.encode(frames[0])[2])  # what misses a value
        rows, drawn = map(density.levels_of, frames[:2])
    n, texts, ranges, numbers, atoms = len(frames[0]), {}, [], [], {}
    for name, (own, new) in rows.items():
        theirs = np.where(rng.random(n_draws) < new, "a new value", drawn[name][0])
        texts[name] = np.append(own, theirs)
    for column in [one for one in density.schema_.numbers if not one.kind.is_date]:
        name, x = f"{column.name}", [frame.as_floats(column.name) for frame in frames]
        ends = never_negative([column])
        range_ = _range(name, np.concatenate([x[0], *x[2:]]), x[1], train is None)
        ranges.append(replace(range_, fix={"kind": ends} if ends else {}))
        own = np.append(*x[:2])
        numbers.append(own)
        values, counts = np.unique(own[~np.isnan(own)], return_counts=True)
        if counts.max(initial=0) >= COMMON * len(own):
            most = values[np.argmax(counts)]
            if name not in texts:
                texts[name] = np.where(own == most, f"{most:g}", "")
                atoms[name] = {"kind": with_atom(column, most)}
    coded = {name: np.unique(own, return_inverse=True) for name, own in texts.items()}
    each = [(_compared(coded, [name], n), atoms.get(name, {})) for name in coded]
    each = [replace(one, fix=fix) for one, fix in each if one]
    pairs = [_compared(coded, names, n) for names in combinations([*coded][:PAIRED], 2)]
    if pairs := [one for one in pairs if one]:
        worst = min(pairs, key=lambda one: one.p)
        each.append(replace(worst, p=min(1.0, worst.p * len(pairs)), levels=()))
    ranges += [_rule(ruled, frames[0]) for ruled in density.encoding.ruled]
    each += [_together(np.array(numbers).T, n, level) for level in HIGH if len(numbers) > 1]
    return [one for one in each if one] + ranges


def _compared(coded: dict, names: Sequence[str], n: int) -> Finding | None:
    """The values of columns whose shares among n rows and among draws differ most significantly.

    coded: name -> (the distinct texts, "" for other values; the index of the text of each row, then
    of each draw). The p-value is that of these values times the number of tests (Bonferroni). None:
    all are rare.
    """
    sizes = [len(coded[name][0]) for name in names]
    places = np.ravel_multi_index([coded[name][1] for name in names], sizes)
    kinds, codes, k = np.unique(places, return_inverse=True, return_counts=True)
    places = zip(names, np.unravel_index(kinds, sizes), strict=True)
    values = np.array([coded[name][0][own] for name, own in places])
    known = (k >= LEAST) & (values != "").all(axis=0)
    if not known.any():
        return None
    i = np.bincount(codes[:n], minlength=len(k))
    rows, draws = i / n, (k - i) / (len(codes) - n)
    law = imported("scipy.stats").hypergeom(len(codes), k, n)
    p = np.where(known, 2 * np.minimum(law.cdf(i), law.sf(i - 1)), np.inf)
    worst = np.lexsort((-np.abs(rows - draws), p))[0]
    pairs = [*zip(names, values[:, worst], strict=True)]
    is_what = " and ".join(f"`{name}` is {value}" for name, value in pairs)
    text = f"{is_what} in {rows[worst]:.1%} of the rows, and in {draws[worst]:.1%} of the draws."
    name = f"share of {', '.join(f'{name}: {value}' for name, value in pairs)}"
    shown = np.argsort(-k, kind="stable")[:SHOWN]
    levels = [(values[0, j] or "other", float(rows[j]), float(draws[j])) for j in shown.tolist()]
    tests = 1 if known.all() and len(known) == 2 else known.sum()  # two shares, one p-value
    size, p = abs(rows - draws)[worst], min(1.0, tests * p[worst])
    return Finding("shares", name, float(size), p=float(p), sentence=text, levels=tuple(levels))


def _together(x: np.ndarray, n: int, level: float) -> Finding | None:
    """How many of n rows, and of the draws after them, x (N, D), have many columns above their
    quantiles at this level: as many as ten of all have. None: not two of them."""
    edge = np.nanquantile(x, level, axis=0)
    above = (x > edge).sum(axis=1)
    most = int(np.sort(above)[-min(LEAST, len(above))])
    if most < 2:
        return None
    many = above >= most
    i, k = int(many[:n].sum()), int(many.sum())
    law = imported("scipy.stats").hypergeom(len(x), k, n)
    rows, draws = i / n, (k - i) / (len(x) - n)
    text = (
        f"{most} of {x.shape[1]} columns of numbers are above their {level:.0%} quantiles together "
        f"in {rows:.2%} of the rows ({i:,}), and in {draws:.2%} of the draws."
    )
    p = min(1.0, 2 * min(law.cdf(i), law.sf(i - 1)))
    effect = abs(np.log((rows + 1 / n) / (draws + 1 / n)))
    return Finding("together", f"log ratio of joint exceedances, {level:.0%}", float(effect),
                   p=float(p), sentence=text)  # fmt: skip


def _rule(ruled: Any, frame: Any) -> Finding:
    """How many rows break the rule of a category, of which the density expects n u."""
    name, rule, count = f"{ruled.column.name}", ruled.column.rule, int(ruled.breaks(frame).sum())
    p = imported("scipy.stats").binom.sf(count - 1, len(frame), rule.u)
    text = f"`{name}` does not follow from `{rule.source}` in {count:,} of {len(frame):,} rows."
    return Finding("rules", f"rows against the rule of {name}", count / max(1, len(frame)),
                   p=float(p), sentence=text)  # fmt: skip


def _range(name: str, rows: np.ndarray, drawn: np.ndarray, held_out: bool) -> Finding:
    """The share of draws outside of the range of N rows.

    The p-value of this number of m draws, or more, is that of a beta-binomial, BB(m, 2, N - 1).
    """
    rows, drawn = rows[np.isfinite(rows)], drawn[np.isfinite(drawn)]
    low, high = rows.min(initial=np.inf), rows.max(initial=-np.inf)
    below, above = (float(np.mean(out)) for out in (drawn < low, drawn > high))
    count = round((below + above) * len(drawn))
    p = imported("scipy.stats").betabinom.sf(count - 1, len(drawn), 2, max(1, len(rows) - 1))
    text = (
        f"`{name}` is outside of the range of the rows, {low:.10g} to {high:.10g}, in "
        f"{below + above:.1%} of the draws ({below:.1%} below, {above:.1%} above)."
    )
    return Finding("range", f"draws out of range: {name}", below + above, p=float(min(p, 1.0)),
                   held_out=held_out, sentence=text)  # fmt: skip
