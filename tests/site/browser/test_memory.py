"""The Flow Bench remembers: Back returns to the task before, a reload keeps what was predicted."""

from .conftest import ready, until


def predict(page, value):
    page.fill("#answer", value)
    page.click("#lock")


def test_back_returns_to_the_task_before(open_page):
    page = open_page("task=1")
    page.click("#task-4")
    page.wait_for_function("window.flowBench.state.task === 4")
    ready(page)
    page.wait_for_function("location.hash === '#task=4'")
    page.go_back()
    page.wait_for_function("window.flowBench.state.task === 1")
    page.go_forward()
    page.wait_for_function("window.flowBench.state.task === 4")
    ready(page)
    assert page.locator("#masks-panel.large").is_visible()


def test_a_reload_keeps_the_prediction(open_page):
    page = open_page("task=2")
    predict(page, "-0.3")
    page.locator("#predict", has_text="You said").wait_for()
    page.reload()
    ready(page)
    page.locator("#predict", has_text="You said").wait_for()
    assert page.evaluate("window.flowBench.prediction.phase") == "locked"
    page.click("#train")
    page.locator("#verdict.again").wait_for()
    assert page.evaluate("window.flowBench.prediction.misses") == 1


def test_answered_tasks_have_a_tick(open_page):
    page = open_page("task=1")
    assert page.locator("#answered").inner_text() == ""
    predict(page, "-1.838-0.693")
    page.locator("#verdict.right").wait_for()
    until(page, page.locator("#answered").inner_text, "1 of 9 right")
    page.reload()
    ready(page)
    assert page.locator("#task-1").inner_text() == "1 ✓"
    assert page.get_by_role("button", name="Task 1, answered").count() == 1
    page.locator("#verdict.right").wait_for()  # and what was answered is there


def test_panels_and_the_masks_of_a_task_are_on_the_screen(open_page):
    page = open_page("task=3")
    page.set_viewport_size({"width": 1920, "height": 1080})
    top = "document.querySelector('#gauge-panel').getBoundingClientRect().top"
    page.wait_for_function(f"{top} < 820")
    page.click("#task-5")
    page.wait_for_function("window.flowBench.state.task === 5")
    ready(page)
    for size in ({"width": 1920, "height": 1080}, {"width": 1280, "height": 800}):
        page.set_viewport_size(size)
        page.wait_for_function(  # the masks are drawn anew, in a later frame
            """() => {
              const box = (id) => document.querySelector(id).getBoundingClientRect();
              return box("#masks-panel").height > 300 && box("#controls").bottom < innerHeight;
            }"""
        )
    page.click("#task-6")
    page.wait_for_function("window.flowBench.state.task === 6")
    assert page.locator(".panels > #masks-panel:not(.large)").count() == 1
