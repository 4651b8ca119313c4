"""The site's first page: it asks soon and judges a click; its flow is flowcore's.

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


SLIDER = "document.querySelector('figure.learned input')"
AT_REST = f"{SLIDER}.value === {SLIDER}.max"


def place(page):
    return float(page.locator("figure.learned input").input_value())


def label(page):
    return page.locator("figure.learned .stage").inner_text()


def click(page, x, y):
    """Click a place in the data's units: the flow's frame is centred in the canvas."""
    page.locator("figure.learned[data-asked-after]").wait_for()
    left, top, unit = page.evaluate(
        """async () => {
          const { stages, frameOf, ofTheBase } = await import("/_static/front_door.js");
          const flow = await (await fetch("/_static/front_door.json")).json();
          const [left, right, bottom, top] = frameOf(stages(flow, ofTheBase()).at(-1));
          const { clientWidth, clientHeight } = document.querySelector("figure.learned canvas");
          const unit = Math.min(clientWidth / (right - left), clientHeight / (top - bottom));
          return [(left + right) / 2 - clientWidth / 2 / unit,
                  (bottom + top) / 2 + clientHeight / 2 / unit, unit];
        }"""
    )
    place = {"x": (x - left) * unit, "y": (top - y) * unit}
    page.locator("figure.learned canvas").click(position=place)


def test_it_asks_soon_and_gives_nothing_away(opened, cold_page):
    page = opened(cold_page)
    page.locator("figure.learned[data-asked-after]").wait_for()
    seconds = int(page.locator("figure.learned").get_attribute("data-asked-after")) / 1000
    print(f"\nasked {seconds:.1f} s after navigation")
    assert seconds < 60
    assert page.get_by_text("Where will it put mass that is not in the data? Click.").is_visible()
    pixels = "document.querySelector('canvas').getContext('2d').getImageData(0, 0, 900, 300).data"
    assert page.evaluate(f"{pixels}.some((v) => v > 0)") and blue(page) < 0.01
    assert not page.get_by_text("lesson 8").is_visible()


@pytest.mark.parametrize(
    ("x", "y", "verdict"),
    [
        (1.5, 0.12, "Yes: there is mass here"),
        (0.0, 1.0, "Here are data. Look beside them"),
        (0.5, 0.2, "Hardly any mass is here"),
    ],
)
def test_a_click_is_judged_and_the_density_is_shaded(opened, x, y, verdict):
    page = opened(reduced_motion="reduce")
    click(page, x, y)
    page.wait_for_function(AT_REST)
    assert page.locator("figure.learned output").inner_text().startswith(verdict)
    assert blue(page) > 0.05 and label(page) == "density p(x)"
    assert page.get_by_text("lesson 8").is_visible()


def test_after_the_answer_it_moves_and_comes_to_rest(opened):
    page = opened()
    click(page, 1.5, 0.12)
    page.wait_for_function(AT_REST)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"{SLIDER}.value < 9")
    page.wait_for_function(AT_REST)
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
    page.get_by_role("button", name="Show me").click()
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


def test_by_the_keyboard(opened):
    page = opened(reduced_motion="reduce")
    page.locator("figure.learned[data-asked-after]").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Show me"
    page.keyboard.press("Enter")
    page.wait_for_function(AT_REST)  # at once: less motion is wanted
    assert "thin strand" in page.locator("figure.learned output").inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert place(page) == 0
    page.keyboard.press("ArrowRight")
    assert place(page) > 0


def test_without_scripts_nothing_is_asked(opened, cold_page):
    page = opened(cold_page, java_script_enabled=False)
    assert page.locator("h1").is_visible() and not page.locator("figure.learned").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_it_fits_and_axe_finds_no_serious_fault(opened, width, scheme):
    page = opened(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.locator("figure.learned canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_faults(page) == []
