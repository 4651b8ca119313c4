"""The course's exercises: right answers pass; every typical mistake gets the hint that names it."""

import re

import numpy as np
import pytest
from support.families import over
from support.places import ROOT

from flowcore import MADE
from flowcore.teaching import EXERCISES, Exercise, Mistake, check, question, solution
from flowcore.teaching.exercises.exercise import exercise as make
from flowcore.teaching.exercises.exercise import numbers


def lesson_of(name):
    return f"lesson {name[:-1]}"


EVERY_EXERCISE = over(EXERCISES, lesson_of)
MISTAKES = [(name, k) for name, e in EXERCISES.items() for k in range(len(e.mistakes))]


@EVERY_EXERCISE
def test_the_right_answer_passes(name):
    verdict = check(name, EXERCISES[name].answer)
    assert verdict and verdict.right
    assert str(verdict).startswith(f"{name}: right. {EXERCISES[name].why}")


@over(MISTAKES, lesson_of)
def test_a_typical_mistake_gets_its_own_hint(name, k):
    """Or that of an earlier one, where two mistakes lead to one answer."""
    mistakes = EXERCISES[name].mistakes
    with np.errstate(all="ignore"):
        verdict = check(name, mistakes[k].answer)
    if (name, k) in BY_CHANCE:
        assert verdict
    else:
        assert str(verdict) in [f"{name}: not yet. {mistake.hint}" for mistake in mistakes[: k + 1]]


BY_CHANCE = {("2b", 4), ("7b", 5), ("11c", 10)}  # wrong with other numbers only


def test_few_mistakes_stand_behind_another_one():
    own = []
    with np.errstate(all="ignore"):
        for name, k in MISTAKES:
            mistake = EXERCISES[name].mistakes[k]
            own.append(str(check(name, mistake.answer)).endswith(mistake.hint))
    assert np.mean(own) > 0.93


@EVERY_EXERCISE
def test_at_least_three_mistakes_with_hints_of_their_own(name):
    exercise = EXERCISES[name]
    hints = [exercise.hint, *(mistake.hint for mistake in exercise.mistakes)]
    assert len(set(hints)) >= 5
    assert all(hint[-1] in ".?" or hint == exercise.hint for hint in hints)
    assert all(len(hint) > 4 and "wrong" not in hint.lower()[:6] for hint in hints)
    assert exercise.question == question(name)
    assert exercise.why in solution(name)


def test_three_or_four_questions_a_lesson_and_two_functions_from_lesson_5_on():
    lessons = [int(name[:-1]) for name in EXERCISES]
    assert sorted(set(lessons)) == [*range(13)]
    for lesson in range(13):
        functions = [bool(EXERCISES[n].inputs) for n in EXERCISES if int(n[:-1]) == lesson]
        assert 3 <= len(functions) <= 6
        assert lesson < 5 or sum(functions) == 2 * (lesson != 10)  # a short one: angles


@EVERY_EXERCISE
def test_any_other_answer_gets_the_general_hint(name):
    exercise = EXERCISES[name]
    other = (lambda *arguments: "x") if exercise.inputs else 1234.5
    with np.errstate(all="ignore"):
        assert exercise.hint in str(check(name, other)) and not check(name, other)


def test_without_an_answer_the_question_is_asked():
    for name, nothing in (("1a", None), ("1a", ...), ("1c", None), ("1c", lambda x: ...)):
        verdict = check(name, nothing)
        assert str(verdict) == f"{name}: {question(name)}" and not verdict


MASKS = [mask.astype(int) for mask in MADE(3, hidden=[4], n_out=1).masks]  # of lesson 4
RIGHT = [  # as it is printed, or typed
    ("1a", -1.61, None), ("1a", [-1.61], None), ("1a", np.array([[-1.61]]), None),
    ("4a", "5,100", 1), ("4a", "5100", 1), ("9a", "-2,000", None), ("5d", 512, None),
    *((name, shown(mask), None) for name, mask in zip(("4e", "4f"), MASKS, strict=True)
      for shown in (str, lambda rows: repr(rows.tolist()))),
    ("4e", "1, 1, 1, 1; 0, 0, 1, 1; 0, 0, 0, 0", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "seed"), RIGHT)
def test_two_decimals_are_enough_and_text_is_read(name, answer, seed):
    assert check(name, answer, seed)


