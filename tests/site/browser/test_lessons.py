"""A lesson's questions in the page: asked, checked, kept, and what follows folded until then."""

import json

import pytest

from flowcore import teaching

from .conftest import until

LESSON = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A lesson</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="_static/flowcore.css">
<script type="module" src="_static/lessons.js"></script>
<nav class="page-toc"><ul><li><a href="#predict">Predict</a></li>
<li><a href="#next">It is -1.612</a></li></ul></nav>
<article><section id="lesson"><h1>A lesson</h1>
<section id="predict"><h2>Predict</h2><p>Guess. Put your number in the place
of <code><span>None</span></code>.</p><p>1a. How high is it?</p>
<div class="highlight-Python"><pre>guess = None
print(teaching.check("1a", guess))</pre></div>
<div class="sphx-glr-script-out"><pre>
1a: z ~ N(0, 1) and x = 2 z. What is log p(x = 0), in nats?</pre></div>
<p id="answer">It is -1.612.</p></section>
<section id="next"><h2>It is -1.612</h2><p id="later">More.</p>
<div class="highlight-Python"><div class="highlight"><pre><span>x</span> = 1
<span>def</span> f(x):
    return x

<span>fig</span>, ax = plt.subplots()
ax.plot(x)
ax.set(title='of '
       'x')
ax.legend()
</pre></div></div>
<p>7a. How close can it come?</p>
<div class="highlight-Python"><pre>guess = None
print(teaching.check("7a", guess))</pre></div>
<p id="close">It is 0.844.</p></section>
<section id="exercises"><h2>Exercises</h2>
<div class="highlight-Python"><pre>import numpy as np


def log_p(x):
    return ...


