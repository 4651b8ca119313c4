"""The site's own parts: links are checked, docstrings become RST, lessons become notebooks.

That the site can be built, without a warning, is CI's to find out: it builds it.
"""

import ast
import configparser
import doctest
import json
import re
import zipfile
from types import SimpleNamespace

import pytest
from support.places import PAGES, ROOT

import flowcore
import flowcore.distributed
from flowcore import teaching

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
LESSONS = sorted((ROOT / "examples" / "course").glob("lesson_*.py"))


@pytest.mark.parametrize("name", ["check_links", "docstrings", "pages", "notebooks", "copied"])
def test_examples_in_docstrings(builder, name):
    if name in ("notebooks", "copied"):
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
    assert "\norphan: true\nnosearch: true\n" in text
    assert re.findall(r"^:::\{dropdown\} (\w+)\.", text, flags=re.M) == list(teaching.EXERCISES)
    assert "\n## 1. What happens to a density when I stretch?\n" in text


def test_no_lesson_shows_a_solution():
    for script in LESSONS:
        nodes = list(ast.walk(ast.parse(script.read_text(encoding="utf-8"))))
        names = {getattr(node, "attr", getattr(node, "id", "")) for node in nodes}
        assert "check" in names and not names & {"solution", "answer"}, script.name


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
    skeletons = [path.read_text(encoding="utf-8") for path in DOCS.glob("**/index.rst")]
    for page in PAGES:
        name = rf"^   (?:/?{page.parent.name}/)?{page.stem}$"
        assert any(re.search(name, text, flags=re.M) for text in skeletons), page.name
        assert f"]({page.parent.name}/{page.name})" in listed, page.name


# ---------------------------------------------------------------- install


INSTALL = (DOCS / "start" / "install.md").read_text(encoding="utf-8")


def test_the_install_page_names_every_extra_and_no_other():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", INSTALL, flags=re.M)
    assert [name for name, _ in rows] == list(extras)
    for name, adds in rows:
        for package in re.split(r", | and ", adds.lower().removesuffix(" and others")):
            assert re.search(rf"^{package}\b", extras[name], flags=re.M), (name, package)
    texts = [*(page.read_text(encoding="utf-8") for page in PAGES), README]
    used = re.findall(r"pip \w+ [^`\n]*(?:flowcore|\.)\[([\w,]+)\]", "\n".join(texts))
    assert len(used) > 5 and {name for names in used for name in names.split(",")} <= set(extras)


def test_the_line_that_shows_that_it_works(capsys):
    line = re.search(r'python -c "(.*)"', INSTALL)[1]
    exec(line, {})
    assert f"prints {capsys.readouterr().out.strip()}," in INSTALL


@pytest.mark.parametrize("repository", ["", "https://x.y/z"])
def test_the_install_page_clones_the_repository_if_it_has_an_address(builder, repository):
    app, source = SimpleNamespace(config=SimpleNamespace(repository=repository)), [INSTALL]
    builder("pages").fill_address(app, "start/install", source)
    clone = f"git clone {repository} flowcore\ncd flowcore\npython3 -m venv"
    assert (clone in source[0]) == bool(repository) and "ADDRESS" not in source[0]


# ---------------------------------------------------------------- notebooks


@pytest.fixture
def notebooks(builder):
    """docs/builder/notebooks.py."""
    pytest.importorskip("nbformat")
    return builder("notebooks")


@pytest.fixture
def written(notebooks, tmp_path):
    """All lessons as notebooks, in a folder of their own."""
    return notebooks.write_all(tmp_path / "books")


def test_lessons_become_notebooks(written):
    nbformat = pytest.importorskip("nbformat")
    assert [path.stem for path in written] == [path.stem for path in LESSONS]
    for path in written:
        cells = nbformat.read(path, as_version=4).cells
        assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
        kinds = [cell.cell_type for cell in cells]
        assert kinds.count("code") >= 4 and kinds.count("markdown") >= 4
        assert "docs/start/install.md" in cells[1].source


