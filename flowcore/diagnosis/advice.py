"""What to do about a fault: one sentence for each remedy, and its options as data.

The options of an estimator, `Finding.fix`, are arguments of its fit, made of the table's columns
and of the options of this fit. `with_fix` phrases them in Python, and the command line as options
to type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..core import with_fix
from .findings import Finding
from .tests import Row

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
    # of estimators
    "table": "Whole numbers, and values on a grid, are columns for fc.tables.fit_table.",
    "kinds": "Whole numbers, and values on a grid, have kinds of their own.",
    "rows far out": "Check the listed rows: are they errors? If not, logarithms bring them nearer.",
    "ends": "Columns that cannot be negative have a kind of their own.",
    "atoms": "A value that many rows have is an atom. If other shares are wrong, fit to more rows, "
    "or to newer ones.",
    "rules": "Fit to rows that break the rule, too, or without rules.",
    "smaller": "Add rows. More time does not help, but a smaller flow may, if its held-out score "
    "is higher.",
    "time": "More time, or more rows, may show what the density misses.",
    "quick": "A fit without --quick, or more rows, may show what the density misses.",
}
OF_ESTIMATORS = {  # by the kind of a finding, or the remedy for a flow; all else needs time
    "gridded": "kinds", "support": "rows far out", "tails": "rows far out", "range": "ends",
    "shares": "atoms", "rules": "rules", "overfitting": "smaller", "draws": "smaller",
}  # fmt: skip
IN_PYTHON = {  # how an argument is passed
    "kind": "schema.edit({!r})", "rules": "fit_table(X, rules={!r})",
    "flow": "FlowDensity({!r})", "budget": "FlowDensity(budget={!r})",
}  # fmt: skip
MORE = 4  # times the budget


def sentences(faults: Sequence[Finding]) -> Iterator[Warning]:
    """The remedies for the faults, the most urgent first, each with the options of all faults."""
    fixes: dict[str, dict] = {}
    for found in faults:
        fix = fixes.setdefault(found.remedy or found.kind, {})
        for name, value in found.fix.items():
            fix[name] = {**fix.get(name, {}), **value} if name == "kind" else value
    if "smaller" in fixes:
        fixes = {key: fix for key, fix in fixes.items() if key not in ("time", "quick")}
    for key, text in ADVICE.items():
        if fix := fixes.get(key):
            calls = " and ".join(IN_PYTHON[name].format(value) for name, value in fix.items())
            yield with_fix(UserWarning, f"{text[:-1]}: ", fix, words=f"pass {calls}")
        elif fix is not None:
            yield UserWarning(text)


def advised(findings: Sequence[Finding], density: Any, worst: Sequence[Row]) -> list[Finding]:
    """The findings; each fault of an estimator with its remedy, and with options of this fit."""
    if not (hasattr(density, "schema_") or hasattr(density, "summary_")):
        return list(findings)
    time, more = _more_time(density)
    schema, notes = getattr(density, "schema_", None), getattr(density, "notes", None) or {}
    is_small = "small" in (notes.get("flow"), getattr(density, "flow", None))
    far = {row.column for row in worst}
    columns = [c for c in (schema.numbers if schema else ()) if f"{c.name}" in far]
    options = {
        time: more,
        "smaller": {} if is_small else {"flow": "small"},
        "rules": {"rules": False},
        "rows far out": {"kind": kinds} if (kinds := never_negative(columns)) else {},
    }
    found = []
    for one in findings:
        key = OF_ESTIMATORS.get(one.kind) or OF_ESTIMATORS.get(one.remedy, time)
        key = "table" if key == "kinds" and schema is None else key
        fix = one.fix or options.get(key, {})
        found.append(replace(one, remedy=key, fix=fix) if one.fault else one)
    return found


def _more_time(density: Any) -> tuple[str, dict]:
    """The remedy, and a larger budget; none if nobody knows how large it was."""
    from ..estimator.plan import default_minutes  # with scikit-learn

    notes = getattr(density, "notes", None) or {}
    if notes.get("quick"):
        return "quick", {}
    if hasattr(density, "summary_"):
        budget, n_rows = density.budget, density.summary_.n_rows
    elif "budget" in notes:
        budget, n_rows = notes["budget"], notes["rows"]
    else:
        return "time", {}
    minutes = MORE * (default_minutes(n_rows) if budget is None else budget)
    return "time", {"budget": float(f"{minutes:.1g}")}


def never_negative(columns: Sequence[Any]) -> dict:
    """name -> kind, of the columns of a schema that had no negative number in the fit."""
    found = {}
    for column in columns:
        is_plain = column.kind.name == "continuous" and not column.kind.atoms
        if is_plain and column.low is not None and column.low >= 0:
            found[column.name] = "positive" if column.low else "positive atoms(0)"
    return found


def with_atom(column: Any, value: float) -> dict:
    """name -> the kind of a column of numbers in which this value is an atom."""
    kind = "positive" if never_negative([column]) and value == column.low == 0 else column.kind
    return {column.name: f"{kind} atoms({value:.17g})"}


def as_suggested(columns: Sequence[Any]) -> dict:
    """name -> kind, of the columns whose kind is not the one that their values suggest."""
    return {c.name: f"{c.suggestion}" for c in columns if c.suggestion}
