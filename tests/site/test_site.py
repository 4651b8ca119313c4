"""The site's first page, the Flow Bench inside the lessons, and the one command that builds all.

What they do in a browser is tested in tests/site/browser.
"""

import doctest
import importlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.places import ROOT

import flowcore as fc

DOCS = ROOT / "docs"
COURSE = ROOT / "examples" / "course"
LESSONS = sorted(COURSE.glob("lesson_*.py"))


# ------------------------------------------------------------ the first page's flow


def through(flow, z):
    """What front_door.js computes, in NumPy: z -> x."""
    for layer in flow["layers"]:
        (w, b), first, bound = map(np.asarray, layer["in"]), layer["first"], flow["bound"]
        known = layer["shift"] + np.exp(layer["log_scale"]) * z[:, first]
        h = np.tanh(known[:, None] * w + b)
        mu, raw = (h @ np.asarray(v) + c for v, c in layer["out"])
        other = mu + np.exp(bound * np.tanh(raw / bound)) * z[:, 1 - first]
        z = np.stack([known, other], axis=-1)[:, [0, 1] if first == 0 else [1, 0]]
    return flow["mean"] + np.asarray(flow["scale"]) * z


def test_what_is_exported_is_the_flow(builder):
    flow = fc.flows.maf(2, layers=3, hidden=[5], activation="tanh", rng=0)
    flow = flow.initialize(np.random.default_rng(0).normal(size=(50, 2)) * [2, 3] + 1)
    flow = fc.testing.randomize(flow, rng=1)
    z = np.random.default_rng(2).normal(size=(40, 2))
    found = json.loads(json.dumps(builder("front_door").exported(flow)))
    np.testing.assert_allclose(through(found, z), flow.from_latent(z), atol=5e-3)


def test_the_first_pages_flow_has_learned_two_moons(builder):
    flow = json.loads((DOCS / "static" / "front_door.json").read_text("utf-8"))
    assert len(flow["layers"]) == 8 and flow["n_params"] == 800 and flow["kl"] < 0.1
    x = through(flow, np.random.default_rng(0).normal(size=(4000, 2)))
    truth = fc.targets.two_moons()
    near = truth.log_prob(x) > np.quantile(truth.log_prob(truth.sample(4000, rng=1)), 0.01)
    assert near.mean() > 0.9
    page = (DOCS / "index.rst").read_text("utf-8")
    assert "eight layers and 800 numbers" in page


def test_doors_and_cards_have_their_minutes(builder):
    pages = builder("pages")
    app, source = SimpleNamespace(srcdir=str(DOCS)), [(DOCS / "index.rst").read_text("utf-8")]
    pages.fill_minutes(app, "index", source)
    assert len(re.findall(r"\*[^*]+: \d+ minutes\*", source[0])) == 4
    cards = pages.lesson_cards(COURSE)
    lessons = sorted(COURSE.glob("lesson_*.py"))
    assert cards.count("grid-item-card") == len(lessons) == cards.count(" minutes")
    order = [*range(1, 9), 0, *range(9, 13)]
    assert [int(n) for n in re.findall(r"card:: (\d+)\.", cards)] == order
    read = cards.partition(".. toctree::")[2]  # in the order of the cards
    assert re.findall(r"/built/course/(\w+)", read) == re.findall(r":link: \S+/(\w+)", cards)
    assert 20 <= pages.minutes(COURSE / "lesson_1_stretching.py") <= 45


# ------------------------------------------------------------ the Flow Bench inside the lessons


def test_every_bench_stands_in_a_section_of_its_lesson(builder):
    benches = builder("benches")
    assert doctest.testmod(benches).failed == 0
    for name, bench in benches.PLACES.items():
        script = (COURSE / f"{name}.py").read_text("utf-8")
        assert re.search(rf"^# {re.escape(bench.section)}\n# -{{3,}}$", script, flags=re.M), name


