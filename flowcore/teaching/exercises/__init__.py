"""The course's exercises: questions, answers that are checked, and hints that name the mistake.

    print(question("1a"))
    print(check("1a", -0.226))

The lessons are in `examples/course/`. `check` names the mistake where it recognises one: a
sign, a missing log-determinant, a transposed mask; never just "wrong". `solution` gives the right
answer and its reason; no lesson calls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .exercise import Exercise, Mistake, Verdict
from .lesson_0 import ONE_PAGE
from .lesson_5 import DIRECTIONS
from .lesson_6 import COUPLINGS
from .lesson_7 import COMPOSING
from .lesson_8 import LIMITS
from .lesson_9 import VELOCITIES
from .lesson_10 import ANGLES
from .lesson_11 import OTHER_KL
from .lesson_12 import QUESTIONS
from .lessons_1_and_2 import DETERMINANT, STRETCH
from .lessons_3_and_4 import LEARNING, ORDER

if TYPE_CHECKING:
    from .exercise import Answer

LESSONS = (
    ONE_PAGE, STRETCH, DETERMINANT, LEARNING, ORDER, DIRECTIONS, COUPLINGS, COMPOSING, LIMITS,
    VELOCITIES, ANGLES, OTHER_KL, QUESTIONS,
)  # fmt: skip
EXERCISES = {exercise.name: exercise for lesson in LESSONS for exercise in lesson}

__all__ = ["EXERCISES", "Exercise", "Mistake", "Verdict", "check", "question", "solution"]


def check(name: str, answer: Answer, seed: int | None = None) -> Verdict:
    """Whether an answer to an exercise is right; if not, a hint.

    Two decimals are enough. Errors: ValueError for an exercise that there is not.

    Parameters
    ----------
    name : str
        Lesson and letter, such as "3b".
    answer : number, array, text, function or None
        Your answer to the question; None prints the question. Text is read by `read_number`, or as
        rows of an array, "[[0, 1], [1, 1]]".
    seed : int or None
        None is the course's own exercise. Another seed has other numbers, and their answers; an
        exercise that asks for a function, and a few others, stay as they are.

    Returns
    -------
    Verdict
        True if the answer is right. It prints the reason or a hint, and after a right function one
        solution, to compare.

    Examples
    --------
    >>> check("1a", -0.226)
    1a: not yet. The sign: a stretch makes the density thinner, so subtract log 2.
    >>> bool(check("1a", "-1,61 nats"))
    True
    >>> check("1a", None, seed=1)
    1a: z ~ N(0, 1) and x = 65 z. What is log p(x = 0), in nats?
    """
    return _find(name).variant(seed).check(answer)


def question(name: str, seed: int | None = None) -> str:
    """The text of an exercise. Errors: ValueError for an exercise that there is not.

    Parameters
    ----------
    name : str
        Lesson and letter, such as "3b".
    seed : int or None
        Other numbers than the course's, as in `check`.

    Returns
    -------
    str
        The question, as `check` prints it.

    Examples
    --------
    >>> question("1a")
    'z ~ N(0, 1) and x = 2 z. What is log p(x = 0), in nats?'
    """
    return _find(name).variant(seed).question


def solution(name: str, seed: int | None = None) -> str:
    """The answer of an exercise and its reason; for a function, only the reason.

    `check` prints the code of a function, after one that is right. Errors: ValueError for an
    exercise that there is not.

    Parameters
    ----------
    name : str
        Lesson and letter, such as "3b".
    seed : int or None
        Other numbers than the course's, as in `check`.

    Returns
    -------
    str
        The answer in words.

    Examples
    --------
    >>> print(solution("2b"))
    1.609. 2 * 3 - 1 * 1 = 5: this matrix is no triangle, so the diagonal alone is not enough.
    """
    exercise = _find(name).variant(seed)
    if exercise.inputs:
        return exercise.why
    if np.ndim(exercise.answer):
        return f"{np.asarray(exercise.answer, int).tolist()}. {exercise.why}"
    value = float(exercise.answer)
    shown = f"{value:g}" if value == round(value, 1) else f"{value:.3f}"
    return f"{shown}. {exercise.why}"


def _find(name: str) -> Exercise:
    if name not in EXERCISES:
        raise ValueError(f"there is no exercise {name!r}: choose of {', '.join(EXERCISES)}")
    return EXERCISES[name]
