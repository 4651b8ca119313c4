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


def test_two_decimals_are_enough():
    assert check("1a", -1.61) and not check("1a", -1.63)


@pytest.mark.parametrize(
    ("name", "rounded"), [("1a", -1.6), ("2c", -1.3), ("3d", 1.3), ("6c", 0.3), ("8a", 0.5)]
)
def test_one_decimal_is_close(name, rounded):
    assert str(check(name, rounded)) == f"{name}: close: two decimals, please."


@pytest.mark.parametrize(("name", "guess"), [("6c", 0.2), ("6c", 0.4), ("7a", 0.6), ("7a", 1.0)])
def test_a_rough_guess_is_welcome_where_it_is_asked_for(name, guess):
    verdict = check(name, guess)
    assert not verdict and str(verdict).startswith(f"{name}: a good guess. Now the number: ")


def test_of_two_mistakes_that_are_neighbours_each_has_its_hint():
    assert "This is the correlation" in str(check("3c", 0.8))
    assert "The determinant of" in str(check("3c", 0.805))


def test_a_function_that_stops_is_named():
    assert "ZeroDivisionError: division by zero" in str(check("1c", lambda x: 1 / 0))
    assert "the answer must be a function, not 3.0" in str(check("1c", 3.0))
    assert str(check("4b", lambda a, b: a <= b)).endswith(f") (5,). {EXERCISES['4b'].hint}")


def test_a_wrong_shape_is_named():
    verdict = check("4b", lambda d_in, d_out: np.ones((len(d_out), 1)))
    assert "Its shape is (5, 1), and should be (4, 5). " in str(verdict)
    assert "Its shape is (3,), and should be (). " in str(check("2d", np.diag))  # then (2,)
    assert "Its shape is (2,), and should be (). " in str(check("1a", [0, 0]))


def test_a_list_of_one_number_is_this_number_and_a_decimal_comma_makes_two():
    assert check("1a", [-1.61]) and check("1a", np.array([[-1.61]]))
    assert "Its shape is (), and should be (3, 4). " in str(check("4e", [1]))
    assert str(check("1a", (-1, 61))).startswith("1a: Python reads -1,61 as 2 numbers: write -1.61")


def test_whole_numbers_may_be_typed_as_the_course_prints_them():
    assert check("4a", "5,100", seed=1) and check("4a", "5100", seed=1)
    assert check("9a", "-2,000")


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


def test_counts_have_no_tolerance():
    assert check("5d", 512) and not check("5d", 511)


def test_every_shape_is_asked_for():
    assert not check("4b", lambda a, b: EXERCISES["4b"].answer(a, b)[None])


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


@pytest.mark.parametrize("name", ["6c", "7a"])
@pytest.mark.parametrize("guess", [[0.8, 0.9], [[0.5, 0.5]]])
def test_of_several_numbers_none_is_a_guess(name, guess):
    verdict = check(name, guess)
    assert f"Its shape is {np.shape(guess)}, and should be (). " in str(verdict)
    assert not verdict and "a good guess" not in str(verdict)


@pytest.mark.parametrize("shown", [str, lambda rows: repr(rows.tolist())])
def test_the_masks_of_lesson_4_are_the_engines_and_are_read_as_text(shown):
    masks = [mask.astype(int) for mask in MADE(3, hidden=[4], n_out=1).masks]
    assert all(check(*pair) for pair in zip(("4e", "4f"), map(shown, masks), strict=True))
    assert check("4e", "1, 1, 1, 1; 0, 0, 1, 1; 0, 0, 0, 0")


@pytest.mark.parametrize("text", ["", "abc", "[]", "[[1, 1], [1]]"])
def test_a_text_that_is_no_matrix_has_a_message_of_its_own(text):
    assert "mark cells in the table, or type 3 rows of 4 cells" in str(check("4e", text))
    assert "are asked for; this has 2 of 2" in str(check("4e", "[[0, 1], [1, 1]]"))


def test_a_forgotten_return_is_named():
    assert "does the function return something?" in str(check("2d", lambda L: None))


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


@pytest.mark.parametrize(
    ("name", "answer", "hint"),
    [
        ("2b", 0.5 * np.log(5), "A factor is off"),
        ("0b", -3.68, "A factor is off"),
        ("1b", 1 / 2.112, "Upside down"),
        ("11a", 0.6931 + 0.9189, "It is too large by 1/2 log(2 pi)"),
        ("8a", 0.4586 / np.log(2), "This is in bits"),
        ("9c", -0.785, "close, but off by more than rounding"),
    ],
)
def test_what_an_answer_has_in_common_with_the_right_one(name, answer, hint):
    verdict = str(check(name, answer))
    assert verdict.startswith(f"{name}: not yet. {hint}")
    assert verdict.endswith(EXERCISES[name].hint)


@pytest.mark.parametrize(
    ("name", "answer"),
    [("9c", -0.3), ("6b", 2.5), ("6b", 1.5), ("6b", 9), ("5d", 513), ("11c", 0.25), ("2a", -1),
     ("12c", 64 / 22 - 0.5)],
)  # fmt: skip
def test_a_number_that_is_near_by_chance_gets_the_hint_of_the_exercise_alone(name, answer):
    assert str(check(name, answer)) == f"{name}: not yet. {EXERCISES[name].hint}"


@pytest.mark.parametrize(
    ("name", "answer", "hint"),
    [
        ("0d", 0, "It is 0 where"),
        ("5b", 0.368, "A factor is off. Solve"),
        ("6c", 0.153, "A factor is off. Put"),
        ("12b", "100%", "The left half"),
        ("9f", lambda *given: 0.5 * EXERCISES["9f"].answer(*given), "A factor is off."),
        ("8c", lambda own, drawn: np.mean(drawn < np.percentile(own, 0.001)), "This edge is"),
        ("12e", lambda m, C, x: (m[1] - C[1, 0] / C[0, 0] * (x - m[0]),
                                 EXERCISES["12e"].answer(m, C, x)[1]),
         "The second value is right; look at the first one. slope ="),
    ],
)  # fmt: skip
def test_no_hint_misleads(name, answer, hint):
    assert str(check(name, answer)).startswith(f"{name}: not yet. {hint}")


def test_an_array_that_was_asked_for_is_named():
    path_gradient = EXERCISES["11f"].answer
    verdict = str(check("11f", lambda m, s, z: tuple(path_gradient(m, s, z))))
    assert "It returns 2 value(s), and should return an array of shape (2,). " in verdict


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