def test_a_bench_stands_at_the_end_of_its_section(builder):
    benches = builder("benches")
    bench = benches.Bench("Second", "task=1&k=2", "masks", "A & B.")
    text = "First\n-----\n\na\n\nSecond\n------\n\nb\n\nThird\n-----\n\nc\n"
    found = benches.with_bench(text, bench)
    assert found.index("\nb\n") < found.index("bench-here") < found.index("Third")
    assert 'index.html#task=1&amp;k=2"' in found and "A &amp; B." in found
    assert 'data-part="masks"' in found and "_static/bench_here.js" in found
    with pytest.raises(ValueError, match="no section 'Fourth'"):
        benches.with_bench(text, bench._replace(section="Fourth"))
    for place in benches.PLACES.values():
        assert place.part in re.findall(r'PARTS = \["(\w+)", "(\w+)"\]', PART_JS)[0]


PART_JS = (DOCS / "live" / "part.js").read_text("utf-8")


# ------------------------------------------------------------ slides


PAGE = """<article><div class="admonition"><p>Go to the end</p></div>
<h1>7. Why compose?<a class="headerlink" href="#x">#</a></h1><p>You need: lesson 6.</p>
<h2>Predict</h2><p>What comes? Put it in the place of <code>None</code>.</p>
<p><strong>7a.</strong> How much?</p><pre>7a: How much?</pre><p>It is two.</p>
<h2>Stages</h2><p>Look <a href="x.html">left</a>.</p>
<ul class="sphx-glr-horizontal"><li><img src="../../_images/1.png" alt="two &amp; three"
srcset="x"></li><li><img src="../../_images/2.png" alt="more"></li></ul>
<p>Much before. So</p><div class="math">a</div><p>and</p><div class="math">b</div>
<h2>Two</h2><p>Why this shape?</p><img src="../../_images/3.png" alt="">
<div class="highlight-python"><div><pre><span>def</span> f():
    pass</pre></div></div><ul><li><p>One.</p></li></ul><p>The end.</p>
<section id="where-this-comes-from"><h2>Where</h2><ul><li>A paper</li></ul></section></article>"""


@pytest.fixture
def slides(builder):
    """docs/builder/slides.py."""
    pytest.importorskip("bs4")
    return builder("slides")


def test_a_slide_has_one_thing_and_a_question_stands_before_its_picture(slides):
    assert doctest.testmod(slides).failed == 0
    title, *found = slides.of_lesson(PAGE)
    assert title.section == "7. Why compose?" and title.notes == ["<p>You need: lesson 6.</p>"]
    assert [(one.section, one.kind, "".join(one.shown)) for one in found] == [
        ("Predict", "question", "<p>What comes?</p>"),
        ("Predict", "question", "<p><strong>7a.</strong> How much?</p>"),
        ("Stages", "other", '<p>Look left.</p><img alt="two &amp; three" src="../_images/1.png"/>'),
        ("Stages", "other", '<img alt="more" src="../_images/2.png"/>'),
        ("Stages", "formula", '<p>Much before. So</p><div class="math">a</div>'
         '<p>and</p><div class="math">b</div>'),
        ("Two", "question", "<p>Why this shape?</p>"),
        ("Two", "other", '<img alt="" src="../_images/3.png"/>'),
        ("Two", "other", '<div class="highlight-python"><div><pre style="--lines: 2; --columns: 8">'
         "def f():\n    pass</pre></div></div>"),
        ("Two", "other", "<ul><li><p>One.</p></li></ul>"),
    ]  # fmt: skip
    assert [one.notes for one in found if one.notes] == [["<p>It is two.</p>"], ["<p>The end.</p>"]]
    assert not found[1].notes  # the answer
    assert found[1].minutes == pytest.approx(0.5 + 2 + 3 / 120)
    assert found[2].minutes == pytest.approx(0.5 + 5 / 120)  # of which its notes have three


