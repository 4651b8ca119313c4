"""Two exams of 60 minutes, with points for partial answers: lessons 1 to 8, and all but lesson 6.

    python -m flowcore.teaching exam --seed 7 [--number 2] [--answers]

Numbers are those of the exercises' variants, so a seed that stays secret keeps the answers secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .exercises import EXERCISES, solution

QUESTION_RULES = (
    "60 minutes, on paper, with a calculator; sums of logarithms may stay. log is the natural "
    "logarithm. Show how you found each number."
)
ANSWER_RULES = (
    "An arithmetic slip costs one point. If an earlier number is wrong but the method is right, no "
    "further point is lost."
)


@dataclass(frozen=True)
class ExamPart:
    """A question, or part of one, that is marked by itself.

    question   as the students read it
    points     for the whole answer
    answer     the right one, and why
    partial    (points, what earns them), the most first
    """

    question: str
    points: int
    answer: str
    partial: Sequence[tuple[int, str]] = ()


Make = Callable[[int], ExamPart]  # of a seed


def _text(points: int, question: str, answer: str, *partial: tuple[int, str]) -> Make:
    """A part that is the same for every seed."""
    return lambda seed: ExamPart(question, points, answer, partial)


def _numbers(name: str, points: int, *partial: tuple[int, str]) -> Make:
    """A part that is an exercise with the numbers of a seed.

    A partial answer is a mistake of the exercise, named by the beginning of its hint.
    """

    def part(seed: int) -> ExamPart:
        variant = EXERCISES[name].variant(seed)
        found = []
        for worth, start in partial:
            mistake = next(m for m in variant.mistakes if m.hint.startswith(start))
            found.append((worth, f"{float(mistake.answer):.4g}: {mistake.hint}"))
        return ExamPart(variant.question, points, solution(name, seed), found)

    return part


EXAMS = {  # eight questions of one or two parts, 40 points
    1: (
        (
            _numbers("1b", 3, (2, "The sign"), (2, "A logarithm to base 2"), (2, "log "),
                     (1, "This is the entropy of z"), (1, "This is what the stretch adds")),
            _text(2, "Write log p(x) of this x, as a formula.",
                  "With x = s z + b: log p(x) = -(x - b)^2 / (2 s^2) - 1/2 log(2 pi) - log s.",
                  (1, "log N at z = (x - b) / s, without - log s"),
                  (1, "both terms, with the wrong sign of log s")),
        ),
        (
            _numbers("2a", 3, (2, "The sign"), (2, "The determinant is"),
                     (1, "This is the sum of the diagonal"), (1, "The diagonal is multiplied")),
            _text(2, "Which entry of the matrix does not change the log-det, and why?",
                  "The one off the diagonal: it is a shear, which keeps areas; or: the determinant "
                  "of a triangle is the product of its diagonal.", (1, "the entry alone")),
        ),
        (
            _numbers("3b", 3, (2, "The sign"), (2, "Both columns were divided: the first"),
                     (2, "Both columns were divided: the second"), (1, "This is the change"),
                     (1, "Minus the logarithms of the deviations")),
            _text(2, "The loss of a flow is -3.2 nats on another table. Is the flow good?",
                  "One loss does not show it: the entropy of the data is unknown, and depends on "
                  "the units. NLL = entropy + KL.", (1, "\"unknown\", without a reason")),
        ),
        (
            _numbers("4a", 3, (2, "In the hidden layers, equal"), (2, "An output may not see"),
                     (2, "The last layer has two numbers"), (1, "The last layer is missing")),
            _text(3, "Draw both masks for three inputs and one hidden layer of four units with "
                  "degrees 1, 1, 2 and 2.",
                  "Input x1 is read by all four units, x2 by the last two, x3 by none. The outputs "
                  "of x1 read no unit, those of x2 the first two, those of x3 all four.",
                  (2, "one mask right, for instance with <= in place of < for the outputs"),
                  (1, "both masks transposed, without labels")),
        ),
        (
            _numbers("5a", 2, (1, "The first coordinate needs a pass"), (1, "Pass ")),
            _text(3, "How often does its network run to compute the density of 1,000 rows? What "
                  "is saved if each hidden unit is computed as soon as it is final?",
                  "Once, for all rows. Each unit is then computed once for a sample, not once for "
                  "each pass.", (2, "one of both answers with its reason"),
                  (1, "one of both without a reason")),
        ),
        (
            _numbers("6a", 2, (1, "This is dz/dx"), (1, "What stays has the slope 1, ")),
            _text(2, "Why may the network of a coupling be any function? What is the log-det of a "
                  "NICE coupling?",
                  "It reads only what stays, so it is never inverted. 0: NICE shifts, and does not "
                  "scale.", (1, "one of both")),
        ),
        (
            _numbers("7c", 2, (1, "This is the way to x")),
            _text(4, "Two affine autoregressive layers have the same order. Show for two "
                  "coordinates that together they are one such layer. What changes if the second "
                  "layer has the other order?",
                  "u = m_1 + exp(a_1) z2 and x2 = m_2 + exp(a_2) u give x2 = m_2 + exp(a_2) m_1 + "
                  "exp(a_1 + a_2) z2, where all four depend on x1 only; x1 is affine in z1. With "
                  "the other order the second layer scales x1 by a function of x2: the Jacobian "
                  "of the whole is no triangle, and x2 given x1 is not Gaussian.",
                  (3, "the formula, without the other order"),
                  (2, "log-scales added, the first shift not scaled"),
                  (1, "the other order alone")),
        ),
        (
            _text(4, "A flow of one variable has a normal base. Why can its density not be on two "
                  "separate intervals only? Name one cure.",
                  "The flow is continuous, so the image of the line is connected: some mass lies "
                  "between them. A mixture as base (or discrete latents).",
                  (3, "the reason, without a cure"), (1, "a cure, without the reason")),
        ),
    ),
    2: (
        (
            _numbers("1a", 3, (2, "The sign"), (2, "A logarithm to base 2"), (2, "log "),
                     (1, "This is log N"), (1, "This is log 1/")),
            _text(2, "x is a length in metres. How does log p change if it is written in "
                  "centimetres?",
                  "It falls by log 100 = 4.605 nats at every point: x is stretched by 100.",
                  (1, "the right size, the wrong sign")),
        ),
        (
            _numbers("2b", 3, (2, "This is the log-determinant of the way back"),
                     (1, "ad - bc: the second product is subtracted."),
                     (1, "The product of the diagonal")),
            _text(2, "What does the determinant of a (D, D) matrix cost? And if it is triangular?",
                  "D^3 multiplications, to within a factor; D.", (1, "one of both")),
        ),
        (
            _numbers("2c", 5, (3, "The sign"), (3, "z has two coordinates"), (3, "x2 is scaled"),
                     (3, "x1 is scaled"), (2, "This is log N(z)"),
                     (2, "This is the log-determinant alone")),
        ),
        (
            _numbers("3c", 3, (2, "Half of that"), (2, "A KL is never negative"),
                     (1, "This is det C"), (1, "This is the cross-entropy")),
            _text(2, "Maximum likelihood makes one of KL(data || model) and KL(model || data) "
                  "small. Which one? Why is that possible, though the data's density is unknown?",
                  "KL(data || model): it is the mean of -log q over the data minus an entropy that "
                  "no parameter changes.", (1, "which one, without a reason")),
        ),
        (
            _text(6, "A MADE has four inputs, one hidden layer of three units with degrees 1, 2 "
                  "and 3, and two outputs for each input. Draw both masks. How many weights are "
                  "left?",
                  "x1 is read by three units, x2 by two, x3 by one, x4 by none: 6. The outputs of "
                  "x2 read one unit, of x3 two, of x4 three, twice each: 12. In all 18.",
                  (5, "both masks, one number for each input: 12"),
                  (4, "one mask right, and its count, for instance with <= in place of <: 6 + 18"),
                  (3, "one mask right")),
        ),
        (
            _numbers("5b", 3, (2, "First the shift"), (2, "This multiplies by exp(alpha)"),
                     (2, "x2 - mu is still"), (1, "mu and alpha were read at z1")),
            _text(2, "Which direction of a MAF needs only one pass of its network, and why?",
                  "From x to z: all that the network reads is known at once.",
                  (1, "the direction alone")),
        ),
        (
            _numbers("7b", 2, (1, "That is g after f")),
            _text(3, "What is the log-det of a permutation? What is it good for between layers?",
                  "0: it moves no volume. Without it, layers of one order are one layer, and the "
                  "last coordinate is Gaussian given the others.",
                  (2, "the use alone"), (1, "0 alone")),
        ),
        (
            _numbers("9a", 2, (1, "This is log |det A|"), (1, "This is the way back")),
            _text(2, "Flow matching learns such a velocity. What needs a solver of dx/dt = v: "
                  "training, a draw, a density?",
                  "A draw and a density, which also adds up the divergence. Training does not: it "
                  "is a regression.", (1, "two of the three")),
        ),
    ),
}  # fmt: skip


def exam(seed: int, number: int = 1) -> tuple[tuple[ExamPart, ...], ...]:
    """The questions of an exam, each with its parts. Same seed, same exam.

    Numbers differ from those of homework with this seed. Errors: KeyError for another number.

    Parameters
    ----------
    seed : int
        Not negative; whoever knows it can compute the answers.
    number : int
        1 or 2: which exam.

    Returns
    -------
    tuple of tuple of ExamPart
        Eight questions, 40 points in all.
    """
    own = int(np.random.SeedSequence(seed).generate_state(1)[0])
    return tuple(tuple(make(own) for make in parts) for parts in EXAMS[number])


def exam_text(seed: int, number: int = 1, answers: bool = False) -> str:
    """An exam in Markdown, or its answers with the points of partial ones.

    Parameters
    ----------
    seed, number
        As in `exam`.
    answers : bool
        Write the answers and points in place of the questions.

    Returns
    -------
    str
        The whole file.
    """
    questions = exam(seed, number)
    total = sum(part.points for parts in questions for part in parts)
    title, rules = (
        (f"Exam {number}, seed {seed}: answers", ANSWER_RULES)
        if answers
        else (f"Exam {number}: normalizing flows", QUESTION_RULES)
    )
    lines = [f"# {title}", f"{total} points. {rules}"]
    for k, parts in enumerate(questions, start=1):
        for letter, part in zip("ab" if len(parts) > 1 else [""], parts, strict=True):
            text = part.answer if answers else part.question
            lines.append(f"**{k}{letter}.** ({part.points} points) {text}")
            if answers and part.partial:
                worth = [f"* {points} of {part.points}: {what}" for points, what in part.partial]
                lines.append("\n".join(worth))
    return "\n\n".join(lines) + "\n"
