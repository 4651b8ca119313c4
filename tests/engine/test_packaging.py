"""What setup.cfg states about the package, and modules about themselves, is so."""

import importlib
import inspect
import pkgutil
import re
from configparser import ConfigParser

import pytest
from support.places import ROOT

import flowcore

MODULES = [m.name for m in pkgutil.walk_packages(flowcore.__path__, "flowcore.")]


CONFIG = ConfigParser()
CONFIG.read(ROOT / "setup.cfg")


def setup(section, option):
    """The lines of a list."""
    return CONFIG[section][option].strip().split("\n")


def test_every_package_is_shipped():
    found = {p.parent.relative_to(ROOT).as_posix() for p in ROOT.glob("flowcore/**/__init__.py")}
    listed = setup("options", "packages")
    if listed == ["find:"]:  # then they are found, if not too many: no tests, no benchmarks
        assert all(p.startswith("flowcore") for p in setup("options.packages.find", "include"))
    else:
        assert {name.replace(".", "/") for name in listed} == found


def test_files_beside_modules_are_shipped():
    patterns = setup("options.package_data", "flowcore")[0].split(", ")
    read_there = (".py", ".pyc", ".md")
    others = {path for path in ROOT.glob("flowcore/**/*.*") if path.suffix not in read_there}
    shipped = {path for pattern in patterns for path in ROOT.glob(f"flowcore/{pattern}")}
    assert {path.name for path in others} == {"__init__.pyi", "py.typed"} and others == shipped


def test_an_editable_install_adds_the_clone_to_the_path():
    """setuptools does so for a `package_dir`; else it installs a finder, see the next test."""
    assert setup("options", "package_dir") == ["= ."]


def test_a_module_offers_only_what_it_defines():
    """Rooms (packages) offer what their modules define; a module is no door to another one."""
    for name in MODULES:
        module = importlib.import_module(name) if not name.endswith("__main__") else None
        if module is None or hasattr(module, "__path__"):
            continue
        for offered in getattr(module, "__all__", ()):
            thing = getattr(module, offered)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                assert thing.__module__ == name, f"{name}.__all__ has {thing.__module__}.{offered}"


# ---------------------------------------------------------------- files that tools read


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("tool", ["ruff", "codespell", "mypy"])
def test_hooks_are_the_tools_of_setup_cfg(tool):
    pinned = re.search(rf"^{tool} == (.+)$", CONFIG["options.extras_require"]["test"], flags=re.M)
    hook = re.search(
        rf"repo: https://\S+/\S*{tool}\S*\n    rev: v(.+)", text(".pre-commit-config.yaml")
    )
    assert pinned and hook and pinned.group(1) == hook.group(1)


def test_versions_agree():
    assert f"\nversion: {flowcore.__version__}\n" in text("CITATION.cff")


def test_pythons_that_are_promised_are_tested():
    classifiers = set(re.findall(r"Python :: (3\.\d+)", CONFIG["metadata"]["classifiers"]))
    sessions = re.search(r"^PYTHONS = \[(.*)\]", text("noxfile.py"), flags=re.M).group(1)
    assert classifiers and classifiers <= set(re.findall(r"3\.\d+", sessions))
    lowest = min(classifiers, key=lambda version: int(version.split(".")[1]))
    assert CONFIG["options"]["python_requires"] == f">={lowest}"
    assert f"Python {lowest} to" in text("README.md")


def test_nothing_changes_the_warning_filters_that_belong_to_everybody():
    """`without_warnings`, in `core`, is used instead, and gives the reason."""
    users = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "flowcore").rglob("*.py")
        # the process of the command line belongs to nobody else
        if path.parent.name != "cli"
        and re.search(r"^[^#`\n]*\bcatch_warnings\b(?!`)", path.read_text("utf-8"), flags=re.M)
    ]
    assert users == []
