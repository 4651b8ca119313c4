"""One test for a family of cases: pytest itself takes 3 ms for each test, more than most cases.

`@over(CASES)` before `def test_x(name, way, tmp_path)` makes a test of each first word of a name
("maf", "coupling", ...), which runs the cases of this family. Each case is as alone as a test: it
fails or skips by itself, and has a `tmp_path` and a `monkeypatch` of its own.
"""

import functools
import inspect
from contextlib import ExitStack

import pytest


def first_word(name):
    return name.split("-")[0].split(".")[0]


def over(cases, family_of=first_word):
    """A test's decorator. cases: tuples such as (name, way), or names; family_of(name): the test
    that runs the case."""
    families = {}
    for case in cases:
        case = (case,) if isinstance(case, str) else case
        families.setdefault(family_of(case[0]), []).append(case)
    own = len(next(iter(families.values()))[0])  # arguments that a case fills

    def decorate(test):
        @functools.wraps(test)
        def run_family(family, **fixtures):
            outcomes = {" ".join(map(str, c)): outcome(test, c, fixtures) for c in families[family]}
            failed = {n: e for n, e in outcomes.items() if e and not is_skip(e)}
            if failed:
                lines = [f"{name}: {type(e).__name__}: {e}" for name, e in failed.items()]
                raise AssertionError("\n\n".join(lines)) from next(iter(failed.values()))
            if all(outcomes.values()):
                pytest.skip("; ".join(f"{name}: {e}" for name, e in outcomes.items()))

        fixtures = list(inspect.signature(test).parameters.values())[own:]
        family = inspect.Parameter("family", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        run_family.__signature__ = inspect.Signature([family, *fixtures])
        return pytest.mark.parametrize("family", families)(run_family)

    return decorate


def outcome(test, case, fixtures):
    """What a case raised, or None."""
    with ExitStack() as stack:
        mine = dict(fixtures)
        if "monkeypatch" in mine:
            mine["monkeypatch"] = stack.enter_context(pytest.MonkeyPatch.context())
        if "tmp_path" in mine:
            mine["tmp_path"] = mine["tmp_path"] / "-".join(map(str, case))
            mine["tmp_path"].mkdir()
        try:
            test(*case, **mine)
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
            return error


def is_skip(error):
    return isinstance(error, pytest.skip.Exception)
