"""A lesson's questions in the page: asked, checked, and what follows folded until then."""

import shutil
import threading

import pytest

from .conftest import DOCS, until

LESSON = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A lesson</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="_static/flowcore.css">
<script type="module" src="_static/lessons.js"></script>
<article><section id="lesson"><h1>A lesson</h1>
<section id="predict"><h2>Predict</h2><p>1a. How high is it?</p>
<div class="highlight-Python"><pre>guess = None
print(teaching.check("1a", guess))</pre></div>
<div class="sphx-glr-script-out"><pre>
1a: z ~ N(0, 1) and x = 2 z. What is log p(x = 0), in nats?</pre></div>
<p id="answer">It is -1.612.</p></section>
<section id="next"><h2>Next</h2><p id="later">More.</p></section>
<section id="exercises"><h2>Exercises</h2>
<div class="highlight-Python"><pre>import numpy as np


def log_p(x):
    return ...


print(teaching.check("1c", log_p))</pre></div>
<div class="sphx-glr-script-out"><pre>1c: Write log_p.</pre></div>
<p id="end">The end.</p></section></section></article></html>"""


@pytest.fixture
def lesson(live, site, tmp_path, browser):
    """A page with a lesson on it, as the site has them: beside live/ and _static/."""
    (tmp_path / "_static").mkdir()
    for path in (DOCS / "static").iterdir():
        shutil.copy(path, tmp_path / "_static")
    live.assemble(tmp_path / "live")
    (tmp_path / "lesson.html").write_text(LESSON, "utf-8")
    with live.Server(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        context = browser.new_context()
        context.set_default_timeout(120_000)
        yield context, f"{server.url}lesson.html"
        context.close()
        server.shutdown()
        thread.join()


def test_an_answer_is_hidden_until_it_is_given(lesson):
    context, url = lesson
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda problem: errors.append(str(problem)))
    page.goto(url)
    question = page.locator("form[data-name='1a']")
    question.wait_for()
    assert "1a. How high is it?" in question.inner_text()  # the text's question, not the output's
    assert not page.locator("#answer").is_visible() and page.locator("#later").is_visible()
    assert not page.get_by_text("guess = None").is_visible()
    question.locator("input").fill("-0.226")
    question.get_by_text("Check").click()
    until(page, question.locator("output").inner_text, "not yet. The sign")
    assert not page.locator("#answer").is_visible()
    question.locator("input").fill("-log(2 * pi) / 2 - log(2)")
    question.locator("input").press("Enter")
    until(page, question.locator("output").inner_text, "1a: right.")
    page.locator("#answer").wait_for()
    function = page.locator("form[data-name='1c']")
    assert "1c. Write log_p." in function.inner_text()
    assert function.locator("textarea").input_value() == "def log_p(x):\n    return ..."
    assert page.locator("#end").is_visible()
    function.locator("textarea").fill(
        "def log_p(x):\n    return -np.log(x)**2 / 2 - log(2 * pi) / 2"
    )
    function.get_by_text("Check").click()
    until(page, function.locator("output").inner_text, "log |dz/dx| is missing")
    assert not errors


def test_a_reader_may_go_on_without_an_answer(lesson):
    context, url = lesson
    page = context.new_page()
    page.goto(url)
    page.locator("form[data-name='1a']").get_by_text("Go on").click()
    page.locator("#answer").wait_for()
    page.goto(f"{url}#answer")
    page.reload()
    page.locator("#answer").wait_for()


def test_without_javascript_a_lesson_is_text(browser, lesson):
    _, url = lesson
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    assert page.locator("#answer").is_visible() and page.get_by_text("guess = None").is_visible()
    context.close()
