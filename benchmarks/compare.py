"""Did anything get slower? The quick benchmarks against a stored baseline.

    python -m benchmarks.compare [--baseline benchmarks/baseline.json] [--only density ...]
    python -m benchmarks.compare --update            # measure and rewrite the baseline

Every row is compared in units of the control workload, which takes its turn in the same rounds, so
that a slower machine is not a slower flowcore. A row is *slower* when its median exceeds the
baseline's by more than --tolerance and the quartiles of the two do not overlap; it is measured
again, --again times at most, before it is called so. Network passes are counted, so any more of
them is *more work*. The exit code is 1 if a row is slower, does more work or is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from importlib import import_module
from pathlib import Path

from .support.common import bare_parser, machine, print_table, write_json

BENCHMARKS = ("density", "training_step", "sampling", "maf_iaf_cost")
BASELINE = Path(__file__).parent / "baseline.json"
BAD = ("slower", "more work", "gone")


def main(argv=None) -> int:
    args = _parser().parse_args(argv)
    if not args.update and not args.baseline.exists():
        print(f"there is no {args.baseline}: make one with --update", file=sys.stderr)
        return 2
    found = measure(args.only, args)
    if args.update:
        update(args.baseline, args.only, found)
        return 0
    baseline = json.loads(args.baseline.read_text("utf-8"))
    _warn_if_other_machine(baseline["machine"])
    old = {name: row for name, row in baseline["rows"].items() if _benchmark(name) in args.only}
    verdicts = compare(old, found, args.tolerance)
    for _ in range(args.again):
        doubtful = {_benchmark(name) for name, verdict in verdicts.items() if verdict == "slower"}
        if not doubtful:
            break
        keep_faster(found, measure([name for name in args.only if name in doubtful], args))
        verdicts = compare(old, found, args.tolerance)
    show(old, found, verdicts, everything=args.all)
    if args.json:
        write_json(args.json, {"machine": machine(), "rows": found, "verdicts": verdicts})
    return int(any(verdict in BAD for verdict in verdicts.values()))


def _parser() -> argparse.ArgumentParser:
    new = bare_parser(__doc__)
    new.add_argument("--baseline", metavar="FILE", type=Path, default=BASELINE)
    new.add_argument("--update", action="store_true", help="rewrite the baseline")
    new.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    new.add_argument("--tolerance", type=float, default=0.25, help="ratio - 1 that is too much")
    new.add_argument("--again", type=int, default=2, help="measurements of what looks slower")
    new.add_argument("--all", action="store_true", help="show the unchanged rows, too")
    new.add_argument("--json", metavar="FILE", type=Path)
    new.add_argument("--rounds", type=int, default=15)
    new.add_argument("--seconds", type=float, default=0.02, help="of one contestant a round")
    return new


def update(path: Path, benchmarks, found: dict) -> None:
    """Replace what the baseline knows about these benchmarks."""
    stored = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else {}
    others = {name: row for name, row in stored.items() if _benchmark(name) not in benchmarks}
    write_json(path, {"machine": machine(), "rows": {**others, **found}})
    print(f"{len(found)} rows written to {path}")


def measure(benchmarks, args) -> dict[str, dict]:
    """{"benchmark/row": {median, q1, q3 in units of the control, passes if counted}, ...}."""
    found = {}
    for name in benchmarks:
        print(f"running {name} --quick ...", flush=True)
        run = import_module(f"{__package__}.{name}").main
        with contextlib.redirect_stdout(io.StringIO()):
            options = ["--rounds", str(args.rounds), "--seconds", str(args.seconds)]
            report = run(["--quick", *options])
        if not report.steady:
            print(f"  the machine was busy during {name}: the control's time varied a lot")
        for row in report.rows:
            counted = {"passes": row["passes"]} if "passes" in row else {}
            found[f"{name}/{row['name']}"] = {**row["per_control"], **counted}
    return found


def compare(old: dict, new: dict, tolerance: float) -> dict[str, str]:
    """The verdict on every row: "slower", "more work", "faster", "same", "gone" or "new"."""
    verdicts = {name: _verdict(old[name], new[name], tolerance) for name in old if name in new}
    verdicts.update((name, "gone") for name in old if name not in new)
    verdicts.update((name, "new") for name in new if name not in old)
    return verdicts


def _verdict(old: dict, new: dict, tolerance: float) -> str:
    if new.get("passes", 0.0) > 1.001 * old.get("passes", float("inf")):
        return "more work"
    if new["median"] > (1 + tolerance) * old["median"] and new["q1"] > old["q3"]:
        return "slower"
    if old["median"] > (1 + tolerance) * new["median"] and old["q1"] > new["q3"]:
        return "faster"
    return "same"


def keep_faster(found: dict, again: dict) -> None:
    """Of two measurements of a row keep the faster: a busy machine only ever adds time."""
    for name, row in again.items():
        if row["median"] < found[name]["median"]:
            found[name] = row


def show(old: dict, new: dict, verdicts: dict[str, str], everything: bool) -> None:
    """What changed, worst first, and how many rows did not."""
    table = []
    for name, verdict in verdicts.items():
        if name in old and name in new:
            before, now = old[name]["median"], new[name]["median"]
            table.append([name, before, now, now / before, verdict])
        else:
            table.append([name, "-", "-", float("nan"), verdict])
    shown = [row for row in table if everything or row[-1] != "same"]
    if shown:
        shown.sort(key=lambda row: (row[-1] not in BAD, -row[3]))
        print_table(["row", "baseline / control", "now / control", "ratio", ""], shown)
    verdicts = list(verdicts.values())
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def _benchmark(name: str) -> str:
    return name.partition("/")[0]


def _warn_if_other_machine(stored: dict) -> None:
    now = machine()
    different = [k for k in ("cpu", "blas", "numpy") if stored.get(k) != now[k]]
    for key in different:
        print(f"note: the baseline's {key} was {stored.get(key)}, this is {now[key]}")


if __name__ == "__main__":
    sys.exit(main())
