"""The whole site as it is built: the bar, the order of the pages, the keyboard, axe.

FLOWCORE_SITE=docs/_build/html python -m pytest -q -m browser tests/site/browser/test_navigation.py
"""

import os
from pathlib import Path

import pytest

from .conftest import PATIENCE, serious_faults, served

SITE = os.environ.get("FLOWCORE_SITE")
BAR = ["Learn", "The Flow Bench", "For teachers", "Use", "Measured", "Read the code", "API"]
LESSON_1 = "built/course/lesson_1_stretching.html"

pytestmark = pytest.mark.skipif(not SITE, reason="FLOWCORE_SITE names no built site")


@pytest.fixture(scope="module")
def address(live):
    with served(live, Path(SITE).resolve()) as url:
        yield url


@pytest.fixture
def opened(browser, address):
    """`opened("learn/index.html", width)`: that page of the site."""
    contexts = []

    def new(page, width=1280):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}))
        contexts[-1].set_default_timeout(PATIENCE)
        tab = contexts[-1].new_page()
        tab.goto(address + page)
        return tab

    yield new
    for context in contexts:
        context.close()


def test_from_the_front_page_it_is_one_click_to_an_install_line(opened):
    page = opened("index.html")
    page.locator("article").get_by_role("link", name="Install", exact=True).click()
    page.get_by_text("pip install -e .").first.wait_for()


def test_next_leads_through_the_course(opened):
    page, titles = opened("learn/index.html"), []
    for _ in range(9):
        titles.append(page.locator("h1").first.inner_text().rstrip("#"))
        page.goto(page.locator("a.right-next").evaluate("link => link.href"))  # folded in a lesson
    assert titles[0] == "Learn"
    assert [int(title.split(".")[0]) for title in titles[1:]] == [*range(1, 9)]
    assert page.locator("h1").first.inner_text().startswith("0. ")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_bar_has_every_part_and_fits(opened, width):
    page = opened("index.html", width)
    if width == 390:
        page.locator("button.primary-toggle").click()
    links = page.locator(".navbar-nav a.nav-link:visible")
    page.wait_for_function("document.querySelectorAll('.navbar-nav').length > 0")
    assert [text.strip() for text in links.all_inner_texts()] == BAR
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = {round(link.bounding_box()["height"]) for link in links.all()}
    assert len(heights) == 1  # each on one line


def test_the_first_box_is_reached_within_ten_tabs(opened):
    page = opened(LESSON_1)
    page.locator("form.question").first.wait_for()
    page.wait_for_function("window.MathJax?.startup?.promise.then(() => true)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to main content"
    page.keyboard.press("Enter")
    n_tabs = 1
    while not page.evaluate("document.activeElement.closest('form.question') !== null"):
        page.keyboard.press("Tab")
        n_tabs += 1
        assert n_tabs <= 10
    assert page.locator("mjx-container").count() > 5
    assert page.locator("mjx-container[tabindex='0']").count() == 0


@pytest.mark.parametrize(
    "name",
    [
        *("index", "start/install", "learn/index", "learn/teaching", "built/how_to/index"),
        *("built/course/lesson_1_stretching", "built/api/flowcore.fit"),
    ],
)
def test_axe_finds_nothing_serious(opened, name):
    page = opened(f"{name}.html")
    assert serious_faults(page) == []
