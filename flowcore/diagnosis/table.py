"""All numbers of a report, in lines of equal columns."""

from __future__ import annotations

from .findings import Findings
from .words import nats, number, short


def table_of(report: Findings) -> list[str]:
    """All numbers in lines of equal columns."""
    lines = [f"{'beside':<28}{'mean log p':>12}{'this one is above it by':>26}"]
    for beside in report.baselines:
        gain = nats(beside.difference, beside.standard_error)
        lines.append(f"{short(beside.name, 27):<28}{number(beside.mean):>12}{gain:>26}")
    lines += ["", f"{'test':<28}{'effect':>12}{'p alone':>12}{'p with all':>14}"]
    rows = [(f"KS of {u.name}", f"{u.ks:.3f}", u) for u in report.columns]
    rows += [(f"KS of {u.name}{' given others' if u.given else ''}", f"{u.ks:.3f}", u)
             for u in report.latents or ()]  # fmt: skip
    if report.association:
        rows.append(("correlation of latents", f"{report.association.largest:.3f}",
                     report.association))  # fmt: skip
    rows.append(("KS of log p itself", f"{report.own_level.ks:.3f}", report.own_level))
    if report.classifier:
        rows.append(("classifier, AUC", f"{report.classifier.auc:.3f}", report.classifier))
    rows.append(("rows far below", f"{len(report.far.rows)}", report.far))
    lines += [
        f"{short(name, 27):<28}{effect:>12}{found.p_value:>12.2g}{found.adjusted:>14.2g}"
        for name, effect, found in rows
    ]
    return lines