def test_a_page_whose_text_has_a_number_of_its_output_is_refused(builder):
    pytest.importorskip("nbformat")
    output = "sphx-glr-script-out\n\n .. code-block:: none\n\n    1c: 0.399\n\n    p {}\n"

    def refuse(printed, name="lesson_1_stretching"):  # 0.399 is in its text, and not in its code
        builder("copied").refuse(None, f"built/course/{name}", [f"0.399\n\n{printed}\n0.399\n"])

    refuse(output.format(0.3979))
    with pytest.raises(ValueError, match=r"^lesson_1_stretching\.py: the text has 0\.399, which"):
        refuse(output.format(0.3991))
    with pytest.raises(ValueError, match="no output"):
        refuse("")
    refuse("", "index")


def test_the_zip_of_the_site_has_the_script_and_the_notebook(notebooks, tmp_path):
    folder = tmp_path / "built" / "course"
    folder.mkdir(parents=True)
    for script in (LESSONS[0], LESSONS[-1]):
        (folder / f"{script.stem}.ipynb").touch()
    config = SimpleNamespace(repository="")
    notebooks.replace_those_of_the_gallery(SimpleNamespace(srcdir=tmp_path, config=config))
    names = [zipfile.ZipFile(path).namelist() for path in sorted(folder.glob("*.zip"))]
    stems = LESSONS[0].stem, LESSONS[-1].stem
    assert names == [[f"{stem}.py", f"{stem}.ipynb"] for stem in stems]


GITHUB = "https://github.com/owner/name"
PIP = f"    %pip install -q git+{GITHUB}"
BY_HAND = "docs/start/install.md, shows how to install it"


@pytest.mark.parametrize(
    ("lesson", "repository", "cell"),
    [(0, "", BY_HAND), (1, GITHUB, PIP)],
)
def test_a_notebook_installs_flowcore_or_names_the_page(
    notebooks, tmp_path, lesson, repository, cell
):
    path = notebooks.write(LESSONS[lesson], tmp_path / "a.ipynb", repository)
    install = json.loads(path.read_text("utf-8"))["cells"][1]
    assert install["id"] == "install" and "".join(install["source"]).endswith(cell)


def badge(notebooks, repository, page="built/course/lesson_1_stretching"):
    app = SimpleNamespace(config=SimpleNamespace(repository=repository))
    source = [".. _x:\n\n1. What?\n========\n\nText.\n\nTwo\n===\n"]
    notebooks.put_badge(app, page, source)
    return source[0]


def test_a_lesson_has_a_link_to_colab_if_the_repository_has_an_address(notebooks):
    colab = "https://colab.research.google.com/github/owner/name/blob/notebooks"
    text = badge(notebooks, GITHUB)
    assert text.count(f".. button-link:: {colab}/lesson_1_stretching.ipynb\n") == 1
    assert text.index("1. What?") < text.index("Open in Colab") < text.index("Text.")
    assert "\n\n   Open in Colab\n\n\nText." in text
    plain = badge(notebooks, "")
    for other in ("https://codeberg.org/owner/name", ""):  # Colab reads GitHub only
        assert badge(notebooks, other) == plain
    assert badge(notebooks, GITHUB, "built/how_to/trust") == plain


@pytest.mark.slow
@pytest.mark.parametrize("script", (LESSONS[0], LESSONS[-1]), ids=lambda path: path.stem)
def test_a_notebook_runs_in_a_folder_of_its_own(script, notebooks, tmp_path):
    """Warnings are errors. The site runs the code of the others."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    book = nbformat.read(notebooks.write(script, tmp_path / "book.ipynb"), as_version=4)
    strict = nbformat.v4.new_code_cell("import warnings\nwarnings.simplefilter('error')")
    book.cells.insert(0, strict)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources=place).execute()
    outputs = [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
    assert any("image/png" in out.get("data", {}) for out in outputs)
