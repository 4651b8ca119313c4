"""The Flow Bench as a student uses it: every task, every control, on wide and narrow screens."""

import re
import sys

import numpy as np
import pytest
from support.places import ROOT

LIVE = ROOT / "docs" / "live"
sys.path.insert(0, str(LIVE))

import flow_bench  # noqa: E402
from flow_bench import desk, tasks  # noqa: E402

from .conftest import WIDE, ready, serious_faults, until  # noqa: E402

NARROW = {"width": 390, "height": 844}


@pytest.fixture(autouse=True)
def a_bench_of_ones_own(monkeypatch):
    monkeypatch.setattr(desk, "_bench", [])


def text(page, name):
    return re.sub(r"\s+", " ", page.locator(f"#{name}").inner_text()).replace("\N{MINUS SIGN}", "-")


def shows(page, name, wanted):
    """Wait until this text stands in the element."""
    until(page, lambda: text(page, name), wanted)


def ask(page, name, **arguments):
    """What the page's Python computes, of the flow on its bench."""
    call = "async ([name, args]) => window.flowBench.engine.call(name, args)"
    return page.evaluate(call, [name, arguments])


def state(page):
    return page.evaluate("({...window.flowBench.state})")


def step(page):
    return page.evaluate("Number(document.documentElement.dataset.step)")


def train(page, steps=20, by_itself=False):
    """Training for at least so many steps; by itself: the page pauses there."""
    page.click("#train")
    page.wait_for_function(f"document.documentElement.dataset.step >= {steps}")
    if not by_itself:
        page.click("#train")
    ready(page)


def choose(page, name, value):
    page.select_option(f"#{name}", str(value))
    page.wait_for_function(f"String(window.flowBench.state['{name}']) === '{value}'")
    ready(page)


# ------------------------------------------------------------ the same numbers


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"flow": "nsf", "layers": 3},
        {"flow": "realnvp", "layers": 4, "seed": 3},
        {"flow": "iaf", "points": 200, "width": 8},
        {"flow": "continuous", "width": 16},
    ],
    ids=["maf", "nsf", "realnvp", "iaf", "continuous"],
)
def test_a_link_trains_the_flow_that_this_machine_trains(open_page, new_page, cold_page, settings):
    hash = "&".join(f"{k}={v}" for k, v in {**settings, "steps": 30}.items())
    page = open_page(hash, new_page if settings else cold_page)
    assert step(page) == 30
    flow_bench.call("build", {"settings": settings})
    flow_bench.call("train", {"steps": 30})
    here, there = flow_bench.call("described"), ask(page, "described")
    for name in ("nll", "kl"):
        assert there[name] == pytest.approx(here[name], rel=0, abs=1e-6)
    shows(page, "gauge", f"{here['kl']:.3f}")
    shows(page, "step-said", "30")


# ------------------------------------------------------------ nine tasks


def predict(page, value):
    page.fill("#answer", f"{value:g}")
    page.click("#lock")


@pytest.mark.parametrize("number", [*range(1, 8), 9])
def test_a_task_is_predicted_seen_and_judged(open_page, number):
    task = tasks.find(number)
    page = open_page(f"task={number}")
    shows(page, "task-title", task.title)
    shows(page, "predict", task.answer.question)
    wrong = [(float(np.round(m.answer, 4)), m.hint) for m in task.answer.mistakes[:3]]
    assert page.is_disabled("#train")  # until something is predicted
    predict(page, wrong[0][0])
    if task.steps:
        shows(page, "now", "press Train")
        assert page.locator("#verdict").count() == 0
        train(page, task.steps, by_itself=True)
        assert step(page) == task.steps
    for k, (value, hint) in enumerate(wrong):
        if k:
            predict(page, value)
        page.locator("#verdict.again", has_text=hint[:40].split(" -")[0]).wait_for()
        assert page.locator("#compared").count() == (k > 0)  # first the hint, then the number
        assert page.locator("#show-me").count() == (k == 0)
    right = float(task.answer.answer)
    predict(page, round(right, 3))
    page.locator("#verdict.right").wait_for()
    shows(page, "verdict", task.answer.why[:30])
    shows(page, "compared", f"You said {right:.3f}".rstrip("0").rstrip("."))
    page.click("#next-task")
    page.wait_for_function(f"window.flowBench.state.task === {(number + 1) % 10}")
    ready(page)


