"""An exercise: its question, its answer, and what is said of the mistakes that people make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Answer = ArrayLike | Callable[..., ArrayLike]

CLOSE = 0.005  # answers to two decimals are enough


class Mistake(NamedTuple):
    """An answer that people give, and the hint that names what went wrong."""

    answer: Answer
    hint: str


@dataclass(frozen=True)
class Exercise:
    """A question with one right answer.

    name       lesson and letter, "3b"
    question   as the lesson asks it
    answer     a number, an array, or a function, which is then run on `inputs`
    why        what is said to the right answer
    mistakes   answers that are not right, each with its hint
    hint       what is said to any other answer
    inputs     argument tuples on which functions are compared
    """

    name: str
    question: str
    answer: Answer
    why: str
    mistakes: Sequence[Mistake]
    hint: str
    inputs: Sequence[tuple] = ()

    def judge(self, answer: Answer) -> Verdict:
        """What to say of an answer."""
        try:
            given = self.value_of(answer)
        except Exception as problem:
            return Verdict(False, f"{self.name}: it stops: {type(problem).__name__}: {problem}")
        if _same(given, self.value_of(self.answer)):
            return Verdict(True, f"{self.name}: right. {self.why}")
        for mistake in self.mistakes:
            if _same(given, self.value_of(mistake.answer)):
                return Verdict(False, f"{self.name}: not yet. {mistake.hint}")
        return Verdict(False, f"{self.name}: not yet. {self._shape_of(given)}{self.hint}")

    def value_of(self, answer: Answer) -> np.ndarray:
        """A number or an array; of a function, its values on all inputs, one after the other."""
        if not self.inputs:
            return np.asarray(answer, float)
        if not callable(answer):
            raise TypeError(f"a function is asked for, not {answer!r:.60}")
        values = [np.asarray(answer(*arguments), float) for arguments in self.inputs]
        if len({value.shape for value in values}) == 1:
            return np.stack(values)
        return np.concatenate([value.ravel() for value in values])

    def _shape_of(self, given: np.ndarray) -> str:
        """What is wrong with the shape, if it is that."""
        wanted = self.value_of(self.answer).shape
        if given.shape == wanted:
            return ""
        of, one = ("on each input ", 1) if self.inputs else ("", 0)
        return f"Its shape {of}is {given.shape[one:]}, and should be {wanted[one:]}. "


class Verdict(NamedTuple):
    """Whether an answer is right, and what is said to it; true if it is right."""

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.message

    def __str__(self) -> str:
        return self.message


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=CLOSE, atol=CLOSE, equal_nan=True))


def known(exercises: Sequence[Exercise]) -> dict[str, Exercise]:
    """By name."""
    return {exercise.name: exercise for exercise in exercises}


def find(exercises: dict[str, Exercise], name: Any) -> Exercise:
    """The exercise of this name; a ValueError that lists what there is."""
    if name not in exercises:
        raise ValueError(f"there is no exercise {name!r}: choose of {', '.join(exercises)}")
    return exercises[name]
