"""Every page of the course as it is built: no answer can be seen before one is given.

    FLOWCORE_SITE=docs/_build/html python -m pytest -m browser tests/site/browser/test_course.py

Each box is left in turn, the first one first. Before that, nothing that follows it in the lesson
can be seen, nor a heading of it in the sidebar; and what can be seen has neither its answer nor its
reason. Without `FLOWCORE_SITE` the pages are made here, without what the lessons print and draw.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flowcore import teaching

from .conftest import DOCS, served

SITE = os.environ.get("FLOWCORE_SITE")
COURSE = sorted((DOCS.parent / "examples" / "course").glob("lesson_*.py"))
VISIBLE = """() => {
  const texts = [], seen = (element) => element.checkVisibility();
  for (const part of document.querySelectorAll("article, .page-toc, .bd-sidebar-primary")) {
    const nodes = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) if (seen(nodes.currentNode.parentElement)) texts.push(nodes.currentNode.data);
    for (const image of [...part.querySelectorAll("img")].filter(seen)) texts.push(image.alt, image.title);
  }
  const names = (selector) => [...document.querySelectorAll(selector)].filter(seen).map((box) => box.dataset.name);
  return [texts.join(" "), names("form.question"), names("#exercises form.question")];
}"""  # noqa: E501
# Of these pages, those that lessons.js has asked or folded something in; it is all that they load.
ASKING = """async (names) => {
  const found = [];
  for (const name of names) {
    const html = await (await fetch(`/${name}`)).text();
    const { body } = new DOMParser().parseFromString(html, "text/html");
    for (const one of body.querySelectorAll("script, img, iframe")) one.remove();
    document.body.replaceWith(document.adoptNode(body));
    await import(`/_static/lessons.js?${name}`);
    if (document.querySelector("form.question, .answered, p.more, button.whole")) found.push(name);
  }
  return found;
}"""
IN_WORDS = {  # what gives an answer away that is a small number, or a formula
    "2a": r"area is what it was|log-det is 0",
    "6b": r"after three",
    "6c": r"1 - log 2",
    "10a": r"-log 2 pi",
    "12a": r"sqrt\(1 - 0\.8",
}


def plain(text):
    return re.sub(r"\s+", " ", text)


def written(value):
    """How a number may stand in a text: to two, three or four decimals; a large count as it is."""
    value = float(value)
    if value == round(value):
        return {f"{value:.0f}", f"{value:,.0f}"} if abs(value) > 10 else set()
    return {f"{value:.{digits}f}" for digits in (2, 3, 4)}


def spoilers(name, text):
    """What in a text gives the answer away; the question's own numbers do not."""
    exercise = teaching.EXERCISES[name]
    text = plain(text).replace(plain(exercise.question), "")
    found = [exercise.why] if plain(exercise.why) in text else []
    if not exercise.inputs and not np.ndim(exercise.answer):
        for number in written(exercise.answer):
            if number not in exercise.question:
                found += re.findall(rf"(?<![\d.,-]){re.escape(number)}(?!\d|\.\d)", text)
    elif callable(exercise.answer) and re.search(
        rf"def {exercise.answer.__name__}\(.*?\):.{{0,200}}?return (?!\.\.\.)", text
    ):
        found.append(exercise.answer.__name__)
    return found + re.findall(IN_WORDS.get(name, "(?!)"), text)


def test_a_spoiler_is_found():
    assert spoilers("6c", "so KL >= 1 - log 2 = 0.307 nats") == ["0.307", "1 - log 2"]
    assert spoilers("5d", "256 and 256 units, 512 in all") == ["512"]
    assert spoilers("5e", "def inverse(x, net): mu, alpha = net(x) return x - mu, -alpha")
    assert not spoilers("5d", teaching.question("5d"))
    assert not spoilers("1a", "logarithm of that is -0.919")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder with the lessons' pages."""
    if SITE:
        return Path(SITE).resolve()
    pytest.importorskip("sphinx_gallery")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "conf.py").write_text(
        "extensions = ['sphinx_gallery.gen_gallery', 'sphinx-mathjax-offline']\n"
        f"html_static_path = [{str(DOCS / 'static')!r}]\n"
        "html_css_files = ['flowcore.css']\n"
        "html_js_files = [('lessons.js', {'type': 'module'})]\n"
        "html_theme = 'pydata_sphinx_theme'\n"
        f"sphinx_gallery_conf = {{'examples_dirs': [{str(COURSE[0].parent)!r}],\n"
        "  'gallery_dirs': ['built/course'], 'plot_gallery': False}\n",
        "utf-8",
    )
    (source / "index.rst").write_text(
        "Site\n====\n\n.. toctree::\n\n   built/course/index\n", "utf-8"
    )
    command = [sys.executable, "-m", "sphinx", "-q", str(source), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def address(pages, live):
    with served(live, pages) as url:
        yield url


@pytest.mark.parametrize("script", COURSE, ids=lambda path: path.stem)
def test_no_answer_can_be_seen_before_one_is_given(script, address, browser):
    page = browser.new_page()
    page.route(re.compile("mathjax", re.I), lambda route: route.abort())  # formulas stay text
    page.goto(f"{address}built/course/{script.stem}.html")
    page.locator("form.question").first.wait_for()
    names = re.findall(r'teaching\.check\("(\w+)"', script.read_text("utf-8"))
    for k, waiting in enumerate(names):
        text, boxes, at_the_end = page.evaluate(VISIBLE)
        for name in names[k:]:
            assert not spoilers(name, text), (name, spoilers(name, text))
        if waiting in at_the_end:  # where nothing waits
            assert boxes == names
            break
        assert boxes == names[: k + 1] and not at_the_end
        assert "What you know now" not in text  # neither in the page nor in the sidebar
        page.locator(f"form[data-name='{waiting}']").get_by_text("Go on").click()
    assert "What you know now" in page.evaluate(VISIBLE)[0]
    for answer in page.locator("details").all():
        assert answer.get_attribute("open") is None or "toctree" in answer.inner_html()
    page.close()


def test_on_pages_that_are_no_lessons_nothing_is_asked_and_nothing_folded(pages, address, browser):
    if not SITE:
        pytest.skip("of the whole site only")
    names = {path.relative_to(pages).as_posix() for path in pages.rglob("*.html")}
    names = {name for name in names if "lessons.js" in (pages / name).read_text("utf-8")}
    lessons = {f"built/course/{script.stem}.html" for script in COURSE}
    assert {"index.html", "learn/teaching.html", "built/solutions.html", *lessons} <= names
    page = browser.new_page()
    page.goto(f"{address}_static/lessons.js")  # a document of the site, in which each page stands
    assert set(page.evaluate(ASKING, sorted(names))) == lessons
    page.close()


def test_solutions_are_neither_in_a_sidebar_nor_found(pages):
    if not SITE:
        pytest.skip("of the whole site only")
    for page in (pages / "built" / "course").glob("*.html"):
        assert "solutions.html" not in page.read_text("utf-8"), page.name
    solutions = (pages / "built" / "solutions.html").read_text("utf-8")
    assert solutions.count("<details") >= len(teaching.EXERCISES)
    assert "<details open" not in solutions
    index = (pages / "searchindex.js").read_text("utf-8")
    index = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    assert index["titles"][index["docnames"].index("built/solutions")] == ""
