"""The slides of every lesson, as the site has them.

    FLOWCORE_SITE=docs/_build/html python -m pytest -m browser tests/site/browser/test_slides.py

Without `FLOWCORE_SITE` they are made of pages that have nothing that a lesson prints or draws.
"""

import importlib
import re
import shutil

import pytest

from .conftest import Watched, serious_faults, served
from .test_course import COURSE, SITE, pages, spoilers  # noqa: F401

SIZE = {"width": 1280, "height": 720}


@pytest.fixture(scope="module")
def slides(live):
    """docs/builder/slides.py."""
    return importlib.import_module("builder.slides")


@pytest.fixture(scope="module")
def site(live, slides, pages, tmp_path_factory):  # noqa: F811
    """The address of a site with slides."""
    folder = tmp_path_factory.mktemp("slides") / "site"
    shutil.copytree(pages, folder, ignore=shutil.ignore_patterns("live", "api"))
    slides.write(folder)
    with served(live, folder) as url:
        yield url


@pytest.fixture
def page(browser, site):
    """A page that loads nothing from elsewhere."""
    context = browser.new_context(viewport=SIZE)
    seen = Watched(context, site)
    yield context.new_page()
    assert seen.elsewhere == [] and seen.errors == []
    context.close()


@pytest.mark.parametrize("script", COURSE, ids=lambda path: path.stem)
def test_no_slide_has_an_answer_before_its_question(script, slides, pages):  # noqa: F811
    html = (pages / "built" / "course" / f"{script.stem}.html").read_text("utf-8")
    made = slides.of_lesson(html)
    names = re.findall(r'teaching\.check\("(\w+)"', script.read_text("utf-8"))
    for name in names:
        mark = f"<p><strong>{name}.</strong>"
        (place,) = (k for k, one in enumerate(made) if one.shown and one.shown[0].startswith(mark))
        before = [text for one in made[:place] for text in (*one.shown, *one.notes)]
        before += made[place].shown + made[place].notes
        assert not spoilers(name, slides.as_text(before)), name


@pytest.mark.parametrize("deck", [*(path.stem for path in COURSE), "lecture"])
def test_slides_fill_the_screen_and_the_paper(deck, page, site):
    if deck == "lecture" and not SITE:
        pytest.skip("of a site with pictures only")
    page.goto(f"{site}slides/{deck}.html")
    page.wait_for_function("globalThis.MathJax?.startup?.promise")
    page.evaluate("MathJax.startup.promise")
    formulas = page.locator("div.math")
    assert formulas.locator("mjx-container").count() == formulas.count()
    sizes = page.evaluate("[...document.querySelectorAll('section')].map((one) => "
                          "[one.scrollWidth, one.scrollHeight])")  # fmt: skip
    assert all(width <= SIZE["width"] and height <= SIZE["height"] for width, height in sizes)
    notes = page.locator("aside").first
    assert not notes.is_visible()
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") == len(sizes)
    page.keyboard.press("n")
    assert notes.is_visible() and "minutes" in notes.inner_text()
    answer = page.locator(".answer:not(:empty)").first
    assert not answer.is_visible()
    page.keyboard.press("a")
    page.keyboard.press("a")
    assert not notes.is_visible()
    page.keyboard.press("a")
    assert answer.is_visible() and "Answer: " in answer.inner_text()
    page.keyboard.press("a")
    tops = "[...document.querySelectorAll('section')].map((one) => one.getBoundingClientRect().top)"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert abs(page.evaluate(tops)[1]) < 2
    assert serious_faults(page) == []