def test_slides_of_a_site(slides, tmp_path):
    lessons = tmp_path / "built" / "course"
    lessons.mkdir(parents=True)
    (lessons / "lesson_5_x.html").write_text(PAGE.replace("7.", "5."), "utf-8")
    slides.write(tmp_path)
    page = (tmp_path / "slides" / "lesson_5_x.html").read_text("utf-8")
    assert page.count("<section>") == 10 and page.count("<main>") == page.count("<h1>") == 1
    assert "CC BY 4.0" in page and "ArrowRight" in page
    assert 'href="lesson_5_x.html"' in (tmp_path / "slides" / "index.html").read_text("utf-8")


def test_a_question_has_its_answer_and_mistakes_apart_from_the_notes(slides):
    _, _, asked, *_ = slides.of_lesson(PAGE.replace("7a.", "5d."))
    assert asked.answer[0].startswith("<p>Answer: 512. Each once") and len(asked.answer) == 4
    assert asked.answer[1].startswith("<p>Mistake 32768: ")
    _, _, code, *_ = slides.of_lesson(PAGE.replace("7a.", "5e."))
    assert code.answer[1].startswith("<p>Mistake: ") and code.answer[-1].startswith("<pre>def ")
    assert not slides.of_lesson(PAGE)[1].answer  # a prediction that is no exercise


def test_no_slide_begins_in_the_middle_of_a_sentence(slides):
    page = PAGE.replace("<h2>Two</h2>", "<p>where b is small. Then more.</p><h2>Two</h2>")
    shown = slides.of_lesson(page)[5]
    assert shown.shown[-1] == "<p>where b is small.</p>" and shown.notes == ["<p>Then more.</p>"]


@pytest.mark.parametrize("script", LESSONS, ids=lambda path: path.stem)
def test_every_formula_of_a_lesson_is_on_its_slides(builder, slides, script):
    pytest.importorskip("nbformat")
    docutils = pytest.importorskip("docutils.core")
    html5 = importlib.import_module("docutils.writers").get_writer_class("html5")
    source = script.read_text("utf-8")
    text = [cell.text for cell in builder("notebooks").cells(source) if not cell.is_code]
    options = {"report_level": 5, "doctitle_xform": False, "math_output": "MathJax none"}
    html = docutils.publish_parts("\n\n".join(text), writer=html5(), settings_overrides=options)
    made = slides.of_lesson(f"<article>{html['html_body']}</article>")
    shown = "".join(part for slide in made for part in slide.shown)
    assert shown.count('<div class="math') == source.count(".. math::")
    for name in re.findall(r'teaching\.check\("(\w+)"', source):
        assert f"<strong>{name}.</strong>" in shown


# ------------------------------------------------------------ one command


@pytest.fixture
def steps(builder, monkeypatch):
    """docs/builder/build.py whose steps do nothing but note that they were taken."""
    build, taken = builder("build"), []

    def sphinx(command):
        taken.append("sphinx")
        Path(command[-1]).mkdir()
        return SimpleNamespace(returncode=build.status)

    build.status = 0
    monkeypatch.setattr(build.subprocess, "run", sphinx)
    monkeypatch.setattr(build.slides, "write", lambda folder: taken.append("slides"))
    monkeypatch.setattr(build.live, "assemble", lambda folder: taken.append(folder.name))
    monkeypatch.setattr(build.check_links, "main", lambda folder: taken.append("links") or 0)
    return build, taken


def test_one_command_builds_everything_and_ends_where_a_step_fails(steps, tmp_path, monkeypatch):
    build, taken = steps
    monkeypatch.setattr(build.check_links, "main", lambda folder: 1)
    assert build.main([str(tmp_path / "a")]) == "build.py: links are dead: see above"
    assert taken == ["sphinx", "slides", "live"] and (tmp_path / "a" / ".nojekyll").exists()
    build.status = 2
    assert "Sphinx" in build.main([str(tmp_path / "b")])
    assert taken == ["sphinx", "slides", "live", "sphinx"]
