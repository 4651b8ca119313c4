"""The Flow Bench inside a lesson: nothing is loaded unasked, and one Python serves the whole page.

python -m pytest -q -s -m browser tests/site/browser/test_bench_here.py   # prints the seconds
"""

import textwrap
import time

import pytest

from .conftest import PATIENCE, serious_faults, until

LESSON = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>A lesson</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="../../_static/flowcore.css">
<style>body {{ margin: 0 24px; font-family: sans-serif }} :root {{ --pst-color-primary: #0072b2;
  --pst-color-background: #fff; --pst-color-border: #888 }}</style>
<script type="module" src="../../_static/lessons.js"></script>
<main><article><section id="lesson"><h1>A lesson</h1>
<section id="masks"><h2>Masks</h2>{bench}</section>
<section id="predict"><h2>Predict</h2><p>1a. How high is it?</p>
<div class="highlight-Python"><pre>guess = None
print(teaching.check("1a", guess))</pre></div>
<div class="sphx-glr-script-out"><pre>
1a: What is log p(x = 0), in nats?</pre></div>
<p>It is -1.612.</p></section>
<div class="sphx-glr-footer">The notebook</div></section></article></main></html>"""


@pytest.fixture
def lesson(new_page, site, site_folder, builder):
    """`lesson("lesson_4_made", ...)`: a page with the Flow Bench of that lesson, and a question."""
    benches = builder("benches")
    folder = site_folder / "built" / "course"
    folder.mkdir(parents=True, exist_ok=True)

    def opened(name, new=new_page, **options):
        bench = benches.PLACES[name]
        rst = benches.with_bench(f"{bench.section}\n---\n\nNext\n---\n", bench)
        block = textwrap.dedent(rst.split(".. raw:: html\n")[1].split("Next")[0])
        (folder / f"{name}.html").write_text(LESSON.format(bench=block), "utf-8")
        page = new(**options)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(f"{site}built/course/{name}.html")
        return page

    return opened


def opened_bench(page):
    """Press the button; the frame, once it is ready to train."""
    page.get_by_role("button", name="Open the Flow Bench here").click()
    frame = page.locator(".bench-here iframe").element_handle().content_frame()
    frame.wait_for_function("document.documentElement?.dataset.state === 'ready'")
    return frame


def pythons(page):
    return sum(url.endswith("pyodide.asm.wasm") for url in page.asked)


def test_nothing_is_loaded_unasked_and_one_python_serves_all(lesson, cold_page):
    page = lesson("lesson_5_maf_and_iaf", cold_page)
    page.locator("form[data-name='1a']").wait_for()
    assert not [url for url in page.asked if "/live/" in url]
    frame = opened_bench(page)
    assert frame.evaluate("window.flowBench.state.task") == 5
    loaded = pythons(page)
    page.locator("form[data-name='1a'] input").fill("-0.226")
    page.locator("form[data-name='1a']").get_by_text("Check").click()
    until(page, page.locator("form[data-name='1a'] output").inner_text, "not yet. The sign")
    assert pythons(page) == loaded > 0  # asked for, with HEAD and GET, by one engine
    frame.fill("#answer", "16")
    frame.click("#lock")
    frame.locator("#verdict.again").wait_for()  # a mistake crosses the frame's border


def test_the_first_box_is_ready_soon(lesson, cold_page):
    page = lesson("lesson_4_made", cold_page)
    begin = time.monotonic()
    page.locator("form[data-name='1a'] input").focus()
    page.wait_for_function("globalThis.flowcoreEngine?.ready.then(() => true)")
    print(f"\nfirst box ready {time.monotonic() - begin:.1f} s after it is asked for")
    assert time.monotonic() - begin < PATIENCE / 1000
    before = pythons(page)
    frame = opened_bench(page)  # the other way round
    frame.locator("#masks").wait_for()
    frame.locator("#density").wait_for(state="hidden")
    assert pythons(page) == before


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_the_frame_is_as_high_as_what_it_shows(lesson, width):
    page = lesson("lesson_7_composing", viewport={"width": width, "height": 900})
    frame = opened_bench(page)
    frame.wait_for_function("Math.abs(innerHeight - document.body.scrollHeight) < 3")
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not frame.locator("header.top").is_visible()
    for name in ("base", "stage", "density", "train"):
        assert frame.locator(f"#{name}").is_visible(), name
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    frame.wait_for_function("document.documentElement.dataset.theme === 'dark'")


def test_axe_finds_no_serious_fault(lesson):
    for name in ("lesson_2_triangles", "lesson_4_made"):
        page = lesson(name)
        opened_bench(page)
        assert serious_faults(page) == []
        page.close()


def test_by_the_keyboard(lesson):
    page = lesson("lesson_2_triangles")
    for _ in range(4):  # behind the lesson's own three buttons
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator(".bench-here iframe").wait_for()
    assert page.evaluate("document.activeElement.tagName") == "IFRAME"


def test_without_scripts_there_is_a_link(lesson, cold_page):
    page = lesson("lesson_8_limits", cold_page, java_script_enabled=False)
    link = page.get_by_role("link", name="The Flow Bench in a page of its own")
    assert link.get_attribute("href") == "../../live/index.html#task=8"
    assert page.get_by_role("button", name="Open the Flow Bench here").count() == 0


def test_on_paper_there_are_no_buttons(lesson):
    page = lesson("lesson_1_stretching")
    button = page.get_by_role("button", name="Open the Flow Bench here")
    button.wait_for()
    page.emulate_media(media="print")
    assert not button.is_visible() and page.get_by_role("link").first.is_visible()
