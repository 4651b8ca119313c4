"""The site's first page: its flow moves soon, is flowcore's, and does without motion or script.

python -m pytest -q -s -m browser tests/site/browser/test_front_page.py   # prints the seconds
"""

import re
import textwrap

import numpy as np
import pytest

import flowcore as fc

from .conftest import DOCS, serious_faults

HEAD = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>flowcore</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="_static/flowcore.css">
<style>body {{ margin: 0 16px; font-family: sans-serif }} :root {{ --pst-color-text-base: #222;
  --pst-color-text-muted: #444; --pst-color-surface: #fff; --pst-color-border: #888 }}</style>
<main><h1>flowcore</h1>{block}</main></html>"""


@pytest.fixture
def opened(new_page, site, site_folder):
    """`opened(viewport=...)`: a page with the figure of docs/index.rst and its scripts."""
    index = (DOCS / "index.rst").read_text("utf-8")
    block = re.search(r"\.\. raw:: html\n\n((?:   .*\n|\n)+)", index)[1]
    (site_folder / "index.html").write_text(HEAD.format(block=textwrap.dedent(block)), "utf-8")

    def figure(new=new_page, **options):
        page = new(**options)
        page.goto(f"{site}index.html")
        return page

    return figure


THEME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="_static/flowcore.css">
<script type="module" src="_static/accessible.js"></script>
<nav aria-label="Pages"><ul><li><a href="#x">The course</a>
<details><summary><i></i></summary><p>1</p></details></li></ul></nav>
<main class="bd-article"><h1 id="x">A page</h1><table><tr><th>one</th></tr>
<tr><td><div style="width: 900px; height: 2em"></div></td></tr></table></main></html>"""


def test_what_the_theme_leaves_out(new_page, site, site_folder):
    (site_folder / "page.html").write_text(THEME, "utf-8")
    page = new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{site}page.html")
    page.locator("summary[aria-label='Pages of The course']").wait_for()
    page.locator("table[tabindex='0']").wait_for()
    assert serious_faults(page) == []


AT_REST = "(({ value, max }) => value === max)(document.querySelector('figure.learned input'))"


def place(page):
    return float(page.locator("figure.learned input").input_value())


def label(page):
    return page.locator("figure.learned .stage").inner_text()


def test_it_moves_soon_and_comes_to_rest(opened, cold_page):
    page = opened(cold_page)
    page.wait_for_selector("figure.learned[data-moved-after]")
    seconds = int(page.locator("figure.learned").get_attribute("data-moved-after")) / 1000
    print(f"\nfirst movement {seconds:.1f} s after navigation")
    assert seconds < 60
    page.wait_for_function(AT_REST)
    page.get_by_role("button", name="Play").wait_for()
    pixels = "document.querySelector('canvas').getContext('2d').getImageData(0, 0, 900, 300).data"
    assert page.evaluate(f"{pixels}.some((v) => v > 0)")
    assert label(page) == "density p(x)"


def blue(page):
    """The share of the pixels of the canvas that are blue, not teal or another colour."""
    return page.evaluate(
        """() => {
          const { width, height } = document.querySelector("canvas");
          const context = document.querySelector("canvas").getContext("2d");
          const { data } = context.getImageData(0, 0, width, height);
          let found = 0;
          for (let i = 0; i < data.length; i += 4) {
            found += data[i + 3] > 40 && data[i + 2] > 60 + Math.max(data[i], data[i + 1]);
          }
          return found / (width * height);
        }"""
    )


def test_at_the_end_the_density_is_shaded_and_every_stage_has_its_label(opened):
    page = opened(reduced_motion="reduce")
    page.wait_for_function(AT_REST)
    shaded, slider = blue(page), page.locator("figure.learned input")
    for place, words in [("0", "noise"), ("3", "after layer 3 of 8"), ("9", "rescaled")]:
        slider.fill(place)
        assert label(page) == words == slider.get_attribute("aria-valuetext")
    assert shaded > 0.05 > 5 * blue(page)


def test_what_it_computes_is_flowcores(opened, builder):
    front_door = builder("front_door")
    flow = fc.flows.maf(2, layers=3, hidden=[5], activation="tanh", rng=0)
    flow = flow.initialize(np.random.default_rng(0).normal(size=(50, 2)) * [2, 3] + 1)
    flow = fc.testing.randomize(flow, rng=1)
    z = np.random.default_rng(2).normal(size=(40, 2))
    page = opened()
    found = page.evaluate(
        """async ([flow, z]) => {
          const { stages } = await import("/_static/front_door.js");
          return stages(flow, z).map((points) => Array.from(points));
        }""",
        [front_door.exported(flow), z.ravel().tolist()],
    )
    expected = [stage for _, stage in flow.stages(z)]
    assert len(found) == len(expected) == 5
    for here, there in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.reshape(here, (-1, 2)), there, atol=5e-3)
    log_p = page.evaluate(
        """async ([flow, x]) => {
          const { logProb } = await import("/_static/front_door.js");
          return x.map((point) => logProb(flow, point));
        }""",
        [front_door.exported(flow), expected[-1].tolist()],
    )
    np.testing.assert_allclose(log_p, flow.log_prob(expected[-1]), atol=2e-2)


def test_who_wants_less_motion_sees_the_last_picture(opened):
    page = opened(reduced_motion="reduce")
    page.wait_for_function(AT_REST)
    assert page.locator("figure.learned").get_attribute("data-moved-after") is None
    page.get_by_role("button", name="Play").click()  # asked for, it moves
    page.wait_for_selector("figure.learned[data-moved-after]")


def test_by_the_keyboard(opened):
    page = opened(reduced_motion="reduce")
    page.wait_for_function(AT_REST)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Play"
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert place(page) == 0
    page.keyboard.press("ArrowRight")
    assert place(page) > 0


def test_without_scripts_there_is_a_picture(opened, cold_page):
    page = opened(cold_page, java_script_enabled=False)
    assert page.locator("figure.learned img").is_visible()
    assert not page.get_by_role("button", name="Play").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_it_fits_and_axe_finds_no_serious_fault(opened, width, scheme):
    page = opened(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.locator("figure.learned canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_faults(page) == []
