"""Tables of how good the densities are."""

from __future__ import annotations

import numpy as np

from ...support.markdown import table
from ..estimator.results import verdict as verdict_on_tables
from ..mnist.models import MODELS as DIGITS
from ..outlier_detectors import US
from ..tabular.models import BEST_KNOWN, MODELS, show

ABOVE, TOP_TWO = 0.01, 0.45  # targets: over the best of PyOD, in the mean; share of the tables
GAUSSIAN = "full-covariance Gaussian"


def toy_targets(document) -> str:
    """KL to the truth, medians over the seeds and the worst, two targets a line."""
    targets: dict[str, list[dict]] = {}
    for row in document["rows"]:
        targets.setdefault(row["target"], []).append(row)
    cells = []
    for name, rows in targets.items():
        kl = [row["kl"] for row in rows]
        value = f"{np.median(kl):.3f} ({max(kl):.3f})"
        entropy = f"{rows[0]['entropy']:.3f}"
        cells.append([name.replace("_", " "), f"`{rows[0]['recipe']}`", entropy, value])
    half = (len(cells) + 1) // 2
    right = cells[half:] + [[""] * 4] * (2 * half - len(cells))
    header = ["target", "recipe", "entropy", "KL (worst)"]
    lines = [[*a, "", *b] for a, b in zip(cells[:half], right, strict=True)]
    return table([*header, "", *header], lines)


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


def other_tables(*documents) -> str:
    """One line for each table of data, one column for each model."""
    names = [name for name in MODELS if any(name == r["model"] for r in documents[0]["rows"])]
    lines = []
    for document in documents:
        rows = {row["model"]: row for row in document["rows"]}
        scores = [show(rows[name]) if name in rows else None for name in names]
        lines.append([document["data"], show(document["gaussian"]), *scores])
    return table(["", GAUSSIAN, *(MODELS[name].row for name in names)], lines)


def estimator(document) -> str:
    """Everybody's held-out log-density on every table, the verdict, and the known truth."""
    rows = document["rows"]
    who = list(rows[0]["means"])
    lines = [
        [row["table"], row["rows"], row["columns"], row["folds"],
         *(_two(row["means"].get(name)) for name in who),
         f"{row['gain']:+.3f} ± {row['error']:.3f}", row["winner"]]
        for row in rows
    ]  # fmt: skip
    header = ["", "n", "D", "folds", *who, "gain", "its largest part"]
    said = f"\n{verdict_on_tables(rows)}."
    if document.get("twonorm_kl"):
        kl, error = document["twonorm_kl"]
        said += " The true density of twonorm is known; KL(truth || FlowDensity) is "
        said += f"{kl:.3f} ± {error:.3f}."
    return table(header, lines) + said + "\n"


PARTS = {
    "Gaussian, Student t": ("Gaussian", "Student t"),
    "mixtures": ("mixture",),
    "affine flows": ("affine flow", "affine flow, white", "small affine flow"),
    "spline flow": ("spline flow", "spline flow of margins", "spline flow, white"),
    "spline flow of modes": ("spline flow of modes",),
}


def weights(document) -> str:
    """What share of FlowDensity was what, on every table, in percent."""
    lines = []
    for row in document["rows"]:
        found = [sum(row["weights"].get(name, 0) for name in names) for names in PARTS.values()]
        shares = [f"{share:.0%}" for share in found]
        largest = int(np.argmax(found))
        shares[largest] = f"**{shares[largest]}**"
        lines.append([row["table"], row["rows"], row["columns"], *shares])
    return table(["", "n", "D", *PARTS], lines)


def outliers(document) -> str:
    """AUROC of everyone on every table, what follows from that, and the verdict."""
    rows = document["rows"]
    lines = [[f"{row['table']} ({row['rule']})", row["n"], row["dim"],
              f"{row['outliers'] / row['n']:.1%}", *(f"{v:.3f}" for v in row["auroc"].values())]
             for row in rows]  # fmt: skip
    _, means, found, top = zip(*summary(rows), strict=True)
    lines += [
        ["mean AUROC", "", "", "", *(f"{value:.3f}" for value in means)],
        ["mean rank", "", "", "", *(f"{value:.2f}" for value in found)],
        ["in the top two", "", "", "", *(f"{value:.0%}" for value in top)],
    ]
    header = [f"{len(rows)} tables", "n", "D", "outliers", *rows[0]["auroc"]]
    said = verdict(rows)
    return table(header, lines) + (f"\n{said[0].upper()}{said[1:]}.\n" if said else "")


def outlier_kinds(document) -> str:
    """AUROC, and in brackets average precision, of everyone on every table and kind."""
    rows = document["rows"]
    lines = [[f"{row['kind']}: {row['table']}", row["n"], row["dim"],
              f"{row['outliers'] / row['n']:.1%}",
              *(f"{v:.3f} ({row['precision'][who]:.2f})" for who, v in row["auroc"].items())]
             for row in sorted(rows, key=lambda row: row["kind"], reverse=True)]  # fmt: skip
    return table(["outliers: table", "n", "D", "share", *rows[0]["auroc"]], lines)


def ranks(rows: list[dict]) -> dict[str, np.ndarray]:
    """{detector: (tables,) its rank}, 1 for the best; who is level shares the mean of the ranks."""
    from scipy.stats import rankdata

    names = list(rows[0]["auroc"])
    found = rankdata([[-row["auroc"][who] for who in names] for row in rows], axis=1)
    return dict(zip(names, found.T, strict=True))


def summary(rows: list[dict]) -> list[tuple[str, float, float, float]]:
    """(detector, mean AUROC, mean rank, share of the tables where it is in the top two)."""
    found = ranks(rows)
    return [(who, float(np.mean([row["auroc"][who] for row in rows])), float(rank.mean()),
             float(np.mean(rank <= 2))) for who, rank in found.items()]  # fmt: skip


def verdict(rows: list[dict]) -> str:
    """The targets, and how far they are met, in a sentence."""
    means = {who: (mean, top) for who, mean, _, top in summary(rows)}
    if US not in means or len(means) < 2:
        return ""
    ours, top = means.pop(US)
    best = max(means, key=lambda who: means[who][0])
    more = ours - means[best][0]
    wins = (f"mean AUROC {ours:.3f}, {more:+.3f} beside the best of PyOD ({best}; target "
            f"{ABOVE:+.2f}: {_met(more >= ABOVE)})")  # fmt: skip
    return f"{wins}; in the top two on {top:.0%} (target {TOP_TWO:.0%}: {_met(top >= TOP_TWO)})"


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
