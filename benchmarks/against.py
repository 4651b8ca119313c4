"""Did anything get worse, or slower? This checkout and another one, in one run.

    python -m benchmarks.against HEAD~20 [--tables NAMES] [--cases AC] [--starts 3] [--json FILE]

A checkout is a commit, which is checked out into a temporary folder, or the root of a checkout.

Quality comes first: the mean log p of fresh rows of ten tables (`python -m benchmarks.held_out`),
in nats, and the difference with its standard error. It is a loss if it is below -.03 in the mean of
the small or of the middle tables. `--tables none` leaves it out.

Then seconds, with one BLAS thread. Each checkout runs in a process of its own, with the same Python
and packages, and they take turns, round after round, forwards and backwards. A second process of
the other checkout is the control: what differs between two processes of the same code is noise. All
three are started afresh, three times, since a process that began on a bad page keeps it.

Measured, in float32: a training step as `fit` makes it, a density of one batch, autograd's value
and gradient of it, 1000 samples; and the last three of a flow that has just been made
(`with_params`), whose first call has to prepare what later ones reuse. "now / before" is the median
ratio within a round; "control" is the range of the same ratio for the control, over the starts. A
cell is slower, or faster, if its ratio is outside of this range, and of 1, by .05.

Counted, without a clock and with one thread: multiply-adds of the network, and the calls of
flowcore's functions. More of the first, or 1.05 times the second, is more work. The exit code is 1
if there is a loss, or if a cell is slower or does more work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]
WHAT = ("step", "density", "gradient", "sample", "first density", "first gradient", "first sample")
SIDES = ("this", "other", "control")
TOLERANCE = 0.05  # of a ratio
LOSS, MIDDLE = 0.03, 1_000  # nats, in the mean of tables with fewer rows than MIDDLE, and of others


def main(argv=None) -> int:
    from .support.common import machine, parse, parser, print_machine, write_json

    options = parser(__doc__, rounds=6)
    options.add_argument("other", help="a commit, or the root of another checkout")
    options.add_argument("--this", default=str(HERE), help="this one, if it is not where you are")
    options.add_argument("--tables", nargs="+", help="of `held_out` (all); none: seconds only")
    options.add_argument("--cases", default="ABCD", help="which of the cases A to E")
    options.add_argument("--starts", type=int, default=3, help="fresh starts of the processes (3)")
    args = parse(options, argv)
    print_machine("against", machine())
    with checkout(args.this) as this, checkout(args.other) as other:
        nats = [] if args.tables == ["none"] else differences(this, other, args.tables or [])
        lost = loss(nats)
        rows = measured(this, other, args)
    print(rendered(rows))
    if args.json:
        document = {"benchmark": "against", "machine": machine(), "nats": nats, "rows": rows}
        write_json(args.json, document)
    return int(lost or any(row["verdict"] in ("slower", "more work") for row in rows))


def differences(this: Path, other: Path, tables: list[str]) -> list[dict]:
    """The held-out nats of both on each table, printed; [] for all tables."""
    now, before = (held_out(root, tables) for root in (this, other))
    rows = []
    for name, own in now.items():
        gain = np.subtract(own["log_p"], before[name]["log_p"])
        rows.append({
            "name": name, "n": own["n"], "now": float(np.mean(own["log_p"])),
            "gain": float(gain.mean()), "error": float(gain.std() / len(gain) ** 0.5),
            "seconds": own["seconds"], "seconds before": before[name]["seconds"],
        })  # fmt: skip
    print(
        "| table | rows | nats | over the other | CPU s | of the other |\n|---|---|---|---|---|---|"
    )
    for row in rows:
        print("| {name} | {n:,} | {now:.3f} | {gain:+.3f} +- {error:.3f} | {seconds:.0f} | "
              "{seconds before:.0f} |".format(**row))  # fmt: skip
    return rows


def loss(rows: list[dict]) -> bool:
    """Whether small or middle tables lose more than LOSS nats in the mean."""
    lost = False
    for what, some in (("small", [row for row in rows if row["n"] < MIDDLE]),
                       ("middle", [row for row in rows if row["n"] >= MIDDLE])):  # fmt: skip
        if some:
            gain = float(np.mean([row["gain"] for row in some]))
            print(f"{what} tables: {gain:+.3f} nats in the mean")
            lost |= gain < -LOSS
    return lost


def held_out(root: Path, tables: list[str]) -> dict:
    """What `held_out.py`, which stands beside this file, finds with the flowcore of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nats.json"
        chosen = ["--tables", *tables] if tables else []
        command = [sys.executable, str(Path(__file__).with_name("held_out.py")), *chosen]
        env = {**os.environ, "PYTHONPATH": str(root.resolve())}
        subprocess.run([*command, "--json", str(file)], env=env, check=True, cwd=folder,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        return {row["name"]: row for row in json.loads(file.read_text())["rows"]}


@contextmanager
def checkout(name: str) -> Iterator[Path]:
    """The folder; of a commit a temporary one, which git forgets afterwards."""
    if Path(name).is_dir():
        yield Path(name)
        return
    git = ["git", "-C", str(HERE), "worktree"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "checkout"
        subprocess.run([*git, "add", "--quiet", "--detach", str(root), name], check=True)
        try:
            yield root
        finally:
            subprocess.run([*git, "remove", "--force", str(root)], check=True)


def measured(this: Path, other: Path, args) -> list[dict]:
    cells = {f"{case} {what}": (case, what) for case in args.cases for what in WHAT}
    timings: dict = {name: [] for name in cells}
    counted: dict = {}
    for _ in range(args.starts):
        with ExitStack() as stack:
            roots = zip(SIDES, (this, other, other), strict=True)
            sides = {side: stack.enter_context(process_of(root)) for side, root in roots}
            for name, cell in cells.items():
                timings[name].append(timed(sides, cell, args))
                if name not in counted:
                    counted[name] = [ask(sides[s], cell, count=True) for s in ("this", "other")]
    return [row(name, timings[name], *counted[name]) for name in cells]


def timed(sides: dict, cell: tuple, args):
    """`interleave` with an even number of rounds: forwards, then backwards."""
    from .support.timing import interleave

    turns = {name: Turn(side, cell) for name, side in sides.items()}
    backwards = dict(reversed(turns.items()))
    rounds = -(-args.rounds // 2)
    return joined([interleave(order, rounds, args.seconds) for order in (turns, backwards)])


def joined(parts: list):
    from .support.timing import Timings

    return Timings({side: np.concatenate([t.seconds[side] for t in parts]) for side in SIDES})


def row(name: str, starts: list, now: dict, before: dict) -> dict:
    found = joined(starts)
    control = [t.ratio("control", "other").median for t in starts]
    ratio = found.ratio("this", "other").median
    return {
        "name": name,
        **{s: found.spread(s)._asdict() for s in SIDES},
        "now / before": ratio,
        "control": [min(control), max(control)],
        **{f"{what} now": now[what] for what in now},
        **{f"{what} before": before[what] for what in before},
        "verdict": verdict(ratio, control, now, before),
    }


def verdict(ratio: float, control: list, now: dict, before: dict) -> str:
    if now["products"] > before["products"] or now["calls"] > (1 + TOLERANCE) * before["calls"]:
        return "more work"
    if ratio > max(1.0, *control) + TOLERANCE:
        return "slower"
    return "faster" if ratio < min(1.0, *control) - TOLERANCE else ""


class Turn:
    """One kind of work in one of the processes, for `interleave`."""

    def __init__(self, process, cell: tuple):
        self.process, self.cell = process, cell

    def time(self, repeats: int) -> float:
        return ask(self.process, self.cell, repeats=repeats)["seconds"]


def ask(process, cell: tuple, **how) -> dict:
    return process.ask(case=cell[0], what=cell[1], **how)


def process_of(root: Path):
    """A process that works with one checkout. All else in it is this file's side."""
    from .support.process import Process

    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    env = {**os.environ, **one, "PYTHONPATH": str(root.resolve())}
    return Process(str(root), [sys.executable, __file__, "--serve"], env=env, cwd=root)


def serve() -> None:
    """Lines of JSON in and out; flowcore is the checkout's."""
    works: dict = {}
    for line in sys.stdin:
        asked = json.loads(line)
        key = asked["case"], asked["what"]
        if key not in works:
            works[key] = Work(*key)
        work = works[key]
        found = work.counts() if "count" in asked else {"seconds": work.time(asked["repeats"])}
        print(json.dumps(found), flush=True)


class Work:
    """What is timed and counted, by the cases that stand beside this file."""

    def __init__(self, case: str, what: str):
        import autograd.numpy as anp
        from autograd import value_and_grad
        from support.cases import CASES
        from support.fit_step import FitStep

        dtype = np.float32
        self.flow, x = CASES[case].flow(dtype=dtype), CASES[case].data(dtype=dtype)
        self.step = FitStep(self.flow, x) if what == "step" else None
        self.first = what.startswith("first ")

        def gradient(flow):
            return value_and_grad(lambda theta: -anp.mean(flow.log_prob(x, params=theta)))(
                flow.params
            )

        self.call = {
            "step": None,
            "density": lambda flow: flow.log_prob(x),
            "gradient": gradient,
            "sample": lambda flow: flow.sample(1000, rng=0),
        }[what.removeprefix("first ")]

    def time(self, n: int) -> float:
        """Seconds of n calls."""
        if self.step:
            return self.step.time(n)
        flows = [self._flow() for _ in range(n)]  # each is gone after its call
        start = time.perf_counter()
        for _ in range(n):
            self.call(flows.pop())
        return time.perf_counter() - start

    def _flow(self):
        return self.flow.with_params(self.flow.params.copy()) if self.first else self.flow

    def counts(self) -> dict:
        """{"products": multiply-adds, "calls": of flowcore's functions} of one call."""
        from support.cases import count_multiply_adds
        from support.fit_step import BEFORE

        os.environ["FLOWCORE_THREADS"] = "1"  # others are not counted
        try:
            if self.step:
                fewer, more = (calls_of(partial(self.step.fit, BEFORE + i)) for i in (0, 1))
                return {"products": self.step.multiply_adds(), "calls": more - fewer}
            products = count_multiply_adds(self.call, self.flow)
            return {"products": products, "calls": calls_of(partial(self.call, self._flow()))}
        finally:
            del os.environ["FLOWCORE_THREADS"]


def calls_of(run) -> int:
    """The calls of flowcore's functions while run() runs."""
    import flowcore

    home, count = str(Path(flowcore.__file__).parent), 0

    def profile(frame, event, _):
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(home)

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


def rendered(rows: list[dict]) -> str:
    from .support.cases import CASES
    from .support.markdown import milliseconds, table

    lines, seen = [], set()
    for row in rows:
        letter, _, what = row["name"].partition(" ")
        case = "" if letter in seen else f"{CASES[letter]} rows".replace("batch ", "")
        seen.add(letter)
        low, high = row["control"]
        lines.append([
            case, what, milliseconds(row["other"]), milliseconds(row["this"]),
            f"{row['now / before']:.2f}", f"{low:.2f} to {high:.2f}",
            change(row, "calls"), change(row, "products"), row["verdict"],
        ])  # fmt: skip
    head = ["case", "", "before, ms", "now, ms", "now / before", "control", "calls", "products", ""]
    return table(head, lines)


def change(row: dict, what: str) -> str:
    before, now = row[f"{what} before"], row[f"{what} now"]
    return f"{now:,}" if now == before else f"{before:,} -> {now:,}"


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else sys.exit(main())
