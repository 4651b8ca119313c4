"""Is this checkout faster than another one? Both in turn, in one run, with one BLAS thread.

    python -m benchmarks.against HEAD~20 [--cases AC] [--rounds 9] [--json against.json]

The other one is a commit, which is checked out into a temporary folder, or the root of a checkout.
Each of them runs in a process of its own, with the same Python and packages, and they take turns,
round after round. Measured, in float32: a training step as `fit` makes it, a density of one batch,
autograd's value and gradient of it, 1000 samples; and the same three of a flow that has just been
made (`with_params`), whose first call has to prepare what later ones reuse. The last column is the
median ratio within a round: below 1, this checkout is faster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
WHAT = ("step", "density", "gradient", "sample", "first density", "first gradient", "first sample")
NAMES = {
    "step": "training step with Adam",
    "density": "density; first",
    "gradient": "autograd's value and gradient; first",
    "sample": "1000 samples; first",
}


def main(argv=None):
    from .support.common import Report, parse, parser

    options = parser(__doc__, rounds=9)
    options.add_argument("other", help="a commit, or the root of another checkout")
    options.add_argument("--cases", default="ABCD", help="which of the cases A to E")
    report = Report("against", parse(options, argv))
    with checkout(report.args.other) as root, at(HERE) as this, at(root) as other:
        for case in report.args.cases:
            for what in WHAT:
                turns = {"this": Turn(this, case, what), "other": Turn(other, case, what)}
                timings = report.interleave(turns)
                ratio, name = timings.ratio("this", "other"), f"{case} {what}"
                before = timings.spread("other")._asdict()
                report.add(name, timings, "this", other=before, per_other=ratio._asdict())
    print(rendered(report.as_dict()))
    return report.finish()


@contextmanager
def checkout(other: str) -> Iterator[Path]:
    """The folder; of a commit a temporary one, which git forgets afterwards."""
    if Path(other).is_dir():
        yield Path(other)
        return
    git = ["git", "-C", str(HERE), "worktree"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "checkout"
        subprocess.run([*git, "add", "--quiet", "--detach", str(root), other], check=True)
        try:
            yield root
        finally:
            subprocess.run([*git, "remove", "--force", str(root)], check=True)


class Turn:
    """One kind of work in one of the processes, for `interleave`."""

    def __init__(self, process, case: str, what: str):
        self.process, self.asked = process, {"case": case, "what": what}

    def time(self, repeats: int) -> float:
        return self.process.ask(**self.asked, repeats=repeats)["seconds"]


def at(checkout: Path):
    """A process that works with one checkout."""
    from .support.process import Process

    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    env = {**os.environ, **one, "PYTHONPATH": str(checkout.resolve())}
    return Process(str(checkout), [sys.executable, __file__, "--serve"], env=env, cwd=checkout)


def serve() -> None:
    """Lines of JSON in and out; flowcore and its cases are the checkout's."""
    works: dict = {}
    for line in sys.stdin:
        asked = json.loads(line)
        key = asked["case"], asked["what"]
        if key not in works:
            works[key] = work(*key)
        print(json.dumps({"seconds": works[key](asked["repeats"])}), flush=True)


def work(case: str, what: str):
    """A function of n: seconds of n calls."""
    import autograd.numpy as anp
    import numpy as np
    from autograd import value_and_grad
    from support.fit_step import FitStep  # beside this file: the same for both checkouts

    try:
        from benchmarks.support.cases import CASES
    except ImportError:  # of a checkout where it stood beside the benchmarks
        from benchmarks.cases import CASES

    dtype = np.float32
    flow, x = CASES[case].flow(dtype=dtype), CASES[case].data(dtype=dtype)
    if what == "step":
        return FitStep(flow, x).time

    def gradient(flow):
        return value_and_grad(lambda theta: -anp.mean(flow.log_prob(x, params=theta)))(flow.params)

    call = {
        "density": lambda flow: flow.log_prob(x),
        "gradient": gradient,
        "sample": lambda flow: flow.sample(1000, rng=0),
    }[what.removeprefix("first ")]
    if not what.startswith("first "):
        return lambda n: seconds_of(lambda: call(flow) for _ in range(n))

    def fresh(n):
        flows = [flow.with_params(flow.params.copy()) for _ in range(n)]
        return seconds_of(partial(call, flows.pop()) for _ in range(n))  # each is gone then

    return fresh


def seconds_of(calls) -> float:
    start = time.perf_counter()
    for call in calls:
        call()
    return time.perf_counter() - start


def rendered(document) -> str:
    """Every case and work; "first" is the first call of an object that was just made."""
    from .support.cases import CASES
    from .support.markdown import milliseconds, table
    from .support.timing import significant

    rows = {row["name"]: row for row in document["rows"]}
    lines = []
    for letter in dict.fromkeys(name[0] for name in rows):
        for k, what in enumerate(w for w in WHAT if not w.startswith("first ")):
            pair = [rows[n] for n in (f"{letter} {what}", f"{letter} first {what}") if n in rows]
            before, now = (
                "; ".join(significant(milliseconds(row[key])) for row in pair)
                for key in ("other", "seconds")
            )
            ratios = "; ".join(f"{row['per_other']['median']:.2f}" for row in pair)
            case = f"{CASES[letter]} rows".replace("batch ", "") if k == 0 else ""
            lines.append([case, NAMES[what], before, now, ratios])
    return table(["case", "", "before", "now", "now / before"], lines)


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else main()
