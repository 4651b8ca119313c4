"""What `infer` promises, on targets with a known truth: one row a fit.

An answer is right if every mean is within .1 sd, every sd within 10%, and log Z within .05 nats. It
has all modes if the weighted draws give every mode at least half of its share. The word is "modes",
in the verdict.
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np

import flowcore as fc
from flowcore.inference.space import flat

from .awkward import Awkward
from .exact import Truth
from .several import FIRST_SEED

MEAN, DEVIATION, NATS = 0.1, 0.1, 0.05  # sds; a share; nats: beyond these an answer is wrong
OF_SHARE = 0.5  # of a mode's share, in the weighted draws
REFERENCE = 200_000  # exact draws, for means and sds
WORD = "modes"
REFUSALS = (ValueError, TypeError)  # in a sentence, for a target that has no answer


class Counted:
    """A target, and at how many rows it was computed."""

    def __init__(self, log_p: Callable):
        self.log_p, self.rows = log_p, 0

    def __call__(self, x):
        self.rows += len(next(iter(x.values())) if isinstance(x, Mapping) else x)
        return self.log_p(x)


def fitted(truth: Truth, seed: int, **options):
    """(Inference, rows of the target, CPU seconds)."""
    target, started = Counted(truth.log_p), time.process_time()
    dim = None if isinstance(truth.support, dict) else truth.dim
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fc.infer(target, dim, support=truth.support, rng=seed, **options)
    return found, target.rows, time.process_time() - started


def answers(targets: Mapping[str, Callable[[], Truth]], runs: int = 1, **options) -> Iterator[dict]:
    """`infer` as it comes, `runs` seeds of each target; an exception is a row, too."""
    for name, make in targets.items():
        truth = make()
        for seed in range(FIRST_SEED, FIRST_SEED + runs):
            row = {"target": name, "D": truth.dim, "modes": len(truth.shares), "seed": seed}
            try:
                found, rows, seconds = fitted(truth, seed, **options)
            except Exception as error:
                yield row | _of_crash(error)
            else:
                yield row | judged(found, truth) | {"rows": rows, "seconds": seconds, "crash": ""}


def judged(found, truth: Truth) -> dict:
    """The answer beside the truth."""
    mean, deviation = errors(found, truth)
    off, error = found.log_evidence[0] - truth.log_z, found.log_evidence[1]
    right = mean <= MEAN and deviation <= DEVIATION and abs(off) <= NATS
    verdict = found.verdict
    return {
        "log Z - exact": off, "+-": error, "mean": mean, "sd": deviation,
        "least share": least_share(found, truth), "k-hat": found.k_hat,
        "ESS": found.effective_sample_size, "trusted": found.trusted, "word": WORD in verdict,
        "right": bool(right), "in two errors": bool(abs(off) <= 2 * error),
    }  # fmt: skip


def _of_crash(error: Exception) -> dict:
    nothing = dict.fromkeys(["log Z - exact", "+-", "mean", "sd", "least share", "k-hat"], np.nan)
    return nothing | {
        "ESS": 0.0, "trusted": False, "word": False, "right": False, "in two errors": False,
        "rows": 0, "seconds": np.nan, "crash": f"{type(error).__name__}: {error!s:.80}",
    }  # fmt: skip


def errors(found, truth: Truth) -> tuple[float, float]:
    """(the largest error of a mean, in sds; of an sd, relative) of weighted draws."""
    exact = truth.sample(REFERENCE, np.random.default_rng(0))
    sd = exact.std(axis=0) if truth.deviation is None else truth.deviation
    judged_ones = np.isfinite(sd)
    if not judged_ones.any():
        return 0.0, 0.0
    x, w = flat(found.draws), found.weights[:, None]
    mean = np.sum(w * x, axis=0)
    own = np.sqrt(np.sum(w * (x - mean) ** 2, axis=0))
    off, ratio = np.abs(mean - exact.mean(axis=0)) / sd, np.abs(own / sd - 1)
    return float(off[judged_ones].max()), float(ratio[judged_ones].max())


def least_share(found, truth: Truth) -> float:
    """The least of weighted share / true share, over the modes."""
    if truth.who is None:
        return 1.0
    own = np.bincount(truth.who(flat(found.draws)), found.weights, len(truth.shares))
    return float(np.min(own / np.asarray(truth.shares)))


def all_found(row: Mapping) -> bool:
    return bool(row["least share"] >= OF_SHARE)


def crashes(targets: Mapping[str, Awkward], runs: int = 1, **options) -> Iterator[dict]:
    """What happens on each awkward target: an answer, a refusal in a sentence, or a crash."""
    for name, target in targets.items():
        for seed in range(FIRST_SEED, FIRST_SEED + runs):
            yield {"target": name, "seed": seed} | happened(target, seed, **options)


def happened(target: Awkward, seed: int, **options) -> dict:
    """A crash is an exception where there is an answer, or one that is no refusal; or a warning
    that is not flowcore's own. "wrong": trusted, with a log Z that is off or does not exist."""
    started = time.process_time()
    row = {"outcome": "answer", "trusted": False, "log Z - exact": np.nan, "wrong": False}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = fc.infer(target.log_p, target.dim, rng=seed, **target.options, **options)
            text = f"{found}"  # means, evidence and verdict, too
            row |= {"trusted": found.trusted, "words": text.splitlines()[-1][:160]}
            if target.log_z is not None:
                row["log Z - exact"] = found.log_evidence[0] - target.log_z
            row["wrong"] = found.trusted and (
                not target.proper or bool(abs(row["log Z - exact"]) > NATS)
            )
        except Exception as error:
            refused = isinstance(error, REFUSALS) and target.may_refuse
            place = "" if refused else f" ({traceback.extract_tb(error.__traceback__)[-1].name})"
            row |= {"outcome": "refusal" if refused else "crash",
                    "words": f"{type(error).__name__}: {error!s:.160}{place}"}  # fmt: skip
    numbers = [one for one in caught if issubclass(one.category, RuntimeWarning)]
    row["warnings"] = len(numbers)
    return row | {"seconds": time.process_time() - started}


