"""The tables of the pages are what the stored JSON gives, and every command of a page is there."""

import inspect
import re
import shlex
from importlib import import_module

import pytest

from benchmarks.studies.tables import catalogue, jobs, pages
from benchmarks.studies.tabular.models import MODELS


def found_on_pages() -> dict[str, str]:
    found = {}
    for page in pages.PAGES:
        mine = pages.blocks(page.read_text("utf-8"))
        assert not mine.keys() & found.keys()
        found.update(mine)
    return found


def test_every_table_has_its_place_and_every_place_its_table():
    assert found_on_pages().keys() == catalogue.TABLES.keys()
    used = {name for table in catalogue.TABLES.values() for name in table.jobs}
    assert used == jobs.JOBS.keys()
    assert {job.name for job in jobs.POWER} == {f"power-{name}" for name in MODELS}


@pytest.mark.parametrize("name", catalogue.TABLES)
def test_a_table_is_what_its_stored_json_gives(name):
    made = catalogue.TABLES[name].made()
    assert made, f"nothing is stored for {name}: python -m benchmarks.studies.tables makes it"
    assert found_on_pages()[name] == made, "python -m benchmarks.studies.tables --write-only"


def test_no_stored_json_names_a_path_or_is_left_over():
    files = sorted(jobs.RESULTS.glob("*.json"))
    assert {file.stem for file in files} <= jobs.JOBS.keys()
    for file in files:
        assert not re.search(r'"[^"]*(?:^|[\s"])(?:/|~|[A-Z]:\\)\w', file.read_text("utf-8")), file


def main_of(name: str):
    """The module with the function main of `python -m benchmarks.name`."""
    module = import_module(f"benchmarks.{name}")
    return module if hasattr(module, "main") else import_module(f"{module.__name__}.__main__")


TEXTS = (*pages.PAGES, pages.ROOT / "CONTRIBUTING.md", pages.ROOT / "docs" / "paper" / "paper.md")


COMMANDS = {
    command for page in TEXTS
    for command in re.findall(r"python -m (benchmarks\.[^`\n#|]+)[`\n#]", page.read_text("utf-8"))
}  # fmt: skip


COMMANDS |= {f"benchmarks.{job.arguments}" for job in jobs.JOBS.values()}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_of_the_pages_is_there_and_takes_its_arguments(command, capsys):
    name, *argv = shlex.split(command)
    module = main_of(name.removeprefix("benchmarks."))
    if inspect.signature(module.main).parameters:
        with pytest.raises(SystemExit) as end:  # after all arguments before it are read
            module.main([*argv, "--help"])
        assert end.value.code == 0
