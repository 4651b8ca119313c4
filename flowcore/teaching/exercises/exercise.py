"""An exercise: its question, its answer, and hints for the mistakes that people make."""

from __future__ import annotations

import inspect
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .general import general_hint
from .reading import read_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Answer = ArrayLike | Callable[..., ArrayLike]

CLOSE, RELATIVE = 0.005, 0.0012  # two decimals are enough, also of each column: 78 * 0.92
APART = 0.015  # from the right number to a mistake, at least: decimals may be cut off
DRAWS = 1000  # of a variant, at most: the tests need 60


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
    question   as `check` prints it
    answer     a number, an array, or a function, which is then run on `inputs`
    why        the reason of the right answer
    mistakes   answers that are not right, each with its hint
    hint       for any other answer
    rough      (low, high): a number in between is a good guess, to be made exact
    inputs     argument tuples on which functions are compared
    others     draws the exercise with other numbers; None if it has no variants
    """

    name: str
    question: str
    answer: Answer
    why: str
    mistakes: Sequence[Mistake]
    hint: str
    rough: tuple[float, float] | None = None
    inputs: Sequence[tuple] = ()
    others: Callable[[np.random.Generator], Exercise] | None = None

    def variant(self, seed: int | None) -> Exercise:
        """The exercise with the numbers of a seed; itself for None, or if it has one form only.

        Numbers are drawn again until each mistake can be named.
        """
        if seed is None or self.others is None:
            return self
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        return next(filter(Exercise.names_each_mistake, map(self.others, repeat(rng, DRAWS))))

    def names_each_mistake(self) -> bool:
        """Whether every mistake, a number, gets its own hint: no other answer is too near."""
        answers = np.array([self.answer, *(mistake.answer for mistake in self.mistakes)], float)
        hints = [self.why, *(mistake.hint for mistake in self.mistakes)]
        within = np.array([APART, *(mistake.within for mistake in self.mistakes)])
        within += np.where(answers == np.round(answers), 0, RELATIVE * abs(answers))
        with np.errstate(invalid="ignore"):  # inf - inf
            near = (abs(answers[:, None] - answers) <= within) | np.eye(len(answers), dtype=bool)
        return all(hints[k] == hints[first] for k, first in enumerate(near.argmax(axis=1)))

    @property
    def solution(self) -> str:
        """One function that is right, as code; "" if the answer is a number."""
        return inspect.getsource(self.answer).strip() if callable(self.answer) else ""

    def check(self, answer: Answer) -> Verdict:
        """Whether the answer is right, and why; or a hint; of None or ..., the question.

        Text is read. A function that returns ... is not written yet, either.
        """
        is_number = not self.inputs and not np.ndim(self.answer)
        if is_number and isinstance(answer, tuple) and len(answer) > 1:
            typed = ",".join(map(str, answer))
            point = typed.replace(",", ".")
            hint = f"Python reads {typed} as {len(answer)} numbers"
            return Verdict(False, f"{self.name}: {hint}: write {point}, or the text '{typed}'.")
        if isinstance(answer, str) and not self.inputs:
            try:
                answer = self.read(answer)
            except ValueError as problem:
                return Verdict(False, f"{self.name}: {problem}")
        try:
            if answer is None or answer is ...:
                raise _NoAnswerError
            found = self.values_of(answer)
        except _NoAnswerError:
            return Verdict(False, f"{self.name}: {self.question}")
        except Exception as problem:
            what = f"{type(problem).__name__}: {problem}".rstrip(" .")
            return Verdict(False, f"{self.name}: it stops: {what}. {self.hint}")
        right = self.values_of(self.answer)
        if _same(found, right):
            code = f"\n\nOne solution:\n\n{self.solution}" if self.inputs else ""
            return Verdict(True, f"{self.name}: right. {self.why}{code}")
        with np.errstate(all="ignore"):
            for mistake in self.mistakes:
                if _same(found, self.values_of(mistake.answer), mistake.within):
                    return Verdict(False, f"{self.name}: not yet. {mistake.hint}")
        hint, is_enough = general_hint(found, right, len(right) // max(len(self.inputs), 1))
        if is_enough:
            return Verdict(False, f"{self.name}: {hint}")
        if self.rough and not hint and self.rough[0] < found[0] < self.rough[1]:
            return Verdict(False, f"{self.name}: a good guess. Now the number: {self.hint}")
        return Verdict(False, f"{self.name}: not yet. {hint}{self.hint}")

    def read(self, text: str) -> Answer:
        """The number, or the rows of an array, in a text. Errors: ValueError for any other text."""
        if not np.ndim(self.answer):
            if self.answer >= 1000:  # 5,100, as the course writes it
                text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
            return read_number(text)
        asked = "{} rows of {} cells".format(*np.shape(self.answer))
        rows = (re.findall(r"[^\s,[]+", row) for row in re.split(r"[];\n]", text))
        try:
            found = np.array([row for row in rows if row], float)
        except ValueError:  # letters, or rows that are not equally long
            found = np.zeros(0)
        if not found.size:
            example = "0 1; 1 1 would be 2 of 2"
            raise ValueError(f"mark cells in the table, or type {asked} ({example})")
        if found.shape != np.shape(self.answer):
            raise ValueError(f"{asked} are asked for; this has {len(found)} of {found.shape[1]}")
        return found

    def values_of(self, answer: Answer) -> list[np.ndarray]:
        """The values of a function on every input, a tuple's one by one; or the answer itself."""
        if not self.inputs:
            value = _as_floats(answer)
            return [value.squeeze() if value.size == 1 else value]
        if not callable(answer):
            raise TypeError(f"the answer must be a function, not {answer!r:.60}")
        found = []
        for arguments in self.inputs:
            # an answer may write into its arrays
            value = answer(*(a.copy() if isinstance(a, np.ndarray) else a for a in arguments))
            found += map(_as_floats, value if isinstance(value, tuple) else [value])
        return found


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
        raise TypeError("there is no value (does the function return something?)")
    return np.asarray(value, float)


