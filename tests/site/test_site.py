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
from flowcore import teaching

DOCS = ROOT / "docs"
COURSE = ROOT / "examples" / "course"


@pytest.fixture
def builder(monkeypatch):
    """`builder("pages")` is that module of docs/builder."""
    monkeypatch.syspath_prepend(str(DOCS))
    return lambda name: importlib.import_module(f"builder.{name}")


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
    picture = (DOCS / "static" / "front_door.svg").read_text("utf-8")
    assert picture.count("<polyline") == 26 and picture.count("<circle") == 400


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


RST = """
.. _x:

7. Why compose?
===============

Predict
-------

.. rst-class:: note

**7a.** What?

Six stages
----------

.. image-sg:: /built/course/images/sphx_a_001.png
   :alt: two & three
   :srcset: x

      .. image-sg:: /built/course/images/sphx_a_002.png
         :alt: more
"""


def test_slides_have_questions_and_pictures_in_order(builder, tmp_path, monkeypatch):
    slides = builder("slides")
    assert doctest.testmod(slides).failed == 0
    lesson, found = slides.of_lesson(RST)
    assert lesson == "7. Why compose?"
    assert [(one.section, bool(one.question), one.image) for one in found] == [
        ("Predict", True, ""),
        ("Six stages", False, "sphx_a_001.png"),
        ("Six stages", False, "sphx_a_002.png"),
    ]
    assert found[0].question == teaching.question("7a")
    (tmp_path / "lesson_7_composing.rst").write_text(RST, "utf-8")
    monkeypatch.setattr(slides, "COURSE", tmp_path)
    slides.write(tmp_path)
    page = (tmp_path / "slides" / "lesson_7_composing.html").read_text("utf-8")
    assert page.count("<section>") == 4 and "two &amp; three" in page
    assert 'href="lesson_7_composing.html"' in (tmp_path / "slides" / "index.html").read_text()


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