def summary_of_answers(rows: list[dict]) -> str:
    """The lines of the targets' table."""
    of_many = [row for row in rows if row["modes"] > 1]
    of_one = [row for row in rows if row["modes"] == 1]
    wrong = [row for row in rows if row["trusted"] and not row["right"]]
    silent = [row for row in wrong if not row["word"]]
    fits = [row for row in rows if all_found(row) and not row["crash"]]
    inside, sure = ([row for row in own if row["in two errors"]]
                    for own in (fits, [row for row in fits if row["trusted"]]))  # fmt: skip
    right = [row for row in rows if row["right"]]
    seconds = np.array([row["seconds"] for row in rows])
    return "\n".join([
        f"wrong: a mean off by {MEAN} sd, an sd by {DEVIATION:.0%}, log Z by {NATS} nats",
        f"trusted and wrong: {len(wrong)} of {len(rows)}; without the word {WORD!r}: {len(silent)}"
        + "".join(f"\n  {row['target']}, seed {row['seed']}" for row in silent),
        f"all modes found: {sum(map(all_found, of_many))} of {len(of_many)}"
        + "".join(f"\n  not: {row['target']}, seed {row['seed']}"
                  for row in of_many if not all_found(row)),
        f"the word absent where there is one mode: {sum(not row['word'] for row in of_one)} of "
        f"{len(of_one)}",
        f"crashes: {sum(bool(row['crash']) for row in rows)} of {len(rows)}",
        f"log Z within two of its errors, all modes found: {len(inside)} of {len(fits)}; trusted "
        f"ones: {len(sure)} of {sum(row['trusted'] for row in fits)}",
        f"right: {len(right)} of {len(rows)}; right and refused: "
        f"{sum(not row['trusted'] for row in right)}",
        f"CPU seconds: {np.nansum(seconds):.0f}, median {np.nanmedian(seconds):.1f}; rows of the "
        f"target: median {np.median([row['rows'] for row in rows]):,.0f}",
    ])  # fmt: skip


def summary_of_crashes(rows: list[dict]) -> str:
    count = {kind: sum(row["outcome"] == kind for row in rows)
             for kind in ("answer", "refusal", "crash")}  # fmt: skip
    return "\n".join([
        ", ".join(f"{kind}: {n}" for kind, n in count.items()) + f", of {len(rows)}",
        *(f"  {row['target']}, seed {row['seed']}: {row['words']}"
          for row in rows if row["outcome"] == "crash"),
        f"trusted and wrong, or improper: {sum(row['wrong'] for row in rows)}",
        *(f"  {row['target']}, seed {row['seed']}" for row in rows if row["wrong"]),
        f"with warnings of numbers: {sum(row['warnings'] > 0 for row in rows)}",
        f"CPU seconds: {sum(row['seconds'] for row in rows):.0f}",
    ])  # fmt: skip
