"""Mutation testing: is a small change of the code noticed by the tests that run through it?

    python tests/tools/mutants.py --record                      # once: the tests, with coverage
    python tests/tools/mutants.py flowcore/core flowcore/networks --number 150 --seed 0

A mutant is flowcore with ONE node of a function's syntax tree changed: a comparison flipped, + to
-, a constant changed, a condition negated, a statement deleted, ... (see `changes`). Mutants are
drawn at random. Of each, the tests that ran through the changed line are run in a copy of the tree
until one fails: then the mutant is killed. One that survives is a line that no test holds in place,
or a change that makes no difference. Texts, messages and annotations are left alone.
"""

import argparse
import ast
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from coverage import Coverage, CoverageData

ROOT = Path(__file__).resolve().parents[2]
LINES, SECONDS = ROOT / ".mutants/lines.coverage", ROOT / ".mutants/seconds.json"
TIME = 30.0  # seconds of tests for each mutant, as they were recorded

OPPOSITE = {
    ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.Eq: ast.NotEq, ast.Is: ast.IsNot,
    ast.In: ast.NotIn,  # codespell:ignore
    ast.Add: ast.Sub, ast.Mult: ast.Div, ast.And: ast.Or,
}  # fmt: skip
OPPOSITE |= {new: old for old, new in OPPOSITE.items()} | {ast.Pow: ast.Mult}
SHOWN = {"__repr__", "__str__", "warn", "note", "show", "named", "_listed", "most", "shown"}
SYMMETRIC = {"add", "multiply", "maximum", "minimum", "max", "min", "logaddexp", "isinstance"}
TEXT = (ast.Raise, ast.JoinedStr, ast.arguments)  # of which nothing is changed


def mutants(path, node=None, statement=None, inside=False):
    """(path, statement, node, text instead of the node): all changes of a file's functions."""
    node = ast.parse((ROOT / path).read_text(encoding="utf-8")) if node is None else node
    statement = node if isinstance(node, ast.stmt) else statement
    inside = inside or isinstance(node, ast.FunctionDef)
    if isinstance(node, TEXT) or name_of(node) in SHOWN:
        return
    if inside:
        yield from ((path, statement, old, new) for old, new in changes(node))
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns", "decorator_list"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from mutants(path, child, statement, inside)


def name_of(node):
    """The name of a function that is defined or called, of an argument, of a variable."""
    node = getattr(node, "func", node)
    names = (getattr(node, field, None) for field in ("id", "attr", "name", "arg"))
    return next(filter(None, names), "")


def changes(node):
    """(node, text instead of it): every way to change a node of a syntax tree."""
    op, test = getattr(node, "op", None), getattr(node, "test", None)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OPPOSITE:
        yield node, changed(node, ops=[OPPOSITE[type(node.ops[0])](), *node.ops[1:]])
    if type(op) in OPPOSITE:  # + - * / **, += and so on, `and`, `or`
        yield node, changed(node, op=OPPOSITE[type(op)]())
    if isinstance(op, (ast.Not, ast.USub)):
        yield node, f"({ast.unparse(node.operand)})"
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        is_bool = isinstance(node.value, bool)
        yield node, repr(not node.value if is_bool else 2 * node.value + 1)
    if isinstance(node, (ast.If, ast.While, ast.IfExp)) and not isinstance(test, ast.Compare):
        yield test, f"(not ({ast.unparse(test)}))"
    if isinstance(node, ast.Return) and node.value is not None:
        yield node, "return None"
    if isinstance(node, ast.Call) and len(node.args) > 1 and name_of(node) not in SYMMETRIC:
        yield node, changed(node, args=[node.args[1], node.args[0], *node.args[2:]])
    target = getattr(node, "targets", [None])[0]
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if is_call or isinstance(target, (ast.Attribute, ast.Subscript)):
        yield node, "pass"


def changed(node, **fields):
    return ast.unparse(type(node)(**dict(ast.iter_fields(node)) | fields))


def mutated(path, node, new):
    """The file's bytes with the text `new` in the place of a node."""
    lines = (ROOT / path).read_bytes().splitlines(keepends=True)
    before = [*lines[: node.lineno - 1], lines[node.lineno - 1][: node.col_offset]]
    after = [lines[node.end_lineno - 1][node.end_col_offset :], *lines[node.end_lineno :]]
    return b"".join([*before, new.encode(), *after])


