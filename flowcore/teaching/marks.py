"""Marks from the files that students save with "Save my work" on a lesson's page.

Such a file is JSON in UTF-8, and this is its only description:

    {"format": "flowcore work 1",
     "answers": [{"exercise": "1a",       lesson and letter
                  "seed": null,           or a whole number from 0 on: the numbers that were asked
                  "text": "-1,61 nats",   what stood in the box: a number, or the code of a function
                  "right": true,          the page's verdict on this text; null without one
                  "message": "1a: right. ...",
                  "shown": true,             left out if the page has not shown the answer
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
NAME = "flowcore_work"  # which the page gives to the file, before browsers add " (1)"
IN_WORDS = {True: "right", False: "not yet", None: ""}


class Mark(NamedTuple):
    """One answer of one file.

    student    the file's name, or its folder's if the file still has the page's name
    exercise   lesson and letter, or the text of an entry that cannot be read
    seed       of the question's numbers; None: the course's own
    verdict    "right" or "not yet", computed here; "code" for a function, which is not run;
               "not read" for an entry that is no answer to an exercise
    page       the verdict of the student's browser: "right", "not yet" or ""; or "shown" if it has
               shown the answer, before or after
    points     1 for a right number, or a function that is right for the browser; 0 if it was shown
    sum        the points of the file, each exercise counted once
    file       as it was given to `mark`
    """

    student: str
    exercise: str
    seed: int | None
    verdict: str
    page: str
    points: int
    sum: int
    file: str


def mark(path: str | PathLike[str]) -> list[Mark]:
    """Mark the answers in a file that a lesson's page has saved.

    Numbers are checked again, each with its seed. The code of a function is never run: the page's
    own verdict is in the column `page`. Students can edit such a file, so it proves nothing. An
    entry that cannot be read has the verdict "not read"; the others are marked.

    Parameters
    ----------
    path : path
        A JSON file of at most 1 MB.

    Returns
    -------
    list of Mark
        One row for each answer: student, exercise, seed, verdict, page, points, sum, file.

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
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path} is no work of a student: {problem}") from None
    path = Path(path)
    student = path.absolute().parent.name if path.stem.startswith(NAME) else path.stem
    marked = [_marked(answer) for answer in work["answers"]]
    total = len({name for name, *_, points in marked if points})
    return [Mark(student, *row, total, str(path)) for row in marked]


def _marked(answer) -> tuple[str, int | None, str, str, int]:
    match answer:
        case {
            "exercise": str(name),
            "seed": int() | None as seed,
            "text": str(text),
            "right": bool() | None as right,
        } if name in EXERCISES and not isinstance(seed, bool) and (seed is None or seed >= 0):
            page = "shown" if answer.get("shown") else IN_WORDS[right]
            if EXERCISES[name].inputs:
                return name, seed, "code", page, int(page == "right")
            is_right = bool(check(name, text, seed))
            return name, seed, IN_WORDS[is_right], page, int(is_right and page != "shown")
    said = answer.get("exercise") if isinstance(answer, Mapping) else answer
    return f"{said!s:.20}", None, "not read", "", 0
