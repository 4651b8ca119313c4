"""Mutation testing: is a small change of the code noticed by the tests that run through it?

    python tests/tools/mutants.py --record                      # once: the tests, with coverage
    python tests/tools/mutants.py flowcore/core flowcore/networks --number 150 --seed 0
    python tests/tools/mutants.py --diff mine/*.diff            # mutants that somebody wrote

A mutant is flowcore with ONE node of a function's syntax tree changed: a comparison flipped, + to
-, a constant changed, a condition negated, a statement deleted, ... (see `changes`). Mutants are
drawn at random. Of each, the tests that ran through the changed line are run in a copy of the tree
until one fails: then the mutant is killed. One that survives is a line that no test holds in place,
or a change that makes no difference. Texts, messages and annotations are left alone. Test
files that are newer than the record are run whole, too.
"""

import argparse
import ast
import difflib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from coverage import Coverage, CoverageData

ROOT = Path(__file__).resolve().parents[2]
LINES, SECONDS = ROOT / ".mutants/lines.coverage", ROOT / ".mutants/seconds.json"

OPPOSITE = {
    ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.Eq: ast.NotEq, ast.Is: ast.IsNot,
    ast.In: ast.NotIn,  # codespell:ignore
    ast.Add: ast.Sub, ast.Mult: ast.Div, ast.And: ast.Or,
}  # fmt: skip
OPPOSITE |= {new: old for old, new in OPPOSITE.items()} | {ast.Pow: ast.Mult}
SHOWN = {"__repr__", "__str__", "_listed", "warn", "note", "show", "named", "most", "shown"}
SYMMETRIC = {"add", "multiply", "maximum", "minimum", "max", "min", "logaddexp", "clip"}
SYMMETRIC |= {"isinstance", "hasattr", "getattr"}  # no, but an error at once
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


def lines_of(statement):
    """The lines of a statement; of one with a body, those of its head."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)


def drawn(path, statement, node, new):
    """A mutant to be tried: (path, lines, the file's bytes, what to print)."""
    old = ast.unparse(node).split("\n")[0]
    shown = f"{path}:{node.lineno}  {old:.60}  ->  {new:.60}"
    return path, set(lines_of(statement)), mutated(path, node, new), shown


def written(diff, folder):
    """The same of a mutant that a diff describes: the lines are those of the changed statements."""
    subprocess.run(["git", "apply", str(diff)], cwd=folder, check=True)
    path = re.search(r"^\+\+\+ b/(\S+)", diff.read_text(encoding="utf-8"), re.M)[1]
    old, new = (ROOT / path).read_bytes(), (folder / path).read_bytes()
    before, after = old.splitlines(), new.splitlines()
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed_lines = {i for tag, a, b, *_ in blocks if tag != "equal" for i in range(a, b + 1)}
    lines = set(changed_lines)
    for statement in ast.walk(ast.parse(old)):
        if isinstance(statement, ast.stmt) and changed_lines & set(lines_of(statement)):
            lines |= set(lines_of(statement))
    return path, lines, new, f"{diff.name} {path}:{min(changed_lines, default=0)}"


def tests_of(path, lines, most):
    """(tests, their number, seconds) of those that ran through some lines, of `most` seconds.

    The quickest case of each test function comes first, then the next ones.
    """
    data, seconds = CoverageData(LINES), json.loads(SECONDS.read_text())
    data.read()
    by_line = data.contexts_by_lineno(path)
    found = {test for line in lines for test in by_line.get(line, ()) if test in seconds}
    found = {test for test in found if Path(test.partition("::")[0]).exists()}
    cases, order = Counter(), []
    for test in sorted(found, key=seconds.get):
        cases[test.partition("[")[0]] += 1
        order.append((cases[test.partition("[")[0]], seconds[test], test))
    chosen, spent = [], 0.0
    for _, cost, test in sorted(order):
        if spent + cost <= most:
            chosen, spent = [*chosen, test], spent + cost
    return chosen, len(order), spent


def copied(folder):
    """A copy of the tree, as git knows it."""
    files = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], text=True)
    for file in files.split("\0")[:-1]:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes((ROOT / file).read_bytes())


def tried(mutant, folder, most):
    """What became of a mutant: "killed" or "survived", and by what."""
    path, lines, content, _ = mutant
    tests, n, spent = tests_of(path, lines, most)
    written_in = [*Path("tests").rglob("test_*.py"), *Path("tests").rglob("cases_*.txt")]
    newer = [str(f) for f in sorted(written_in) if is_newer(f)]
    tests = [t for t in tests if t.partition("::")[0] not in newer] + newer
    if not tests:
        (folder / path).write_bytes((ROOT / path).read_bytes())
        return "survived", "no test runs through it"
    (folder / path).write_bytes(content)
    (folder / "chosen.txt").write_text("\n".join(tests))
    command = [sys.executable, "-m", "pytest", "-xq", "-p", "no:cacheprovider", "@chosen.txt"]
    own = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(command, cwd=folder, env=own, timeout=120 + 10 * spent,
                             capture_output=True, text=True)  # fmt: skip
    except subprocess.TimeoutExpired:
        return "killed", "it does not end"
    finally:
        (folder / path).write_bytes((ROOT / path).read_bytes())
    if run.returncode == pytest.ExitCode.USAGE_ERROR:
        sys.exit(f"record again, for a test is not found: {run.stdout}{run.stderr}")
    failed = [line[7:] for line in run.stdout.splitlines() if line.startswith("FAILED ")]
    if run.returncode:
        return "killed", f"by {failed[0].split(' - ')[0] if failed else 'an error while imported'}"
    return "survived", f"{len(tests)} of {n} tests"


def drawn_ones(args):
    """The mutants of some files, drawn at random."""
    files = [file for p in map(Path, args.paths) for file in ([p], p.rglob("*.py"))[p.is_dir()]]
    if late := [str(f) for f in files if is_newer(f)]:
        sys.exit(f"changed since the tests were recorded, so record again: {', '.join(late)}")
    found = [mutant for file in sorted(map(str, files)) for mutant in mutants(file)]
    found = random.Random(args.seed).sample(found, min(args.number, len(found)))
    print(f"seed {args.seed}: {len(found)} mutants of {len(files)} files", flush=True)
    return (drawn(*mutant) for mutant in found)


def is_newer(file):
    return file.stat().st_mtime > LINES.stat().st_mtime


def main():
    new = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    new.add_argument("paths", nargs="*", help="folders or files, from the root of the repository")
    new.add_argument("--record", nargs=argparse.REMAINDER, help="and pytest's options, if any")
    new.add_argument("--diff", nargs="+", type=Path, default=[], help="mutants written by hand")
    new.add_argument("--number", type=int, default=20, help="how many mutants (20)")
    new.add_argument("--seed", type=int, default=0, help="that draws them (0)")
    new.add_argument("--seconds", type=float, default=60, help="of tests, as recorded, each (60)")
    args = new.parse_args()
    diffs = [diff.resolve() for diff in args.diff]
    os.chdir(ROOT)
    if args.record is not None:
        return record(args.record)
    fates = Counter()
    with tempfile.TemporaryDirectory() as folder:
        copied(Path(folder))
        for mutant in (written(d, Path(folder)) for d in diffs) if diffs else drawn_ones(args):
            fate, why = tried(mutant, Path(folder), args.seconds)
            fates[fate] += 1
            print(f"{fate:8} {mutant[-1]}  ({why})", flush=True)
    print(f"{fates['killed']} of {fates.total()} killed: {fates['killed'] / fates.total():.0%}")


if __name__ == "__main__":
    main()