TWO = "not yet. Its shape is (2,), and should be (). "
CELLS = "mark cells in the table, or type 3 rows of 4 cells"
SAID = [  # of a wrong answer: how it begins|and how it ends; HINT is that of the exercise
    ("1a", -1.63, "not yet. close, but off by more than rounding"), ("5d", 511, "not yet. HINT"),
    # one decimal is close
    *((name, rounded, "close: two decimals, please.|please.") for name, rounded in (
        ("1a", -1.6), ("2c", -1.3), ("3d", 1.3), ("6c", 0.3), ("8a", 0.5))),
    # a rough guess is welcome where it is asked for; of several numbers none is a guess
    *((name, guess, "a good guess. Now the number: ") for name, guess in (
        ("6c", 0.2), ("6c", 0.4), ("7a", 0.6), ("7a", 1.0))),
    *((name, guess, text) for name in ("6c", "7a") for guess, text in (
        ([0.8, 0.9], TWO), ([[0.5, 0.5]], "not yet. Its shape is (1, 2), and should be (). "))),
    # of two mistakes that are neighbours each has its hint
    ("3c", 0.8, "not yet. This is the correlation"), ("3c", 0.805, "not yet. The determinant of"),
    # a function that stops, or returns nothing
    ("1c", lambda x: 1 / 0, "it stops: ZeroDivisionError: division by zero"),
    ("1c", 3.0, "it stops: TypeError: the answer must be a function, not 3.0"),
    ("4b", lambda a, b: a <= b, "it stops: ValueError: |) (5,). HINT"),
    ("2d", lambda L: None, "it stops: TypeError: there is no value (does the function return some"),
    # a wrong shape
    ("4b", lambda a, b: np.ones((len(b), 1)),
     "not yet. Its shape is (5, 1), and should be (4, 5). "),
    ("4b", lambda a, b: EXERCISES["4b"].answer(a, b)[None], "not yet. Its shape is (1, 4, 5), and"),
    ("2d", np.diag, "not yet. Its shape is (3,), and should be (). "),  # then (2,)
    ("1a", [0, 0], TWO), ("4e", [1], "not yet. Its shape is (), and should be (3, 4). "),
    ("1a", (-1, 61), "Python reads -1,61 as 2 numbers: write -1.61"),
    ("11f", lambda m, s, z: tuple(EXERCISES["11f"].answer(m, s, z)),
     "not yet. It returns 2 value(s), and should return an array of shape (2,). "),
    *(("4e", text, CELLS) for text in ("", "abc", "[]", "[[1, 1], [1]]")),
    ("4e", "[[0, 1], [1, 1]]", "3 rows of 4 cells are asked for; this has 2 of 2"),
    # what it has in common with the right one
    ("2b", 0.5 * np.log(5), "not yet. A factor is off|HINT"),
    ("0b", -3.68, "not yet. A factor is off|HINT"),
    ("1b", 1 / 2.112, "not yet. Upside down|HINT"),
    ("11a", 0.6931 + 0.9189, "not yet. It is too large by 1/2 log(2 pi)|HINT"),
    ("8a", 0.4586 / np.log(2), "not yet. This is in bits|HINT"),
    ("9c", -0.785, "not yet. close, but off by more than rounding|HINT"),
    # a number that is near by chance gets the hint of the exercise alone
    *((name, answer, "not yet. HINT|HINT") for name, answer in (
        ("9c", -0.3), ("6b", 2.5), ("6b", 1.5), ("6b", 9), ("5d", 513), ("11c", 0.25), ("2a", -1),
        ("12c", 64 / 22 - 0.5))),
    # no hint misleads
    ("0d", 0, "not yet. It is 0 where"), ("5b", 0.368, "not yet. A factor is off. Solve"),
    ("6c", 0.153, "not yet. A factor is off. Put"), ("12b", "100%", "not yet. The left half"),
    ("9f", lambda *given: 0.5 * EXERCISES["9f"].answer(*given), "not yet. A factor is off."),
    ("8c", lambda own, drawn: np.mean(drawn < np.percentile(own, 0.001)), "not yet. This edge is"),
    ("12e", lambda m, C, x: (m[1] - C[1, 0] / C[0, 0] * (x - m[0]),
                             EXERCISES["12e"].answer(m, C, x)[1]),
     "not yet. The second value is right; look at the first one. slope ="),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "said"), SAID)
def test_what_is_said_of_a_wrong_answer(name, answer, said):
    begins, _, ends = f"{name}: {said}".replace("HINT", EXERCISES[name].hint).partition("|")
    verdict = check(name, answer)
    assert not verdict and str(verdict).startswith(begins) and str(verdict).endswith(ends)


@pytest.mark.parametrize("name", ["0b", "0e"])
def test_two_decimals_of_each_column_are_enough(name):
    for seed in range(20):
        right = EXERCISES[name].variant(seed).answer
        column = np.sign(right) * 0.5 * np.log(2 * np.pi)
        assert check(name, right / column * round(column, 2), seed)
        assert "close" not in str(check(name, right - column, seed))


def test_an_exercise_that_there_is_not():
    with pytest.raises(ValueError, match="no exercise '99a': choose of 0a, 0b"):
        check("99a", 0)