def _same(found: Sequence[np.ndarray], right: Sequence[np.ndarray], within=CLOSE) -> bool:
    return len(found) == len(right) and all(
        a.shape == b.shape and bool(np.allclose(a, b, _tolerance(b), within, equal_nan=True))
        for a, b in zip(found, right, strict=True)
    )


def _tolerance(right: np.ndarray) -> float:
    """Relative; of a count, none."""
    return 0.0 if np.array_equal(right, np.round(right)) else RELATIVE


def exercise(name: str, question: str, answer: Answer, why: str, hint: str, *mistakes: tuple,
             rough: tuple[float, float] | None = None,
             inputs: Sequence[tuple] = ()) -> Exercise:  # fmt: skip
    """An `Exercise` from its parts, in the order in which they are read.

    Mistakes are tuples; several answers that have one hint are a list.
    """
    found = [
        Mistake(answer, *hint)
        for answers, *hint in mistakes
        for answer in (answers if isinstance(answers, list) else [answers])
    ]
    return Exercise(name, question, answer, why, found, hint, rough, inputs)


def given(parts: Callable[..., tuple]) -> Callable[[Callable], Callable]:
    """Mistakes that begin in one way: `given(parts)(value)` is value of the arguments' parts."""
    return lambda value: lambda *arguments: value(*parts(*arguments))


def but(right: Callable[..., tuple], k: int, value: Callable) -> Callable[..., tuple]:
    """The right function, but value k of those that it returns is another one."""

    def answer(*arguments):
        found = list(right(*arguments))
        found[k] = value(*arguments)
        return tuple(found)

    return answer


def decimals(first: float, last: float, step: float) -> tuple[float, ...]:
    """Numbers in steps from `first` to `last`; whole ones are integers, as they are written."""
    found = np.round(np.arange(first, last + step / 2, step), 3).tolist()
    return tuple(int(number) if number == int(number) else number for number in found)


def numbers(**choices: Sequence) -> Callable[[Callable[..., Exercise]], Exercise]:
    """A decorator: the exercise that a function makes of its defaults, and others of `choices`."""

    def decorate(make: Callable[..., Exercise]) -> Exercise:
        def others(rng: np.random.Generator) -> Exercise:
            return make(**{name: of[rng.integers(len(of))] for name, of in choices.items()})

        return replace(make(), others=others)

    return decorate
