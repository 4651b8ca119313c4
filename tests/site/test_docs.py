"""The site's own parts: links are checked, docstrings become RST, lessons become notebooks.

That the site can be built, without a warning, is CI's to find out: it builds it.
"""

import ast
import doctest
import importlib
import re

import pytest
from support.places import PAGES, ROOT

import flowcore
import flowcore.distributed
from flowcore import teaching

DOCS = ROOT / "docs"
LESSONS = sorted((ROOT / "examples" / "course").glob("lesson_*.py"))


@pytest.fixture
def builder(monkeypatch):
    """`builder("pages")` is that module of docs/builder."""
    monkeypatch.syspath_prepend(str(DOCS))
    return lambda name: importlib.import_module(f"builder.{name}")


@pytest.mark.parametrize("name", ["check_links", "docstrings", "pages", "notebooks"])
def test_examples_in_docstrings(builder, name):
    if name == "notebooks":
        pytest.importorskip("nbformat")
    tried = doctest.testmod(builder(name))
    assert tried.attempted and not tried.failed


# ---------------------------------------------------------------- links


def site(folder, **pages):
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


def test_links_that_lead_somewhere(builder, tmp_path):
    check_links = builder("check_links")
    assert check_links.main(str(tmp_path)) == 1  # a site without pages is a fault
    here = site(
        tmp_path,
        index='<a href="faq.html#why">?</a> <a href="#top">.</a> <p id="top"><a href="https://x.y">',
        faq='<h1 id="why"></h1> <a href="index.html">back</a> <img src="a%20b.png">',
        live='<a href="live.html#task=3">',  # a state of a live page is no place in it
    )
    (here / "a b.png").touch()
    assert check_links.faults(here) == ([], 5, 1)
    assert check_links.main(str(here)) == 0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<a href="gone.html">', "there is no gone.html"),
        ('<a href="#gone">', "there is no place #gone"),
        ('<img src="gone.png">', "there is no gone.png"),
        ('<a href="../outside.html">', "there is no ../outside.html"),
        ('<script src="https://cdn.x/y.js"></script>', "is loaded from elsewhere: https://cdn.x"),
        ('<img srcset="https://cdn.x/a.png 2x">', "is loaded from elsewhere: https://cdn.x"),
        ('<style>@import "https://cdn.x/a.css"</style>', "is loaded from elsewhere: https://cdn."),
        ('<p style="background: url(https://cdn.x/a.png)">', "is loaded from elsewhere: https://"),
        ('<link rel="stylesheet" href="//cdn.x/y.css">', "is loaded from elsewhere: //cdn.x"),
    ],
)
def test_links_that_do_not(builder, tmp_path, text, fault):
    (tmp_path / "outside.html").touch()
    (tmp_path / "site").mkdir()
    wrong, _, _ = builder("check_links").faults(site(tmp_path / "site", index=text))
    assert len(wrong) == 1 and wrong[0].startswith("index.html: ") and fault in wrong[0]


def test_style_sheets_load_nothing_from_elsewhere(builder, tmp_path):
    (tmp_path / "a.css").write_text('@import "https://x.y/z.css"; b {background: url(c.png)}')
    wrong, _, _ = builder("check_links").faults(tmp_path)
    assert wrong == [
        "a.css: is loaded from elsewhere: https://x.y/z.css", "a.css: there is no c.png"
    ]  # fmt: skip


def test_modules_load_nothing_from_elsewhere(builder, tmp_path):
    for folder in ("live/pyodide-1", "_static"):  # what others wrote is not read
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.js").write_text("import 'gone.js'")
    (tmp_path / "live" / "b.js").touch()
    (tmp_path / "live" / "a.js").write_text(
        "// import 'not.js'\nimport { b,\n  c } from './b.js';\nimport d from './d.js';\n"
        "export { e } from 'e.js'; const f = await import('https://x.y/f.js');\n"
        "new Worker(new URL('./g.js', import.meta.url)); fetch('https://x.y/h');"
    )
    wrong, local, _ = builder("check_links").faults(tmp_path)
    assert local == 4 and wrong == [
        "live/a.js: there is no ./d.js",
        "live/a.js: there is no e.js",
        "live/a.js: is loaded from elsewhere: https://x.y/f.js",
        "live/a.js: there is no ./g.js",
        "live/a.js: is loaded from elsewhere: https://x.y/h",
    ]


