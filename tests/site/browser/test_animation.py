r"""The README's short film of the Flow Bench: pictures of the page, while a flow trains.

FLOWCORE_FILM=docs/images/flow_bench.gif python -m pytest -m browser \
    tests/site/browser/test_animation.py

Without FLOWCORE_FILM it is shorter, and kept nowhere.
"""

import io
import os
from pathlib import Path

from PIL import Image

from .conftest import ready

FILM = os.environ.get("FLOWCORE_FILM")
SHOTS = 26 if FILM else 6
STEPS = 14  # between two of them, at first; later twice as many
WIDTH = 860
COLOURS = 128


def frames(page):
    """Pictures of the three canvases: before training, and on the way."""
    section = page.locator("section.pictures")
    taken = []
    for shot in range(SHOTS):
        if shot:
            step = "document.documentElement.dataset.step"
            before = int(page.evaluate(step))
            page.click("#train")
            page.wait_for_function(f"{step} >= {before + STEPS * (1 + shot // 9)}")
            page.click("#train")
            ready(page)
        picture = Image.open(io.BytesIO(section.screenshot())).convert("RGB")
        height = round(WIDTH * picture.height / picture.width)
        taken.append(picture.resize((WIDTH, height), Image.Resampling.LANCZOS))
    return taken


def _one_above_the_other(pictures):
    """One picture of several, for a palette that suits them all."""
    sheet = Image.new("RGB", (WIDTH, sum(one.height for one in pictures)))
    for k, one in enumerate(pictures):
        sheet.paste(one, (0, k * one.height))
    return sheet


def test_a_film_of_the_page(new_page, site, tmp_path):
    page = new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{site}live/index.html?part=pictures#theme=light")  # side by side, as in a lesson
    ready(page)
    taken = frames(page)
    palette = _one_above_the_other(taken[:: SHOTS - 1]).quantize(COLOURS)
    film = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in taken]
    path = Path(FILM or tmp_path / "film.gif")
    seconds = [1.2, *[0.16] * (SHOTS - 2), 2.5]
    film[0].save(path, save_all=True, append_images=film[1:], loop=0, optimize=True,
                 duration=[round(1000 * s) for s in seconds])  # fmt: skip
    with Image.open(path) as again:
        assert again.n_frames == SHOTS and again.width == WIDTH
    assert 2_000 < path.stat().st_size / SHOTS < 80_000
    assert taken[0].tobytes() != taken[-1].tobytes()
