"""The published tables, from the rows of the results."""

from __future__ import annotations

from collections import Counter

import numpy as np

OURS = "FlowDensity"


def compared(rows: list[dict]) -> list[dict]:
    """For every table: the means of all, over the folds that all of them did, and the verdict."""
    found = []
    for name in dict.fromkeys(row["table"] for row in rows):
        here = [row for row in rows if row["table"] == name]
        whole = {who: {r["fold"]: r for r in here if r["who"] == who}
                 for who in dict.fromkeys(r["who"] for r in here)}  # fmt: skip
        folds = sorted(set.intersection(*(set(done) for done in whole.values())))
        if OURS not in whole or len(whole) == 1 or not folds:
            continue
        log_p = {w: np.concatenate([done[k]["log_p"] for k in folds]) for w, done in whole.items()}
        means = {who: float(values.mean()) for who, values in log_p.items()}
        others = [who for who in means if who != OURS]
        best = max(others, key=means.get)
        difference = log_p[OURS] - log_p[best]
        ours = [whole[OURS][k] for k in folds]
        found.append({
            "table": name, "rows": here[0]["rows"], "columns": here[0]["columns"],
            "folds": len(folds), "means": means, "best": best,
            "gain": float(difference.mean()),
            "error": float(difference.std() / len(difference) ** 0.5),
            "seconds": float(np.median([row["seconds"] for row in ours])),
            "winner": Counter(row["winner"] for row in ours).most_common(1)[0][0],
            "flow_wins": sum(row["winner_is_flow"] for row in ours) * 2 > len(ours),
            "weights": mean_weights([row.get("weights", {}) for row in ours]),
        })  # fmt: skip
    return found


def mean_weights(folds: list[dict[str, float]]) -> dict[str, float]:
    """{part: its mean weight}; mixtures are one, of Gaussians or t and however many, and the
    Gaussians are one."""
    total: Counter = Counter()
    for weights in folds:
        for name, weight in weights.items():
            first = name.replace(",", "").split()[0]
            part = "mixture" if first == "t" else first
            total[part if part in ("mixture", "Gaussian") else name] += weight / len(folds)
    return {name: round(weight, 4) for name, weight in total.items()}


def verdict(found: list[dict]) -> str:
    """On how many tables it is near the best, the best, and a flow its largest part."""
    near = sum(row["gain"] > -max(0.1, row["error"]) for row in found)
    best = sum(row["gain"] > 0 for row in found)
    clearly = sum(row["gain"] > 2 * row["error"] for row in found)
    flows = sum(row["flow_wins"] for row in found)
    return (
        f"Of {len(found)} tables, FlowDensity is within 0.1 nat or a standard error of the best "
        f"other method on {near}, and better than all others on {best} (on {clearly} by more than "
        f"two standard errors). On {flows} a flow has the largest weight in its mixture"
    )