print(teaching.check("1c", log_p))</pre></div>
<div class="sphx-glr-script-out"><pre>1c: Write log_p.</pre></div>
<p id="end">The end.</p><div class="sphx-glr-footer">The notebook</div>
</section></section></article>
<footer class="prev-next-footer">Next: lesson 2</footer></html>"""


@pytest.fixture
def lesson(site, site_folder):
    """The URL of a page with a lesson on it."""
    (site_folder / "lesson.html").write_text(LESSON, "utf-8")
    return f"{site}lesson.html"


@pytest.fixture
def page(new_page, lesson):
    """That page."""
    page = new_page()
    page.goto(lesson)
    return page


def test_an_answer_is_hidden_until_it_is_given(page):
    question = page.locator("form[data-name='1a']")
    question.wait_for()
    assert page.get_by_text("Guess.").inner_text() == "Guess."  # no "in the place of None" here
    assert "1a. How high is it?" in question.inner_text()  # the text's question, not the output's
    assert not page.get_by_text("-1.612").first.is_visible()  # nor in the sidebar
    assert not page.locator("#answer").is_visible() and not page.locator("#later").is_visible()
    assert not page.locator("#end").is_visible() and not page.get_by_text("Next").is_visible()
    assert not page.get_by_text("The notebook").is_visible()
    more = page.locator("p.more >> visible=true")
    assert more.all_inner_texts() == ["2 more sections, when you have answered."]
    assert not page.get_by_text("guess = None").first.is_visible()
    question.locator("input").fill("-0.226")
    question.get_by_text("Check").click()
    until(page, question.locator("output").inner_text, "not yet. The sign")
    assert not page.locator("#answer").is_visible()
    question.locator("input").fill("-log(2 * pi) / 2 - log(2)")
    question.locator("input").press("Enter")
    until(page, question.locator("output").inner_text, "1a: right.")
    page.locator("#answer").wait_for()
    assert page.locator("nav a[href='#next']").is_visible()
    assert page.locator("#later").is_visible() and not page.locator("#close").is_visible()
    rough = page.locator("form[data-name='7a']")  # a good guess is enough to go on
    rough.locator("input").fill("0.7")
    rough.locator("input").press("Enter")
    until(page, rough.locator("output").inner_text, "7a: a good guess. Now the number")
    page.locator("#close").wait_for()
    assert not more.count() and not page.get_by_text("Go on").locator("visible=true").count()
    assert page.get_by_text("Next").is_visible() and page.get_by_text("The notebook").is_visible()
    function = page.locator("form[data-name='1c']")
    assert "1c. Write log_p." in function.inner_text()
    assert function.locator("textarea").input_value() == "def log_p(x):\n    return ..."
    assert page.locator("#end").is_visible() and not function.get_by_text("Go on").is_visible()
    function.locator("textarea").fill(
        "def log_p(x):\n    return -np.log(x)**2 / 2 - log(2 * pi) / 2"
    )
    function.get_by_text("Check").click()
    until(page, function.locator("output").inner_text, "log |dz/dx| is missing")
    solution = function.locator("details")
    assert solution.count() == 0
    function.get_by_text("Show a solution").click()
    solution.wait_for()
    assert "1c: z = log x" in function.locator("output").inner_text()
    assert function.locator("pre").inner_text().startswith("def log_p(x):")
    function.locator("textarea").fill(function.locator("pre").inner_text())
    function.get_by_text("Check").click()
    until(page, function.locator("output").inner_text, "1c: right. z = log x")
    assert not function.locator("pre").is_visible()  # a right answer comes with one, folded


def test_a_loop_that_never_ends_can_be_stopped(page):
    page.get_by_text("Show the whole lesson").click()
    function = page.locator("form[data-name='1c']")
    stop = function.get_by_role("button", name="Stop", exact=True)
    assert not stop.is_visible()
    function.locator("textarea").fill("def log_p(x):\n    while True:\n        pass")
    page.wait_for_function("globalThis.flowcoreEngine?.ready.then(() => true)")
    function.get_by_text("Check").click()
    behind = page.locator("form[data-name='1a']")  # one Python: this check has to wait
    behind.locator("input").fill("-1.612")
    behind.locator("input").press("Enter")
    stop.click()
    until(page, function.locator("output").inner_text, "Stopped. Is there a loop")
    until(page, behind.locator("output").inner_text, "1a: right.")  # by the new Python
    stop.wait_for(state="hidden")
    function.locator("textarea").fill(
        "def log_p(x):\n    return -np.log(x)**2 / 2 - log(2 * pi) / 2 - np.log(x)"
    )
    function.get_by_text("Check").click()
    until(page, function.locator("output").inner_text, "1c: right.")


def test_a_reader_may_go_on_without_an_answer(page):
    page.locator("form[data-name='1a']").get_by_text("Go on").click()
    page.locator("#answer").wait_for()
    assert not page.locator("#close").is_visible()
    page.reload()  # the page remembers
    page.locator("#answer").wait_for()
    assert not page.locator("#close").is_visible()
    page.get_by_text("Show the whole lesson").click()
    page.locator("#close").wait_for()
    assert not page.get_by_text("Show the whole lesson").is_visible()
    page.reload()
    page.locator("#close").wait_for()


def answered(page, name, text, verdict):
    """Type an answer, and wait for its verdict."""
    form = page.locator(f"form[data-name='{name}']")
    form.locator("input, textarea").fill(text)
    form.get_by_text("Check", exact=True).click()
    until(page, form.locator("output").inner_text, verdict)
    return form


def test_the_second_wrong_number_opens_the_picture(page):
    form = page.locator("form[data-name='1a']")
    assert form.get_by_text("Go on without an answer").is_visible()
    answered(page, "1a", "half a mile", "'half a mile' has 'a' in it: type a number, such as")
    assert form.get_by_text("Go on without an answer").is_visible()  # this was no answer
    answered(page, "1a", "0,3 nats", "1a: not yet. ")
    assert form.get_by_role("button", name="Go on", exact=True).is_visible()
    assert not page.locator("#answer").is_visible()
    answered(page, "1a", "-0,226", "subtract log 2. The lesson goes on below.")
    page.locator("#answer").wait_for()
    assert not form.get_by_text("Go on", exact=True).is_visible()


def test_who_is_stuck_on_a_number_sees_it(page, tmp_path):
    form = page.locator("form[data-name='1a']")
    show = form.get_by_role("button", name="Show the answer")
    answered(page, "1a", "0.3", "1a: not yet. ")
    answered(page, "1a", "half a mile", "type a number, such as")
    assert not show.is_visible()
    answered(page, "1a", "0.4", "1a: not yet. ")
    page.reload()  # misses are kept
    show.click()
    until(page, form.locator("output").inner_text, "1a: the answer is -1.612. x = 0 comes from")
    assert not show.is_visible() and saved(page, tmp_path / "a.json") == {"1a": ("0.4", False)}
    form.locator("input").fill("-1.6")
    assert "-1.612" in form.locator("output").inner_text()  # it can be copied
    assert form.get_attribute("data-right") == "shown"
    answered(page, "1a", "-1.612", "1a: right. ")
    saved(page, tmp_path / "b.json")
    assert [row[1:5] for row in teaching.mark(tmp_path / "b.json")] == [
        ("1a", None, "right", "shown")
    ]


def test_answers_are_kept_and_saved_as_a_file_that_can_be_marked(page, tmp_path):
    answered(page, "1a", "−1,61", "1a: right. ")  # noqa: RUF001
    page.locator("form[data-name='7a'] input").fill("0.3")  # written and not checked
    page.get_by_text("Show the whole lesson").click()
    code = "def log_p(x):\n    return 0 * x"
    answered(page, "1c", code, "1c: not yet. ")
    message = page.locator("form[data-name='1c'] output").inner_text()
    page.reload()
    number, function = (page.locator(f"form[data-name='{name}']") for name in ("1a", "1c"))
    assert number.locator("input").input_value() == "−1,61"  # noqa: RUF001
    assert number.locator("output").inner_text().startswith("1a: right. ")
    assert number.get_attribute("data-right") == "true"
    assert page.locator("form[data-name='7a'] input").input_value() == "0.3"
    assert function.locator("textarea").input_value() == code
    assert function.locator("output").inner_text() == message
    assert page.locator("#close").is_visible()
    with page.expect_download() as saving:
        page.get_by_text("Save my work").click()
    file = tmp_path / saving.value.suggested_filename
    saving.value.save_as(file)
    rows = [
        ("1a", None, "right", "right"),
        ("7a", None, "not yet", ""),
        ("1c", None, "code", "not yet"),
    ]
    assert [row[1:5] for row in teaching.mark(file)] == rows
    kept = json.loads(file.read_text("utf-8"))["answers"]
    assert [answer["text"] for answer in kept] == ["−1,61", "0.3", code]  # noqa: RUF001
    assert [set(answer) for answer in kept] == 3 * [
        {"exercise", "seed", "text", "right", "message", "time"}
    ]
    function.locator("textarea").fill(code + " ")  # the verdict was on another text
    page.reload()
    assert function.locator("output").inner_text() == ""
    function.locator("textarea").fill(code)
    assert function.locator("output").inner_text() == message


def saved(page, path):
    """The answers in the file that the page saves, each name with its text and verdict."""
    with page.expect_download() as saving:
        page.get_by_text("Save my work").click()
    saving.value.save_as(path)
    answers = json.loads(path.read_text("utf-8"))["answers"]
    return {answer["exercise"]: (answer["text"], answer["right"]) for answer in answers}


def test_a_verdict_belongs_to_the_text_that_was_checked(page, tmp_path):
    form = answered(page, "1a", "-1.61", "1a: right. ")
    right, box = form.locator("output").inner_text(), form.locator("input")
    box.fill("-1.61 ")
    assert form.get_attribute("data-right") == "earlier"  # in the page before the verdict
    assert saved(page, tmp_path / "edited.json") == {"1a": ("-1.61 ", None)}
    box.fill("-1.61")
    assert form.get_attribute("data-right") == "true"
    assert form.locator("output").inner_text() == right
    assert saved(page, tmp_path / "back.json") == {"1a": ("-1.61", True)}


def test_a_browser_that_keeps_nothing_saves_what_is_in_the_page(page, tmp_path):
    page.add_init_script(
        "Object.defineProperty(globalThis, 'localStorage', {get() { throw Error('none'); }})"
    )
    page.reload()
    page.locator("form[data-name='1a'] input").fill("0.3")
    assert saved(page, tmp_path / "work.json") == {"1a": ("0.3", None)}


def test_the_next_reader_starts_anew(page):
    box = page.locator("form[data-name='1a'] input")
    box.fill("0.3")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_text("Start anew").click()
    assert box.input_value() == "0.3"
    page.once("dialog", lambda dialog: dialog.accept())
    with page.expect_navigation():
        page.get_by_text("Start anew").click()
    box.wait_for()
    assert box.input_value() == ""


def test_a_class_has_other_numbers_by_its_seed(page, lesson, tmp_path):
    question = teaching.question("1a", 7)
    page.goto(f"{lesson}?seed=7")
    form = page.locator("form[data-name='1a']")
    until(page, form.inner_text, f"With your own numbers: {question}")
    assert question != teaching.question("1a") and "How high is it?" not in form.inner_text()
    answered(page, "1a", "-1.612", "1a: not yet. ")
    answered(page, "1a", f"{teaching.EXERCISES['1a'].variant(7).answer:.3f}", "1a: right. ")
    page.goto(lesson)  # the next lesson knows it, too
    until(page, form.inner_text, question)
    assert form.get_attribute("data-right") == "true"
    with page.expect_download() as saving:
        page.get_by_text("Save my work").click()
    saving.value.save_as(tmp_path / "work.json")
    assert [row[1:5] for row in teaching.mark(tmp_path / "work.json")] == [
        ("1a", 7, "right", "right")
    ]
    page.goto(f"{lesson}?seed=")
    form.wait_for()
    assert "numbers" not in form.inner_text() and form.locator("input").input_value() == ""


def test_a_box_waits_for_the_numbers_of_the_seed(page, lesson):
    page.add_init_script("""const engine = flowcoreEngine;
        const waits = new Promise((go) => {
          globalThis.goOn = () => delete engine.call && go();
        });
        engine.call = (...given) => waits.then(() => engine.call(...given));""")
    page.goto(f"{lesson}?seed=7")
    form = page.locator("form[data-name='1a']")
    form.get_by_text("Your own numbers are being drawn").wait_for()
    assert "How high is it?" not in form.inner_text()
    assert form.locator("input").is_disabled() and form.get_by_text("Check").is_disabled()
    page.evaluate("goOn()")
    until(page, form.inner_text, teaching.question("1a", 7))
    answered(page, "1a", f"{teaching.EXERCISES['1a'].variant(7).answer:.3f}", "1a: right. ")


def test_a_page_that_is_no_lesson_stays_as_it_is(new_page, site, site_folder):
    text = LESSON.replace('<div class="sphx-glr-footer">The notebook</div>', "")
    (site_folder / "teaching.html").write_text(text, "utf-8")
    page = new_page()
    page.goto(f"{site}teaching.html")
    assert page.locator("#end").is_visible() and page.get_by_text("Next").is_visible()
    assert not page.locator("form, .answered, button").count()


def test_a_box_prints_what_is_in_it(page):
    code = "def log_p(x):\n" + "    # a line\n" * 20
    page.get_by_text("Show the whole lesson").click()
    box = page.locator("form[data-name='1c'] textarea")
    box.fill(code)
    page.emulate_media(media="print")
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight")
    assert not page.get_by_text("Check", exact=True).first.is_visible()
    assert not page.get_by_text("Save my work").is_visible()


def test_a_link_into_a_folded_part_unfolds_it(new_page, lesson):
    page = new_page()
    page.goto(f"{lesson}#end")
    page.locator("#end").wait_for()
    assert not page.locator("#answer").is_visible()  # only what leads there


def test_code_that_draws_is_folded(page):
    page.get_by_text("Show the whole lesson").click()
    assert page.get_by_text("def f(x):").is_visible()
    assert not page.get_by_text("ax.legend()").is_visible()
    page.get_by_text("the code of the picture").click()
    drawn = page.locator("details.drawing pre").inner_text()
    assert drawn.startswith("fig, ax = plt.subplots()") and drawn.rstrip().endswith("ax.legend()")


def test_without_javascript_a_lesson_is_text(cold_page, lesson):
    page = cold_page(java_script_enabled=False)
    page.goto(lesson)
    assert page.locator("#answer").is_visible() and page.locator("#end").is_visible()
    assert page.get_by_text("guess = None").first.is_visible()
    assert page.get_by_text("ax.legend()").is_visible()