def draw(page, strokes):
    """Strokes of the pointer through points of the data."""
    page.locator("#density").scroll_into_view_if_needed()
    for stroke in strokes:
        at = "(points) => points.map((p) => window.flowBench.placeOnScreen(...p))"
        places = page.evaluate(at, stroke)
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in [*places, places[0]]:
            page.mouse.move(*place)
        page.mouse.up()


HEAPS = [(2.83 * np.cos(a), 2.83 * np.sin(a)) for a in np.arange(8) * np.pi / 4]


def heap(x, y):
    """Strokes back and forth over one heap."""
    return [(x + dx, y + dy) for dx in (-0.15, 0.15) for dy in (-0.15, 0.15)] * 4


def arc(k, n=4):
    """From one heap to the next, along the circle."""
    angles = (k + np.linspace(0, 1, n)) * np.pi / 4
    return [(2.83 * np.cos(a), 2.83 * np.sin(a)) for a in angles]


def test_what_is_drawn_is_judged_and_laid_over_the_density(open_page):
    page = open_page("task=8")
    page.click("#lock")
    shows(page, "answer-problem", "Nothing is drawn yet")
    draw(page, [[(0.7 * x, 0.7 * y) for x in (-1, 1) for y in (-1, -0.5, 0, 0.5, 1)] * 2])
    page.click("#lock")
    train(page, 400, by_itself=True)
    page.locator("#verdict.again", has_text="lies in the middle").wait_for()
    shows(page, "compared", "overlap by")  # at once: there is no number to keep back
    assert page.locator("#show-me").count() == 0
    for strokes, hint in [
        ([heap(*at) for at in HEAPS], "islands"),
        ([[p for k in range(8) for p in arc(k)]] * 4, "closed ring"),
        ([[(-4.5, y), (-4.2, -y)] for y in (4, 3, 2, -2)], "no data"),
    ]:
        page.click("#draw-clear")
        draw(page, strokes)
        page.click("#lock")
        page.locator("#verdict.again", has_text=hint).wait_for()
    page.click("#draw-clear")
    draw(page, [*(heap(*at) for at in HEAPS), [p for k in range(8) for p in arc(k)]])
    page.click("#lock")
    page.locator("#verdict.right", has_text="bridges").wait_for()
    overlap = int(re.search(r"overlap by (\d+)", text(page, "compared"))[1])
    assert 30 < overlap < 95
    ink = "Math.round(window.flowBench.prediction.ink.reduce((sum, v) => sum + v))"
    before = page.evaluate(ink)
    page.reload()
    ready(page)
    page.locator("#verdict.right", has_text="bridges").wait_for()
    shows(page, "compared", f"overlap by {overlap}")
    shows(page, "do", "Compare: your drawing")
    assert abs(page.evaluate(ink) - before) <= 2 and step(page) == 400


def test_task_1_covers_both_numbers_until_a_prediction(open_page):
    page = open_page("task=1")
    for panel in ("bars-panel", "jacobian-panel"):
        shows(page, panel, "Covered until")
    assert page.locator("#jacobian > *, #bars > *").count() == 0
    predict(page, -1)
    page.click("#show-me")
    shows(page, "jacobian", "0.693")
    shows(page, "bars", "-2.531")


def test_an_answer_may_be_arithmetic_and_the_verdict_before_it_goes(open_page):
    page = open_page("task=1")
    page.fill("#answer", "-log(2)")
    page.click("#lock")
    page.locator("#verdict.again").wait_for()
    assert page.input_value("#answer") == "-log(2)"
    page.fill("#answer", "abc")
    page.click("#lock")
    shows(page, "answer-problem", "type a number")
    assert page.locator("#verdict").count() == 0 and page.input_value("#answer") == "abc"
    page.fill("#answer", "\N{MINUS SIGN}1,838 - ln(2) nats")
    page.click("#lock")
    page.locator("#verdict.right").wait_for()
    assert page.locator("#answer-problem").count() == 0