# ---------------------------------------------------------------- pages


def test_solutions_have_every_exercise(builder):
    text = builder("pages").solutions(ROOT / "examples" / "course")
    assert re.findall(r"^:::\{dropdown\} (\w+)\.", text, flags=re.M) == list(teaching.EXERCISES)
    assert "\n## 1. What happens to a density when I stretch?\n" in text


def test_no_lesson_shows_a_solution():
    for script in LESSONS:
        called = {
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        }
        assert "check" in called and "solution" not in called, script.name


def test_none_is_in_the_one_sentence_that_the_page_leaves_out():
    """`IN_A_SCRIPT` of lessons.js: on the site there is no None, but a box."""
    for script in LESSONS:
        text = script.read_text("utf-8").replace("\n# ", " ")
        found = re.findall(r"Put your numbers? in the place of ``None``[.;]", text)
        assert text.count("``None``") == len(found), script.name


def test_every_lesson_asks_before_it_answers():
    """The question is in the text; its answer is None or a function that returns ... at first."""
    for script in LESSONS:
        text = script.read_text(encoding="utf-8")
        tree = ast.parse(text)
        guesses = re.findall(r"^guess = (.*)$", text, flags=re.M)
        assert set(guesses) <= {"None"}, script.name
        functions = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        for name, answer in re.findall(r'teaching\.check\("(\w+)", (\w+)\)', text):
            assert f"**{name}.** " in text, name
            if answer != "guess":
                assert ast.unparse(functions[answer].body[-1]) == "return ...", name


def test_the_api_page_has_everything_public():
    page = (DOCS / "api.rst").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   ([\w.]+)$", page, flags=re.M))
    rooms = {"adapters", "flows", "plots", "reference", "tables", "targets", "testing"}
    assert set(flowcore.__all__) - rooms <= listed
    for room in ("adapters", "plots", "flows", "tables"):
        module = getattr(flowcore, room)
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items()
            if getattr(value, "__module__", "") == module.__name__ and not name.startswith("_")
        ]  # fmt: skip
        assert {f"{room}.{name}" for name in names} <= listed
    for name in listed:
        thing = flowcore
        for part in name.split("."):
            thing = getattr(thing, part)


def test_every_page_has_its_place():
    """In the site's skeleton, and in the list of pages for a code host."""
    listed = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        skeleton = (page.parent / "index.rst").read_text(encoding="utf-8")
        assert re.search(rf"^   {page.stem}$", skeleton, flags=re.M), page.name
        assert f"]({page.parent.name}/{page.name})" in listed, page.name


# ---------------------------------------------------------------- notebooks


@pytest.mark.slow
def test_lessons_become_notebooks_that_run(builder, tmp_path):
    """All of them are written; the first and the last are run, warnings as errors."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    written = builder("notebooks").write_all(tmp_path)
    assert [path.stem for path in written] == [path.stem for path in LESSONS]
    books = [nbformat.read(path, as_version=4) for path in written]
    for book in books:
        assert book.cells[0].cell_type == "markdown" and book.cells[0].source.startswith("# ")
        kinds = [cell.cell_type for cell in book.cells]
        assert kinds.count("code") >= 4 and kinds.count("markdown") >= 4
        assert "%pip install" in book.cells[1].source
    for book in {0: books[0], len(books) - 1: books[-1]}.values():
        strict = nbformat.v4.new_code_cell("import warnings\nwarnings.simplefilter('error')")
        book.cells.insert(0, strict)
        nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
        outputs = [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
        pictures = [out for out in outputs if "image/png" in out.get("data", {})]
        assert pictures or book is books[0]  # lesson 0 draws in letters
