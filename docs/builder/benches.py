"""The Flow Bench inside the lessons: where it stands, in which state, and what to do there.

Its whole state is in its address. A page has a link, and docs/static/bench_here.js puts a button
beside it that opens the Flow Bench in the page. Scripts and notebooks of the lessons are as they
were: this is put into the pages while Sphinx reads them.
"""

from __future__ import annotations

import re
from html import escape
from typing import NamedTuple

TITLE = re.compile(r"^(?P<title>\S.*)\n-{3,}$", flags=re.M)
LINK = "The Flow Bench in a page of its own"
NEXT_PAGE_PART = ".. rst-class:: sphx-glr-timing"  # what a gallery writes below the last section


class Bench(NamedTuple):
    """At the end of which section; the hash; "pictures" or "masks"; what to do."""

    section: str
    state: str
    part: str
    text: str


PLACES = {
    "lesson_1_stretching": Bench(
        "A map that stretches differently in different places",
        "data=two_moons&flow=nsf&layers=1",
        "pictures",
        "Train one layer of such splines, in the plane. Then move the slider: where lines of the "
        "grid crowd together, the density grows.",
    ),
    "lesson_2_triangles": Bench(
        "A layer of a flow",
        "task=2",
        "pictures",
        "Predict what one triangle learns from correlated data. Then train it, and drag the point.",
    ),
    "lesson_4_made": Bench(
        "Predict",
        "flow=maf&layers=1&width=8&variables=5",
        "masks",
        "The masks of 4a. Choose other numbers of variables, and walk through the network.",
    ),
    "lesson_5_maf_and_iaf": Bench(
        "Units light up, pass by pass",
        "task=5",
        "masks",
        "Count the units that the loop computes. Then choose by degree, and count again.",
    ),
    "lesson_7_composing": Bench(
        "Six stages",
        "data=two_moons&flow=maf&layers=6",
        "pictures",
        "Train six layers, then move the slider from the base to the data, one layer at a time.",
    ),
    "lesson_8_limits": Bench(
        "Eight pieces in the plane: find the bridges",
        "task=8",
        "pictures",
        "Draw what a flow will make of eight heaps, then train it. Look between the heaps.",
    ),
}


def put_into_lessons(app, docname: str, source: list[str]) -> None:
    """For Sphinx's event `source-read`. Errors: ValueError if a lesson has not that section."""
    bench = PLACES.get(docname.removeprefix("built/course/"))
    if bench is not None:
        source[0] = with_bench(source[0], bench)


def with_bench(text: str, bench: Bench) -> str:
    r"""The text of a lesson, in RST, with the Flow Bench at the end of its section.

    >>> bench = Bench("A", "task=1", "masks", "Look.")
    >>> with_bench("A\n---\n\nx\n\nB\n---\n", bench).splitlines()[4:6]
    ['', '.. raw:: html']
    """
    titles = list(TITLE.finditer(text))
    for here, following in zip(titles, [*titles[1:], None], strict=True):
        if here["title"] == bench.section:
            end = following.start() if following else text.index(NEXT_PAGE_PART)
            return text[:end] + _raw(bench) + text[end:]
    raise ValueError(f"no section {bench.section!r}, which has the Flow Bench: {bench.state}")


def _raw(bench: Bench) -> str:
    return f""".. raw:: html

   <div class="bench-here" data-part="{bench.part}">
     <p>{escape(bench.text)}</p>
     <p><a href="../../live/index.html#{escape(bench.state)}">{LINK}</a></p>
   </div>
   <script type="module" src="../../_static/bench_here.js"></script>

"""