def test_masks_are_folded_where_no_task_asks_for_them(open_page):
    page = open_page("task=3")
    canvas = page.locator("#masks")
    assert not canvas.is_visible()
    page.click("#masks-panel > summary")
    canvas.wait_for()
    for task, shown in [(4, True), (6, False), (0, True)]:
        page.click(f"#task-{task}")
        page.wait_for_function(f"window.flowBench.state.task === {task}")
        ready(page)
        assert canvas.is_visible() == shown
    box = page.locator("#density").bounding_box()
    assert box["width"] > 1.15 * page.locator("#base").bounding_box()["width"]


def test_a_task_that_is_visited_again_shows_what_its_verdict_is_about(open_page):
    page = open_page("task=7")
    predict(page, 0.8)
    train(page, 400, by_itself=True)
    page.locator("#verdict.again").wait_for()
    predict(page, 0.844)
    page.locator("#verdict.right").wait_for()
    shows(page, "do", "Train on until the gauge stops")
    stood = text(page, "kl")
    shows(page, "compared", f"after 400 steps the gauge stood at {stood}")
    page.click("#task-8")
    page.wait_for_function("window.flowBench.state.task === 8")
    ready(page)
    assert step(page) == 0
    page.click("#task-7")
    page.wait_for_function("document.documentElement.dataset.step == 400")
    ready(page)
    assert text(page, "kl") == stood in text(page, "compared")


def test_a_drawing_by_the_keyboard(open_page):
    page = open_page("task=8")
    page.focus("#density")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
    page.click("#lock")
    page.wait_for_function("window.flowBench.prediction.phase === 'locked'")
    page.reload()  # it is kept before it is judged, too
    ready(page)
    assert page.evaluate("window.flowBench.prediction.phase") == "locked"
    assert page.evaluate("window.flowBench.prediction.ink.some(Boolean)")


def test_a_prediction_may_be_skipped_or_free(open_page):
    page = open_page("task=3")
    shows(page, "gauge-panel", "Covered until")
    assert "1.7" not in text(page, "gauge")  # it would give the answer away
    page.click("#skip")
    page.locator("#gauge", has_text=re.compile(r"1\.[67]")).wait_for()
    page.click("#task-0")
    page.wait_for_function("window.flowBench.state.task === 0")
    ready(page)
    page.click("#free-kl")
    page.fill("#answer", "abc")
    page.click("#lock")
    shows(page, "answer-problem", "number")
    predict(page, 0.5)
    train(page, 20)
    page.locator("#compared", has_text="You said 0.5").wait_for()


# ------------------------------------------------------------ every control


def test_every_choice_of_flow_and_data(open_page):
    page = open_page("width=8&layers=2")
    for name in ("data", "method", "layers", "width", "points", "flow"):
        values = page.eval_on_selector_all(f"#{name} option", "all => all.map((o) => o.value)")
        assert len(values) > 2
        if name in ("layers", "width", "points"):
            values = [values[0], values[-1]]  # the least and the most
        for value in values:
            if name == "data" and value in ("painted", "table"):
                continue
            choose(page, name, value)
        choose(page, name, {"layers": 2, "width": 8, "flow": "maf"}.get(name, values[0]))
    page.uncheck("#permute")
    page.wait_for_function("window.flowBench.state.permute === false")
    page.fill("#seed", "12")
    page.press("#seed", "Enter")
    page.wait_for_function("window.flowBench.state.seed === 12")
    ready(page)
    train(page, 10)
    assert ask(page, "described")["settings"]["seed"] == 12


