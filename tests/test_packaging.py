"""What setup.cfg says about the package, and modules about themselves, is so."""

import importlib
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
import venv
from configparser import ConfigParser
from pathlib import Path

import pytest

import flowcore

ROOT = Path(__file__).parent.parent
MODULES = [m.name for m in pkgutil.walk_packages(flowcore.__path__, "flowcore.")]


CONFIG = ConfigParser()
CONFIG.read(ROOT / "setup.cfg")


def setup(section, option):
    """The lines of a list."""
    return CONFIG[section][option].strip().split("\n")


def names(requirements):
    return {re.split(r"[ <>=!~;\[]", line)[0] for line in requirements}


EXTRAS = list(CONFIG["options.extras_require"])


def test_every_package_is_shipped():
    found = {p.parent.relative_to(ROOT).as_posix() for p in ROOT.glob("flowcore/**/__init__.py")}
    listed = setup("options", "packages")
    if listed == ["find:"]:  # then they are found, if not too many: no tests, no benchmarks
        assert all(p.startswith("flowcore") for p in setup("options.packages.find", "include"))
    else:
        assert {name.replace(".", "/") for name in listed} == found


def test_files_beside_modules_are_shipped():
    patterns = setup("options.package_data", "flowcore")[0].split(", ")
    others = {path for path in ROOT.glob("flowcore/**/*.*") if path.suffix not in (".py", ".pyc")}
    shipped = {path for pattern in patterns for path in ROOT.glob(f"flowcore/{pattern}")}
    assert {path.name for path in others} == {"__init__.pyi", "py.typed"} and others == shipped


def test_an_editable_install_adds_the_clone_to_the_path():
    """setuptools does so for a `package_dir`; else it installs a finder, see the next test."""
    assert setup("options", "package_dir") == ["= ."]


@pytest.mark.slow
def test_a_script_beside_an_editable_clone_finds_the_package(tmp_path):
    """And not the folder of the clone, whose name is the same: an empty namespace."""
    shutil.copytree(ROOT / "flowcore", tmp_path / "flowcore" / "flowcore")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "flowcore")
    (tmp_path / "script.py").write_text("import flowcore; print(flowcore.__version__)")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = ["-m", "pip", "install", "-q", "--no-deps", "-e", tmp_path / "flowcore"]
    subprocess.run([python, *install], check=True)
    found = subprocess.run([python, tmp_path / "script.py"], check=True, stdout=subprocess.PIPE)
    assert found.stdout.decode().strip() == flowcore.__version__


def test_no_extra_repeats_what_is_always_installed():
    always = names(setup("options", "install_requires"))
    for extra in EXTRAS:
        assert not names(setup("options.extras_require", extra)) & always, extra


def test_an_extra_for_sphinx_comes_with_something_for_sphinx_to_build():
    needed = {n for extra in EXTRAS for n in names(setup("options.extras_require", extra))}
    assert "sphinx" not in needed or (ROOT / "docs" / "conf.py").exists()


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_a_module_offers_only_what_it_defines(name):
    """Rooms (packages) offer what their modules define; a module is no door to another one."""
    module = importlib.import_module(name)
    if hasattr(module, "__path__"):
        return
    for offered in getattr(module, "__all__", ()):
        thing = getattr(module, offered)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__module__ == name, f"{name}.__all__ has {thing.__module__}.{offered}"