class Recorder:
    """A plugin of pytest that records the lines each test runs through, and the time it takes."""

    def __init__(self):
        self.coverage = Coverage(LINES, source=["flowcore"], config_file=False)
        self.coverage.set_option("run:relative_files", True)
        self.seconds, self.failed = Counter(), set()

    def pytest_runtest_logstart(self, nodeid):
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] += report.duration
        if not report.passed:
            self.failed.add(report.nodeid)


def record(options):
    """Run the tests once, all or those that pytest's options choose."""
    LINES.parent.mkdir(exist_ok=True)
    LINES.unlink(missing_ok=True)
    recorder = Recorder()
    recorder.coverage.start()
    pytest.main(["-q", "-p", "no:cacheprovider", *options], plugins=[recorder])
    recorder.coverage.stop()
    recorder.coverage.save()
    seconds = {test: s for test, s in recorder.seconds.items() if test not in recorder.failed}
    SECONDS.write_text(json.dumps(seconds))


def tests_of(path, statement):
    """(tests that ran through a statement, their seconds), as many as take `TIME`.

    The quickest case of each test function comes first, then the next ones.
    """
    data, seconds = CoverageData(LINES), json.loads(SECONDS.read_text())
    data.read()
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno
    by_line = data.contexts_by_lineno(path)
    lines = range(statement.lineno, max(last, statement.lineno) + 1)
    found = {test for line in lines for test in by_line.get(line, ()) if test in seconds}
    cases, order = Counter(), []
    for test in sorted(found, key=seconds.get):
        cases[test.partition("[")[0]] += 1
        order.append((cases[test.partition("[")[0]], seconds[test], test))
    chosen, spent = [], 0.0
    for _, cost, test in sorted(order):
        if spent + cost <= TIME:
            chosen, spent = [*chosen, test], spent + cost
    return chosen, spent


def copied(folder):
    """A copy of the tree, as git knows it."""
    for file in subprocess.check_output(["git", "ls-files", "-z"], text=True).split("\0")[:-1]:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes((ROOT / file).read_bytes())


def tried(mutant, folder):
    """What became of a mutant: "killed" or "survived", and by what."""
    path, statement, node, new = mutant
    tests, spent = tests_of(path, statement)
    if not tests:
        return "survived", "no test runs through it"
    (folder / path).write_bytes(mutated(path, node, new))
    (folder / "chosen.txt").write_text("\n".join(tests))
    command = [sys.executable, "-m", "pytest", "-xq", "-p", "no:cacheprovider", "@chosen.txt"]
    own = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(command, cwd=folder, env=own, timeout=60 + 10 * spent,
                             capture_output=True, text=True)  # fmt: skip
    except subprocess.TimeoutExpired:
        return "killed", "it does not end"
    finally:
        (folder / path).write_bytes((ROOT / path).read_bytes())
    failed = [line.split()[1] for line in run.stdout.splitlines() if line.startswith("FAILED")]
    if run.returncode:
        return "killed", f"by {(failed or ['all, since it cannot be imported'])[0]}"
    return "survived", f"{len(tests)} tests"


def main():
    new = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    new.add_argument("paths", nargs="*", help="folders or files, from the root of the repository")
    new.add_argument("--record", nargs=argparse.REMAINDER, help="and pytest's options, if any")
    new.add_argument("--number", type=int, default=20, help="how many mutants (20)")
    new.add_argument("--seed", type=int, default=0, help="that draws them (0)")
    args = new.parse_args()
    os.chdir(ROOT)
    if args.record is not None:
        return record(args.record)
    files = [file for p in map(Path, args.paths) for file in ([p], p.rglob("*.py"))[p.is_dir()]]
    if late := [str(f) for f in files if f.stat().st_mtime > LINES.stat().st_mtime]:
        sys.exit(f"changed since the tests were recorded, so record again: {', '.join(late)}")
    found = [mutant for file in sorted(map(str, files)) for mutant in mutants(file)]
    found = random.Random(args.seed).sample(found, min(args.number, len(found)))
    print(f"seed {args.seed}: {len(found)} mutants of {len(files)} files", flush=True)
    fates = Counter()
    with tempfile.TemporaryDirectory() as folder:
        copied(Path(folder))
        for path, statement, node, new in found:
            fate, why = tried((path, statement, node, new), Path(folder))
            fates[fate] += 1
            old = ast.unparse(node).split("\n")[0]
            print(f"{fate:8} {path}:{node.lineno}  {old:.60}  ->  {new:.60}  ({why})", flush=True)
    print(f"{fates['killed']} of {len(found)} killed: {fates['killed'] / len(found):.0%}")


if __name__ == "__main__":
    main()