def test_train_pause_step_and_start_over(open_page):
    page = open_page("flow=maf&width=8")
    before = ask(page, "described")["kl"]
    page.click("#step")
    page.wait_for_function("document.documentElement.dataset.step == 1")
    ready(page)
    train(page, 60)
    assert step(page) >= 60 and ask(page, "described")["kl"] < before
    seen = step(page)
    ask(page, "measure")  # takes so long that more steps would be seen
    assert step(page) == seen == ask(page, "described")["step"]
    page.click("#start-over")
    page.wait_for_function("document.documentElement.dataset.step == 0")
    ready(page)
    assert ask(page, "described")["kl"] == pytest.approx(before)


def test_layers_are_slid_through_and_played(open_page):
    page = open_page("flow=maf&width=8&layers=3&steps=20")
    page.locator("#k").fill("1")
    page.wait_for_function("window.flowBench.state.k === 1")
    page.click("#play")
    page.wait_for_function("window.flowBench.state.k === null || window.flowBench.state.k === 4")


def test_the_time_of_a_continuous_flow_is_slid_and_played(open_page):
    page = open_page("flow=continuous&width=8&steps=20&k=4")
    shows(page, "k-said", "time 0.50")
    shows(page, "masks-said", "a velocity needs none")
    before = page.evaluate("document.querySelector('#stage').toDataURL()")
    page.focus("#k")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("window.flowBench.state.k === 5")
    shows(page, "k-said", "time 0.62")
    assert page.get_attribute("#k", "aria-label") == "The time t"
    page.wait_for_function(
        "(old) => document.querySelector('#stage').toDataURL() !== old", arg=before
    )
    page.wait_for_function("location.hash.includes('k=5')")
    page.click("#play")
    page.wait_for_function("window.flowBench.state.k === null")
    shows(page, "k-said", "time 1, rescaled")
    assert page.is_disabled("#layers") and page.is_disabled("#method")
    choose(page, "flow", "maf")
    shows(page, "k-said", "of 5 maps")
    assert page.get_attribute("#k", "aria-label") == "After how many maps"


def test_the_point_is_dragged_and_moved_by_keys(open_page):
    page = open_page("flow=maf&width=8&steps=30")
    place = page.evaluate("window.flowBench.placeOnScreen(1, 0.5)")
    page.mouse.move(*page.evaluate("window.flowBench.placeOnScreen(0, 0)"))
    page.mouse.down()
    page.mouse.move(*place, steps=5)
    page.mouse.up()
    page.wait_for_function("Math.abs(window.flowBench.state.point?.[0] - 1) < 0.05")
    found = ask(page, "point", x=state(page)["point"])
    shows(page, "bars", f"{found['log_p']:.3f}")
    shows(page, "jacobian", f"{found['log_det']:.3f}")
    before = state(page)["point"][0]
    page.focus("#density")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"window.flowBench.state.point[0] < {before}")


def test_the_walk_and_its_time(open_page):
    page = open_page("flow=maf&width=8&layers=1&variables=5&method=loop")
    for _ in range(5):
        page.click("#walk-step")
    shows(page, "walk-said", "80")
    choose(page, "method", "by_degree")
    shows(page, "walk-said", "Each block is a mask")  # the other method's walk
    page.click("#walk-play")
    shows(page, "walk-said", "16 of 16")
    page.click("#walk-reset")
    page.click("#time-it")
    shows(page, "time-said", "by degree")


def test_a_measurement(open_page):
    page = open_page("flow=maf&width=8&steps=20")
    page.click("#measure")
    shows(page, "measured", f"{ask(page, 'measure')['kl']:.4f}")


def test_points_that_are_painted(open_page):
    page = open_page("flow=maf&width=8&layers=2")
    choose(page, "data", "painted")
    rng = np.random.default_rng(0)
    draw(page, [rng.uniform(-2, 2, (25, 2)).tolist()])
    page.wait_for_function("Number(document.querySelector('#paint-count').value) >= 20")
    page.click("#paint-use")
    page.wait_for_function("window.flowBench.engine.call('described').then((d) => !d.known)")
    ready(page)
    page.locator("#gauge", has_text=re.compile("unknown", re.I)).wait_for()
    train(page, 20)
    # a link holds the points
    page.wait_for_function("location.hash.includes('steps=')")
    hash, before = page.evaluate("location.hash").lstrip("#"), ask(page, "described")
    page.close()
    after = ask(open_page(hash), "described")
    assert after["step"] == before["step"] >= 20
    assert after["nll"] == pytest.approx(before["nll"], abs=1e-9)


