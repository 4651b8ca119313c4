"""The small files that tools read agree with each other."""

import configparser
import re
from pathlib import Path

import pytest

import flowcore

ROOT = Path(__file__).parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("tool", ["ruff", "codespell", "mypy"])
def test_hooks_are_the_tools_of_setup_cfg(tool):
    pinned = re.search(rf"^{tool} == (.+)$", SETUP["options.extras_require"]["test"], flags=re.M)
    hook = re.search(
        rf"repo: https://\S+/\S*{tool}\S*\n    rev: v(.+)", text(".pre-commit-config.yaml")
    )
    assert pinned and hook and pinned.group(1) == hook.group(1)


def test_versions_agree():
    assert f"\nversion: {flowcore.__version__}\n" in text("CITATION.cff")


def test_pythons_that_are_promised_are_tested():
    classifiers = set(re.findall(r"Python :: (3\.\d+)", SETUP["metadata"]["classifiers"]))
    sessions = re.search(r"^PYTHONS = \[(.*)\]", text("noxfile.py"), flags=re.M).group(1)
    assert classifiers and classifiers <= set(re.findall(r"3\.\d+", sessions))
    lowest = min(classifiers, key=lambda version: int(version.split(".")[1]))
    assert SETUP["options"]["python_requires"] == f">={lowest}"
    assert f"Python {lowest} to" in text("README.md")


@pytest.mark.parametrize("word", ["cached_property", "catch_warnings"])
def test_nothing_takes_locks_or_filters_that_belong_to_everybody(word):
    """`derived` and `remaking`, in `core`, are what is used instead, and say why."""
    users = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "flowcore").rglob("*.py")
        # the process of the command line belongs to nobody else
        if path.parent.name != "cli"
        if re.search(rf"^[^#`]*\b{word}\b(?!`)", path.read_text(encoding="utf-8"), flags=re.M)
    ]
    assert users == []
