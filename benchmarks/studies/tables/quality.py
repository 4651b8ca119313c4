"""Tables of how good the densities are."""

from __future__ import annotations

import numpy as np

from ...support.markdown import table
from ..estimator.results import verdict as verdict_on_tables
from ..mnist.models import MODELS as DIGITS
from ..tabular.models import BEST_KNOWN, MODELS, show

GAUSSIAN = "full-covariance Gaussian"


def toy_targets(document) -> str:
    """KL to the truth, medians over the seeds and the worst."""
    targets: dict[str, list[dict]] = {}
    for row in document["rows"]:
        targets.setdefault(row["target"], []).append(row)
    lines = []
    for name, rows in targets.items():
        kl = [row["kl"] for row in rows]
        value = f"{np.median(kl):.3f} ({max(kl):.3f})"
        lines.append([name.replace("_", " "), f"`{rows[0]['recipe']}`", value])
    return table(["target", "recipe", "KL (worst)"], lines)


def power(*documents) -> str:
    """One line for each model; the Gaussian first."""
    gaussian = documents[0]["gaussian"]
    lines = [[GAUSSIAN, show(gaussian), _two(gaussian["published"]), "", ""]]
    rows = {row["model"]: row for document in documents for row in document["rows"]}
    for name in (name for name in MODELS if name in rows):
        row = rows[name]
        minutes = f"{row.get('cpu_minutes', row['minutes']):.0f}"  # old rows have the clock's
        published = _two(row["published"])
        lines.append([MODELS[name].row, show(row), published, row["epochs"], minutes])
    lines += [[model, "", _two(nats), "", ""] for model, nats in BEST_KNOWN.items()]
    return table(["model", "flowcore", "published", "epochs", "minutes"], lines)


def mnist(document) -> str:
    """One line for each model, beside the paper's and a port's test log-likelihoods."""
    lines = [[GAUSSIAN, *_nats_and_bits(document["gaussian"]), "-1366.9", *4 * [""]]]
    for row in document["rows"]:
        model = DIGITS[row["model"]]
        name = f"{model.row}, given the class" if model.classes else model.row
        seconds = f"{row['by_degree']:.2f} ({row['textbook']:.0f})" if "textbook" in row else ""
        facts = *map(str, model.published), row["epochs"], f"{row['cpu_minutes']:.0f}", seconds
        lines.append([name, *_nats_and_bits(row), *facts])
    header = ["model", "flowcore", "bits a pixel", "published", "a port's", "epochs",
              "CPU minutes", "100 digits, s (textbook)"]  # fmt: skip
    return table(header, lines)


def _nats_and_bits(row) -> list[str]:
    return [f"{row['test']:.1f} +- {2 * row['standard_error']:.1f}", f"{row['bits']:.3f}"]


def estimator(document) -> str:
    """Everybody's held-out log-density on every table, the verdict, and the known truth."""
    rows = document["rows"]
    who = list(rows[0]["means"])
    lines = [
        [row["table"], row["rows"], row["columns"],
         *(_two(row["means"].get(name)) for name in who),
         f"{row['gain']:+.3f} ± {row['error']:.3f}", row["winner"]]
        for row in rows
    ]  # fmt: skip
    header = ["", "n", "D", *who, "gain", "its largest part"]
    said = f"\n{verdict_on_tables(rows)}."
    if document.get("twonorm_kl"):
        kl, error = document["twonorm_kl"]
        said += " The true density of twonorm is known; KL(truth || FlowDensity) is "
        said += f"{kl:.3f} ± {error:.3f}."
    return table(header, lines) + said + "\n"


def outliers(document) -> str:
    """Everyone's AUROC over the tables, the highest mean first."""
    rows = document["rows"]
    found = sorted(summary(rows), key=lambda line: line[1], reverse=True)
    lines = [[who, f"{mean:.3f}", f"{rank:.2f}", f"{top:.0%}"] for who, mean, rank, top in found]
    return table([f"{len(rows)} tables", "mean AUROC", "mean rank", "in the top two"], lines)


def outlier_kinds(document) -> str:
    """AUROC of everyone on every kind and table."""
    rows = sorted(document["rows"], key=lambda row: row["kind"], reverse=True)
    lines = [[f"{row['kind']}: {row['table']}", *(f"{v:.3f}" for v in row["auroc"].values())]
             for row in rows]  # fmt: skip
    return table(["outliers: table", *rows[0]["auroc"]], lines)


def summary(rows: list[dict]) -> list[tuple[str, float, float, float]]:
    """(detector, mean AUROC, mean rank, share of the tables where it is in the top two).

    1 is the best rank; who is level shares the mean of the ranks.
    """
    from scipy.stats import rankdata

    names = list(rows[0]["auroc"])
    auroc = np.array([[row["auroc"][who] for who in names] for row in rows])
    rank = rankdata(-auroc, axis=1)
    columns = auroc.mean(axis=0), rank.mean(axis=0), np.mean(rank <= 2, axis=0)
    return list(zip(names, *(column.tolist() for column in columns), strict=True))


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