def csv(rows=60):
    x = np.random.default_rng(0).normal(size=(rows, 2))
    lines = "".join(f"{i},{a:.6g},{b:.6g}\n" for i, (a, b) in enumerate(x))
    return ("id,height,weight\n" + lines).encode()


def test_a_table_of_ones_own(open_page):
    page = open_page("flow=maf&width=8&layers=2")
    page.select_option("#data", "table")
    upload = {"name": "a.csv", "mimeType": "text/csv"}
    page.set_input_files("#csv", {**upload, "buffer": b"a,b\n1,x\n2,3\n"})
    page.locator("#message-text", has_text="two columns of numbers are needed").wait_for()
    page.set_input_files("#csv", {**upload, "buffer": b'a,b\n"' + b"1,2\n" * 250_000})
    page.locator("#message-text", has_text="a quote may be missing").wait_for()
    page.set_input_files("#csv", {**upload, "buffer": csv()})
    page.wait_for_function("window.flowBench.engine.call('described')"
                           ".then((d) => d.columns[0] === 'id')")  # fmt: skip
    ready(page)
    page.select_option("#csv-x", "height")
    page.select_option("#csv-y", "weight")
    page.wait_for_function("window.flowBench.engine.call('described')"
                           ".then((d) => String(d.columns) === 'height,weight')")  # fmt: skip
    ready(page)
    train(page, 20)
    page.locator("#gauge", has_text=re.compile("unknown", re.I)).wait_for()


