"""The README's Python blocks run as they stand; its commands are where .ci/run looks for them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.M | re.S)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_python_block_runs(code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


def test_the_first_two_commands():
    commands = re.findall(r"^```bash\n(.*?)^```", README, flags=re.M | re.S)[:2]
    assert all(command.count("\n") == 1 and "-m venv" in command for command in commands)
    assert "flowcore moons" in commands[0] and "pytest" in commands[1]


def test_every_file_of_the_reading_order_exists():
    package = ROOT / "flowcore"
    names = re.findall(r"`(?:flowcore/)?(\w+\.py)`", README)
    assert len(names) > 15
    assert set(names) <= {path.name for path in package.rglob("*.py")}
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(re.findall(r"`flowcore/(\w+)/`", README)) == rooms
    modules = {path.name for path in package.glob("*.py")}
    assert modules - set(names) <= {"__init__.py", "arguments.py", "primitives.py"} | {
        name for name in modules if name.startswith("_")
    }, "a module is missing in the README's reading order"


def test_pictures_exist():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)
