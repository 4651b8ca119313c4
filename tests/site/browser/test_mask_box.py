"""A mask that is clicked, in the box of an exercise whose answer is an array."""

import pytest

from .conftest import until

LESSON = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Masks</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="_static/flowcore.css">
<script type="module" src="_static/lessons.js"></script>
<script type="module" src="_static/mask_box.js"></script>
<article><section id="lesson"><h1>Masks</h1><p><b>4e.</b> Which stay?</p>
<div class="highlight-Python"><pre>guess = None
print(teaching.check("4e", guess))</pre></div>
<div class="sphx-glr-footer">The notebook</div></section></article></html>"""
RIGHT = [
    *(f"{unit} reads x₁: 1" for unit in ("h₁: 1", "h₂: 1", "h₃: 2", "h₄: 2")),
    "h₃: 2 reads x₂: 2",
    "h₄: 2 reads x₂: 2",
]


@pytest.fixture
def page(new_page, site, site_folder):
    (site_folder / "masks.html").write_text(LESSON, "utf-8")
    page = new_page()
    page.goto(f"{site}masks.html")
    return page


def test_cells_are_clicked_and_a_verdict_frames_what_it_names(page):
    form = page.locator("form.question")
    cell = lambda name: form.get_by_role("button", name=name)  # noqa: E731
    named = form.locator(".cell.named")
    assert form.locator(".cell").count() == 12 and not form.locator("input").is_visible()
    form.get_by_text("Check").click()  # nothing is there yet: no count
    until(page, form.locator("output").inner_text, "mark cells in the table, or type 3 rows")
    for name in [*RIGHT[:-1], "h₁: 1 reads x₃: 3"]:
        cell(name).click()
    form.get_by_text("Check").click()
    until(page, form.locator("output").inner_text, "2 of 12 cells differ")
    assert named.evaluate_all("cells => cells.map(cell => cell.ariaLabel)") == [
        "h₄: 2 reads x₂: 2", "h₁: 1 reads x₃: 3",
    ]  # fmt: skip
    cell("h₁: 1 reads x₃: 3").click()
    assert named.count() == 0
    page.reload()  # the cells are kept
    assert form.locator(".cell[aria-pressed=true]").count() == 5
    cell(RIGHT[-1]).click()
    form.get_by_text("Check").click()
    until(page, form.locator("output").inner_text, "4e: right.")


@pytest.mark.parametrize("text", ["[[1", "[[1, 1, 1, 1, 1]]"])
def test_a_kept_text_that_is_no_such_mask_marks_no_cell_too_many(page, text):
    kept = """text => localStorage.setItem("flowcore course /", JSON.stringify(
        {answers: {"4e": {text, message: ""}}}))"""
    page.evaluate(kept, text)
    page.reload()
    cells = page.locator(".cell")
    cells.first.wait_for()
    assert cells.count() == 12 and page.locator("input").input_value() == text
