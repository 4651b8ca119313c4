#!/usr/bin/env python3
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Tasks, each with its command: `nox -s NAME`; `nox -l` lists them. `pip install nox` first.

What these sessions install comes from setup.cfg alone: its extra `test` has the tools, `oldest` its
minimum versions. Arguments after `--` go to pytest: `nox -s tests-3.12 -- -x tests/engine`.
"""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

import nox

HERE = Path(__file__).parent
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]  # a missing one is skipped
OLDEST, NEWEST = PYTHONS[0], "3.13"

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"

# The doctests of the recipes, with what was installed and nothing of this folder.
DOCTEST = """
import doctest, importlib.metadata, sys
import flowcore, flowcore.flows
assert flowcore.__version__ == importlib.metadata.version("flowcore")
assert "site-packages" in flowcore.__file__, flowcore.__file__
failed, tried = doctest.testmod(flowcore.flows)
sys.exit(failed or not tried)
"""


def minimum_versions() -> list[str]:
    """setup.cfg's dependencies, `numpy >= 1.26` as `numpy==1.26`."""
    config = configparser.ConfigParser()
    config.read(HERE / "setup.cfg", encoding="utf-8")
    lines = config["options"]["install_requires"].split("\n")
    return [re.sub(r"\s*>=\s*([\d.]+)", r"==\1", line) for line in lines if line]


def run_tests(session: nox.Session) -> None:
    session.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The test suite, with what pip finds to be newest for this Python."""
    session.install("-e", ".[test]")
    run_tests(session)


@nox.session(python=OLDEST)
def oldest(session: nox.Session) -> None:
    """The test suite with the minimum versions of setup.cfg, on the oldest Python."""
    # warnings are errors here, and newer ones of these warn of what the oldest others call
    tools = ["pyparsing<3.3", "click<8.3", "pytest<9"]
    session.install("-e", ".[test]", *minimum_versions(), *tools)
    run_tests(session)


@nox.session(python=NEWEST, default=False)
def newest(session: nox.Session) -> None:
    """The test suite with the newest versions there are, pre-releases too."""
    session.install("--upgrade", "--pre", "--upgrade-strategy", "eager", "-e", ".[test]")
    run_tests(session)


@nox.session(default=False)
def adapters(session: nox.Session) -> None:
    """Flows in emcee, JAX and torch; up to 1.5 GB, more where pip finds no CPU build."""
    others = "emcee", "jax", "torch<=2.13"
    session.install("-e", ".", "pytest", *others)
    tests = (f"tests/any_density/test_{name}.py" for name in ("adapters", "likelihoods"))
    session.run("python", "-m", "pytest", "-q", *tests, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff and codespell, as in .ci/run."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")


@nox.session
def typing(session: nox.Session) -> None:
    """mypy on code that uses the public names, tests/engine/typed_use.py."""
    session.install("-e", ".[test]")
    session.run("mypy")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The documentation site with its live page, warnings as errors, and every link; 5 minutes."""
    session.install("-e", ".[docs]")
    session.run("python", "docs/builder/build.py", *session.posargs)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The live page in headless Chromium, which has to be there, as has npm."""
    session.install("-e", ".[test,browser]")
    session.run(
        "python", "-m", "pytest", "-q", "-m", "browser", "tests/site/browser", *session.posargs
    )


@nox.session
def build(session: nox.Session) -> None:
    """Wheel and sdist: built, checked, installed one after the other into an empty environment."""
    session.install("build", "twine", "check-wheel-contents")
    dist = Path(session.create_tmp()).resolve() / "dist"
    for old in dist.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    files = sorted(dist.iterdir())
    session.run("twine", "check", "--strict", *map(str, files))
    session.run("check-wheel-contents", str(dist))
    for file in files:
        clean = dist.parent / f"clean{file.suffix}"
        session.run("python", "-m", "venv", "--clear", str(clean))
        python = str(clean / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        session.run(python, "-m", "pip", "install", "-q", str(file), external=True)
        with session.chdir(dist):
            session.run(python, "-W", "error", "-c", DOCTEST, external=True)
            session.run(str(Path(python).with_name("flowcore")), "--version", external=True)


@nox.session(default=False)
def review(session: nox.Session) -> None:
    """scientific-python's repo-review; pyproject.toml gives the reason for what is ignored."""
    session.install("repo-review[cli]", "sp-repo-review", "validate-pyproject")
    session.run("repo-review", ".")


if __name__ == "__main__":
    nox.main()
