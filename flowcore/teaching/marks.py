"""Marks from the files that students save with "Save my work" on a lesson's page.

Such a file is JSON in UTF-8, and this is its only description:

    {"format": "flowcore work 1",
     "answers": [{"exercise": "1a",       lesson and letter
                  "seed": null,           or a whole number from 0 on: the numbers that were asked
                  "text": "-1,61 nats",   what stood in the box: a number, or the code of a function
                  "right": true,          the page's verdict on this text; null without one
                  "message": "1a: right. ...",
                  "time": "2026-11-29T16:30:00.000Z"}, ...]}   of the last change, in UTC

Numbers are checked again. Code is never run here. A file can be edited, so it proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from .exercises import EXERCISES, check

FORMAT = "flowcore work 1"
LARGEST = 1_000_000  # bytes
IN_WORDS = {True: "right", False: "not yet", None: ""}


class Mark(NamedTuple):
    """One answer of one file.

    file       as it was given to `mark`
    exercise   lesson and letter
    seed       of the question's numbers; None: the course's own
    verdict    "right" or "not yet", computed here; "code" for a function, which is not run
    page       the verdict of the student's browser: "right", "not yet" or ""
    """

    file: str
    exercise: str
    seed: int | None
    verdict: str
    page: str


def mark(path: str | PathLike[str]) -> list[Mark]:
    """Mark the answers in a file that a lesson's page has saved.

    Numbers are checked again, each with its seed. The code of a function is never run: the page's
    own verdict is in the column `page`. Students can edit such a file, so it proves nothing.

    Parameters
    ----------
    path : path
        A JSON file of at most 1 MB.

    Returns
    -------
    list of Mark
        One row for each answer: file, exercise, seed, verdict, page.

    Raises
    ------
    ValueError
        If this is no such file; the message is one sentence.
    OSError
        If it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError(f"it has more than {LARGEST:,} bytes")
        work = json.loads(text.decode("utf-8-sig"))
        if not isinstance(work, Mapping) or work.get("format") != FORMAT:
            raise ValueError(f'it does not contain "format": "{FORMAT}"')
        if not isinstance(work.get("answers"), list):
            raise ValueError('its "answers" are no list')
        return [_marked(str(path), answer) for answer in work["answers"]]
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path} is no work of a student: {problem}") from None


def _marked(file: str, answer) -> Mark:
    match answer:
        case {
            "exercise": str(name),
            "seed": int() | None as seed,
            "text": str(text),
            "right": bool() | None as right,
        } if name in EXERCISES and not isinstance(seed, bool) and (seed is None or seed >= 0):
            verdict = "code" if EXERCISES[name].inputs else IN_WORDS[bool(check(name, text, seed))]
            return Mark(file, name, seed, verdict, IN_WORDS[right])
    raise ValueError(f"{answer!r:.60} is no answer to an exercise")
