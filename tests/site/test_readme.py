"""The README's and the pages' Python blocks run as they stand; commands, files, links exist."""

import re

import pytest
from support.lines import code_lines
from support.places import PAGES, ROOT

PACKAGE = ROOT / "flowcore"
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "flowcore/README.md")),
    ROOT / "docs" / "README.md",
    *PAGES,
]
# pages whose blocks follow from each other
ONE_PROGRAM = {"coming_from_tfp", "coming_from_pzflow", "past_one_machine", "simulation_based"}


def blocks(page):
    """The Python blocks of a page, or all of them as one."""
    text = page.read_text("utf-8")
    found = re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)
    return ["\n".join(found)] if page.stem in ONE_PROGRAM else found


SLOW = {  # more than a second each
    *("columns-0", "missing_values-0", "inference-2"),
    *("likelihoods-0", "coming_from_pzflow-0", "diagnosis-0"),
}
BLOCKS = [
    pytest.param(
        page, code, id=(name := f"{page.stem}-{number}"), marks=[pytest.mark.slow] * (name in SLOW)
    )
    for page in TEXTS
    for number, code in enumerate(blocks(page))
]


@pytest.mark.usefixtures("few_folds_here", "few_epochs")
@pytest.mark.parametrize(("page", "code"), BLOCKS)
def test_python_block_runs(page, code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page.name, "exec"), {})


def test_every_promise_names_tests_that_exist():
    page = (ROOT / "docs" / "inside" / "files_and_promises.md").read_text("utf-8")
    promises = [
        line for line in page.splitlines() if line.endswith("` |") and "held by" not in line
    ]
    for line in promises:
        named = re.findall(r"`(test_\w+\.py)::(\w+)`", line)
        assert named, line
        for file, test in named:
            text = next((ROOT / "tests").rglob(file)).read_text("utf-8")
            assert f"\ndef {test}(" in text, f"{file} has no {test}"


def test_the_first_two_commands():
    """.ci/run executes the second one, word for word."""
    commands = re.findall(r"^```bash\n(.*?)^```", README, flags=re.M | re.S)[:2]
    assert all(command.count("\n") == 1 and "-m venv" in command for command in commands)
    assert "flowcore moons" in commands[0] and "pytest" in commands[1]


def test_reading_order_names_every_room_its_lines_and_files_that_exist():
    text = (PACKAGE / "README.md").read_text("utf-8")
    rows = [row.split("|")[1:4] for row in text.splitlines() if row.startswith("| `")]
    named = set()
    for places, lines, what in rows:
        home = ROOT if "tests/" in places else PACKAGE
        counted = sum(code_lines(home / place) for place in re.findall(r"`([\w./]+)`", places))
        budget = int(lines.replace(",", ""))
        assert counted <= budget, (
            f"{places.strip()} has {counted} lines: take something out, or raise its number in "
            "flowcore/README.md, and give the reason in that commit"
        )
        assert counted > 0.9 * budget - 10, f"{places.strip()} has {counted}: lower its number"
        rooms = re.findall(r"`(\w+)/`", places)
        named |= {*rooms, *re.findall(r"`(\w+\.py)`", places)}
        for file in re.findall(r"`(\w+\.py)`", what):
            assert any((PACKAGE / room / file).is_file() for room in rooms), (
                f"{rooms} has no {file}"
            )
    there = {path.name for path in PACKAGE.glob("[a-z]*.py")}
    there |= {path.parent.name for path in PACKAGE.glob("[a-z]*/__init__.py")}
    assert named == there


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.stem)
def test_links_and_pictures_exist(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    missing = [to for to in targets if "://" not in to and not (page.parent / to).exists()]
    assert not missing


def test_every_page_can_be_reached_from_the_front_page():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        targets = {
            (page.parent / target).resolve()
            for page in new
            for target in re.findall(r"\]\(([\w./]+\.md)[)#]", page.read_text("utf-8"))
        }
        new = targets - reached
    assert reached >= set(PAGES)


def test_every_benchmark_that_a_page_names_exists():
    names = {
        name
        for page in TEXTS
        for name in re.findall(r"python\s+-m\s+benchmarks\.([\w.]+)", page.read_text("utf-8"))
    }
    for name in names:
        path = ROOT / "benchmarks" / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name