def test_tolerance_is_relative_and_absolute():
    exercise = Exercise("x", "?", 1000.4, "Yes.", [Mistake(0.0, "No.")], "Hm.")
    assert exercise.check(1001.0) and not exercise.check(1010.0)


def test_the_mistakes_on_the_teachers_page_are_known():
    page = (ROOT / "docs" / "learn" / "teaching.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+[a-d]) \| (-?[\d.]+) \|", page, flags=re.M)
    assert len(rows) >= 15 and {int(name[:-1]) for name, _ in rows} >= set(range(1, 13))
    for name, answer in rows:
        verdict, exercise = check(name, float(answer)), EXERCISES[name]
        hints = [mistake.hint for mistake in exercise.mistakes]
        assert any(str(verdict).endswith(hint) for hint in hints), (name, answer, verdict)
    for name in re.findall(r"\b\d+[a-d]\b", page):
        assert name in EXERCISES


def test_the_marks_of_the_teachers_page_are_two_right_answers_and_a_hint(capsys):
    page = (ROOT / "docs" / "learn" / "teaching.md").read_text("utf-8")
    (block,) = (code for code in re.findall(r"```python\n(.*?)```", page, re.S) if "points" in code)
    names = {}
    exec(block, names)
    assert names["points"] == 2 and len(names["handed_in"]) == 3
    assert ": not yet. The product of the diagonal" in capsys.readouterr().out


def test_the_lecture_of_the_teachers_page_fits_its_clock():
    page = (ROOT / "docs" / "learn" / "teaching.md").read_text("utf-8")
    clock = [60 * int(h) + int(m) for h, m in re.findall(r"^\| (\d):(\d\d) \|", page, flags=re.M)]
    assert clock[0] == 0 and clock == sorted(set(clock)) and 80 < clock[-1] < 90
    for h, m in re.findall(r"\bat (\d):(\d\d)\b", page, flags=re.I):
        assert 60 * int(h) + int(m) in clock


def test_an_answer_that_writes_into_its_argument_spoils_nothing():
    def log_p(x):
        right = EXERCISES["1c"].answer(x)
        x[:] = np.nan
        return right

    assert check("1c", log_p) and check("1c", log_p)
    assert check("1c", EXERCISES["1c"].answer)


def test_arguments_arrive_as_they_are():
    def euler(z, v, div, n):
        x, log_det, t = z, np.zeros(len(z)), 0.0
        for h in [1 / n] * n:
            x, log_det, t = x + h * v(x, t), log_det + h * div(x, t), t + h
        return x, log_det

    def shears(z, nets):
        if not nets:
            return z
        half = z.shape[1] // 2
        changed = z[:, half:] + nets[0](z[:, :half])
        rest = shears(np.hstack([changed, z[:, :half]]), nets[1:])  # the halves change places
        return np.hstack([rest[:, half:], rest[:, :half]])

    assert check("9e", euler) and check("6e", shears)


# ---------------------------------------------------------------- functions


@pytest.mark.parametrize("name", [name for name, e in EXERCISES.items() if e.inputs])
def test_a_solution_is_shown_after_a_right_function_only(name):
    exercise = EXERCISES[name]
    code = str(check(name, exercise.answer)).partition("\n\nOne solution:\n\n")[2]
    names = {"np": np}
    exec(code, names)  # it stands on its own
    written = names[exercise.answer.__name__]
    assert check(name, written) and f"function {written.__name__}(" in exercise.question
    with np.errstate(all="ignore"):
        for wrong in [None, *(mistake.answer for mistake in exercise.mistakes)]:
            assert "def " not in str(check(name, wrong))


def test_of_two_values_the_wrong_one_is_named():
    def inverse(x, net):
        mu, alpha = net(x)
        return (x - mu) * np.exp(-alpha), 3 - alpha.sum(axis=1)

    verdict = str(check("5e", inverse))
    assert "The first value is right; look at the second one." in verdict
    right = EXERCISES["5e"].answer
    exchanged = check("5e", lambda x, net: right(x, net)[::-1])
    assert str(exchanged).startswith("5e: not yet. The two values are exchanged. ")
    assert "It returns 3 value(s), and should return 2. " in str(
        check("5e", lambda x, net: (x,) * 3)
    )


# ---------------------------------------------------------------- variants

FEW = {  # these numbers vary little, or not at all
    "6b": "three couplings are enough, however many coordinates there are",
    "6c": "1 - log 2 for a board of any area",
    "10a": "a circle has one length in radians",
    "4e": "a mask, whose cells are shown",
    "4f": "a mask, whose cells are shown",
}
NUMBERS = [name for name, e in EXERCISES.items() if not e.inputs and name not in FEW]


def seeds(name, n):
    """Two for 7a, whose integrals take a second for each noise."""
    return range(2 if name == "7a" else n)


