"""An exercise: its question, its answer, and hints for the mistakes that people make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Answer = ArrayLike | Callable[..., ArrayLike]

CLOSE, RELATIVE = 0.005, 0.001  # answers to two decimals are enough


class Mistake(NamedTuple):
    """An answer that people give, and the hint that names what went wrong.

    `within` is how near an answer must be: less than usual where another mistake is next to it.
    """

    answer: Answer
    hint: str
    within: float = CLOSE


@dataclass(frozen=True)
class Exercise:
    """A question with one right answer.

    name       lesson and letter, "3b"
    question   as it stands in the lesson
    answer     a number, or a function, which is then run on `inputs`
    why        the reason of the right answer
    mistakes   answers that are not right, each with its hint
    hint       for any other answer
    rough      (low, high): a number in between is a good guess, to be made exact
    inputs     argument tuples on which functions are compared
    """

    name: str
    question: str
    answer: Answer
    why: str
    mistakes: Sequence[Mistake]
    hint: str
    rough: tuple[float, float] | None = None
    inputs: Sequence[tuple] = ()

    def check(self, answer: Answer) -> Verdict:
        """Whether the answer is right, and why; or a hint; of None or ..., the question.

        A function that returns ... is not written yet, either.
        """
        try:
            if answer is None or answer is ...:
                raise _NoAnswerError
            found = self.values_of(answer)
        except _NoAnswerError:
            return Verdict(False, f"{self.name}: {self.question}")
        except Exception as problem:
            what = f"{type(problem).__name__}: {problem}".rstrip(" .")
            return Verdict(False, f"{self.name}: it stops: {what}. {self.hint}")
        if _same(found, self.values_of(self.answer)):
            return Verdict(True, f"{self.name}: right. {self.why}")
        for mistake in self.mistakes:
            if _same(found, self.values_of(mistake.answer), mistake.within):
                return Verdict(False, f"{self.name}: not yet. {mistake.hint}")
        if not self.inputs and found[0].shape == ():
            if np.isclose(found[0], np.round(self.answer, 1), atol=1e-9):
                return Verdict(False, f"{self.name}: close: two decimals, please.")
            if self.rough and self.rough[0] < found[0] < self.rough[1]:
                return Verdict(False, f"{self.name}: a good guess. Now the number: {self.hint}")
        return Verdict(False, f"{self.name}: not yet. {self._shape_of(found)}{self.hint}")

    def values_of(self, answer: Answer) -> list[np.ndarray]:
        """Of a function, its value on every input; of anything else, itself."""
        if not self.inputs:
            return [_as_floats(answer)]
        if not callable(answer):
            raise TypeError(f"the answer must be a function, not {answer!r:.60}")
        # an answer may write into its arguments
        copies = [[np.array(argument) for argument in arguments] for arguments in self.inputs]
        return [_as_floats(answer(*arguments)) for arguments in copies]

    def _shape_of(self, found: Sequence[np.ndarray]) -> str:
        """The error in the shape, on the first input that has one."""
        for value, wanted in zip(found, self.values_of(self.answer), strict=True):
            if value.shape != wanted.shape:
                return f"Its shape is {value.shape}, and should be {wanted.shape}. "
        return ""


class Verdict(NamedTuple):
    """Whether an answer is right, and a message; true if it is right."""

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.message

    __str__ = __repr__


class _NoAnswerError(Exception):
    """Nothing is there to be checked."""


def _as_floats(value) -> np.ndarray:
    if value is ...:
        raise _NoAnswerError
    if value is None:
        raise TypeError("there is no value: does the function return something?")
    return np.asarray(value, float)


def _same(found: Sequence[np.ndarray], right: Sequence[np.ndarray], within=CLOSE) -> bool:
    return all(
        a.shape == b.shape and bool(np.allclose(a, b, _tolerance(b), within, equal_nan=True))
        for a, b in zip(found, right, strict=True)
    )


def _tolerance(right: np.ndarray) -> float:
    """Relative; of a count, none."""
    return 0.0 if np.array_equal(right, np.round(right)) else RELATIVE


def exercise(name: str, question: str, answer: Answer, why: str, hint: str, *mistakes: tuple,
             rough: tuple[float, float] | None = None,
             inputs: Sequence[tuple] = ()) -> Exercise:  # fmt: skip
    """An `Exercise` from its parts, in the order in which they are read; mistakes are tuples."""
    found = [Mistake(*mistake) for mistake in mistakes]
    return Exercise(name, question, answer, why, found, hint, rough, inputs)