def test_a_table_that_is_dropped(open_page):
    page = open_page("flow=maf&width=8&layers=2")
    page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.items.add(new File([text], "a.csv", { type: "text/csv" }));
          for (const type of ["dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(type,
              { dataTransfer: data, bubbles: true, cancelable: true }));
          }
        }""",
        csv().decode(),
    )
    page.wait_for_function("window.flowBench.state.data === 'table'")
    page.wait_for_function("window.flowBench.engine.call('described').then((d) => d.rows === 48)")


def test_a_cell_of_python(open_page):
    page = open_page("flow=maf&width=8&steps=20")
    page.fill("#code", "y = flow.log_prob(data)\nprint(step, len(y))\nround(float(y.mean()), 6)")
    page.focus("#code")
    page.keyboard.press("Shift+Enter")
    page.locator("#output", has_text="20 2000").wait_for()
    page.fill("#code", "y[10**6]")
    page.click("#run")
    page.locator("#output", has_text="IndexError").wait_for()
    page.fill("#code", "while True: pass")
    page.click("#run")
    page.locator("#stop").wait_for()
    page.click("#stop")
    ready(page)
    page.wait_for_function("document.documentElement.dataset.step == 20")  # trained once more
    page.fill("#code", "step + 1")
    page.click("#run")
    page.locator("#output", has_text="21").wait_for()


# ------------------------------------------------------------ links


def test_a_link_holds_what_is_on_the_screen(open_page):
    hash = ("theme=dark&task=7&data=eight_gaussians&flow=realnvp&layers=2&width=16&method=loop"
            "&seed=5&steps=30&k=1&point=0.5,-0.25&variables=4")  # fmt: skip
    page = open_page(hash)
    page.wait_for_function("location.hash.startsWith('#task=7')")  # as the page writes it
    opened, kept = (
        dict(part.split("=") for part in text.split("&"))
        for text in (hash, page.evaluate("location.hash").lstrip("#"))
    )
    assert kept == opened
    assert step(page) == 30
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_link_that_is_damaged_is_reported_and_survived(open_page):
    page = open_page("flow=glow&layers=99&seed=x&nonsense=1&width=16&permute=toString")
    for word in ("flow=glow", "layers=99", "seed=x", "nonsense", "permute=toString"):
        shows(page, "message-text", word)
    assert state(page)["width"] == 16 and state(page)["flow"] == "maf"
    page.click("#message-close")
    page.locator("#message").wait_for(state="hidden")


def test_a_link_is_copied(open_page):
    page = open_page("flow=nsf&width=8", permissions=["clipboard-read", "clipboard-write"])
    page.click("#copy-link")
    until(page, lambda: page.evaluate("navigator.clipboard.readText()"), "flow=nsf")
    page.wait_for_function("navigator.clipboard.readText().then((text) => text === location.href)")


def test_a_link_to_a_table_names_it(open_page):
    page = open_page("data=table&flow=maf")
    shows(page, "message-text", "made with a table")


def test_back_and_forth(open_page):
    page = open_page("flow=maf&width=8")
    page.evaluate("location.hash = 'flow=nice&width=8'")
    page.wait_for_function("window.flowBench.state.flow === 'nice'")
    ready(page)
    page.wait_for_function("window.flowBench.engine.call('described')"
                           ".then((d) => d.settings.flow === 'nice')")  # fmt: skip


# ------------------------------------------------------------ when something fails


def test_a_download_that_fails_can_be_tried_again(watched, site):
    page, seen = watched(viewport=WIDE)
    page.route("**/*autograd*", lambda route: route.fulfill(status=503))
    page.goto(f"{site}live/index.html")
    shows(page, "message-text", "autograd")
    page.unroute("**/*autograd*")
    page.click("#message-again")
    ready(page)
    page.locator("#message").wait_for(state="hidden")
    assert seen.elsewhere == []


def test_without_webassembly_the_page_has_a_message(watched, site):
    page, _ = watched(viewport=WIDE)
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(f"{site}live/index.html")
    page.locator("#message-text", has_text="WebAssembly").wait_for()


def test_without_scripts_the_page_has_a_message(watched, site):
    page, _ = watched(java_script_enabled=False)
    page.goto(f"{site}live/index.html")
    assert "JavaScript" in page.locator("noscript").inner_text()


# ------------------------------------------------------------ for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_no_serious_fault(open_page, viewport, scheme):
    page = open_page("task=7", viewport=viewport, color_scheme=scheme)
    faults = []
    for hash, opened in [
        ("task=7", "task === 7"),
        ("task=8", "task === 8"),
        ("task=9", "task === 9"),
        ("flow=maf&width=8&steps=20", "steps === 20"),
        ("data=painted", "data === 'painted'"),
    ]:
        page.evaluate("(hash) => { location.hash = hash; }", hash)
        page.wait_for_function(f"window.flowBench.state.{opened}")
        ready(page)
        faults += [(hash, *fault) for fault in serious_faults(page)]
    assert faults == []


@pytest.mark.parametrize(
    "hash", ["", "task=8", "task=9", "flow=realnvp&layers=8&steps=5", "data=painted"]
)
def test_nothing_is_wider_than_a_phone(open_page, hash):
    page = open_page(hash, viewport=NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_finger_drags_the_point(open_page, cold_page):
    page = open_page("flow=maf&width=8&layers=2", cold_page, viewport=NARROW, has_touch=True)
    page.locator("#density").scroll_into_view_if_needed()
    page.touchscreen.tap(*page.evaluate("window.flowBench.placeOnScreen(1, 0.5)"))
    page.wait_for_function("Math.abs(window.flowBench.state.point?.[0] - 1) < 0.1")


def test_all_of_a_task_by_the_keyboard(open_page):
    page = open_page("task=2")
    page.focus("#answer")
    page.keyboard.type("-0.511")
    page.keyboard.press("Enter")
    page.wait_for_function("window.flowBench.prediction.phase === 'locked'")
    page.focus("#train")
    page.keyboard.press("Enter")
    page.locator("#verdict.right").wait_for()