def assert_sheets_differ(name):
    """200 students have 50 different printed answers; cut off to two decimals they are close."""
    variants = [EXERCISES[name].variant(seed) for seed in range(200)]
    answers = {f"{float(variant.answer):.3f}" for variant in variants}
    assert len(answers) >= 50, (name, len(answers))
    for variant in {v.question: v for v in variants}.values():
        verdict = variant.check(np.trunc(100 * variant.answer) / 100)
        assert verdict or "close" in str(verdict), (variant.question, verdict)


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "7a"])
def test_in_200_seeds_are_50_answers_that_may_be_cut_off(name):
    assert_sheets_differ(name)


@pytest.mark.slow
def test_in_200_seeds_are_50_floors_that_may_be_cut_off():
    assert_sheets_differ("7a")


def test_numbers_are_drawn_again_until_each_mistake_can_be_named():
    @numbers(k=range(10))
    def squared(k=10):
        return make("x", "?", k * k, "Yes.", "Hm.", (2 * k, "Twice."), (2**k, "Power."))

    assert {squared.variant(seed).answer for seed in range(200)} == {9, 25, 36, 49, 64, 81}

    @numbers(k=[2])
    def always(k=3):
        return make("x", "?", k * k, "Yes.", "Hm.", (2 * k, "Twice."))

    with pytest.raises(StopIteration):
        always.variant(0)


@EVERY_EXERCISE
def test_variants_have_other_numbers_and_their_answers(name):
    exercise, questions = EXERCISES[name], set()
    for seed in seeds(name, 8):
        variant = exercise.variant(seed)
        assert question(name, seed) == variant.question and variant.name == name
        assert check(name, variant.answer, seed) and not check(name, None, seed)
        assert solution(name, seed).endswith(variant.why)
        questions.add(variant.question)
        if variant.question != exercise.question and not exercise.inputs and name != "11c":
            same = np.array_equal(variant.answer, exercise.answer)
            assert same or not check(name, exercise.answer, seed)
    assert len(questions) == 1 if exercise.others is None else len(questions) > 1
    assert exercise.variant(None) is exercise


@pytest.mark.parametrize("name", NUMBERS)
def test_a_typical_mistake_of_a_variant_gets_its_hint(name):
    for variant in map(EXERCISES[name].variant, seeds(name, 4)):
        for mistake in variant.mistakes:
            assert str(variant.check(mistake.answer)) == f"{name}: not yet. {mistake.hint}"


def variants_of(exercise):
    seen = seeds(exercise.name, 20) if exercise.others else ()
    return [exercise, *map(exercise.variant, seen)]


@EVERY_EXERCISE
def test_the_question_of_a_variant_names_no_other_exercise(name):
    """Another seed, or another draw of it, gives that one other numbers."""
    for variant in variants_of(EXERCISES[name]):
        others = variant.question if EXERCISES[name].others else ""
        assert not re.search(r"\b\d+[a-f]\b|once more|as in", others), others


COMPARED = {
    "It is more": lambda answer, right: answer < right,
    "It is less": lambda answer, right: answer > right,
    "Close to it": lambda answer, right: abs(answer - right) < 0.2 * abs(right),
    "A sum, not a mean": lambda answer, right: abs(answer) < abs(right),
    "Half of that": lambda answer, right: abs(answer) > abs(right),
}


def test_a_hint_that_compares_is_true_in_every_variant():
    for exercise in EXERCISES.values():
        for variant in variants_of(exercise) if not exercise.inputs else ():
            for mistake in variant.mistakes:
                for words, is_true in COMPARED.items():
                    if mistake.hint.startswith(words):
                        assert is_true(mistake.answer, variant.answer), (variant.question, mistake)


@pytest.mark.parametrize("seed", seeds("7a", 6))
def test_hints_name_the_floor_of_their_variant(seed):
    floor = EXERCISES["7a"].variant(seed).answer
    assert "It is more" in str(check("7a", 0.2 * floor, seed))
    assert "costs more" not in str(check("7a", np.log(2), seed))


@pytest.mark.parametrize("seed", range(6))
def test_hints_name_the_numbers_of_their_variant(seed):
    k = EXERCISES["9b"].variant(seed).answer + 0.5 * np.log(2 * np.pi)
    assert f"multiplied by exp({k:g})" in str(check("9b", -0.919 * np.exp(k), seed))
    assert f"multiplied by exp({-k:g})" in str(check("9b", -0.919 * np.exp(-k), seed))
    width = EXERCISES["11d"].variant(seed).answer * np.sqrt(2)
    assert "third moment" in str(check("11d", width * np.sqrt(2 / 3), seed))
    assert "third moment" not in str(check("11d", width / np.sqrt(3), seed))
    r = float(re.search(r"correlation (0\.\d+)\.", question("3d", seed))[1])
    assert "the other way round, as in 3c" in str(check("3d", -0.5 * np.log(1 - r**2), seed))
