"""Numbers as people type them."""
# ruff: noqa: RUF001

import math

import numpy as np
import pytest

from flowcore.teaching import EXERCISES, check, read_number

LOG_2, PI = math.log(2), math.pi
TYPED = {  # thirty typical ways
    "-1,61": -1.61,
    "−1.61": -1.61,
    " -1.61 nats": -1.61,
    "- 1.61": -1.61,
    "-1.61.": -1.61,
    "= -1.61": -1.61,
    "log p = -1.61": -1.61,
    "log p(x=0) ≈ −1,61 nats": -1.61,
    "about 0.3": 0.3,
    "~0.3": 0.3,
    ",5": 0.5,
    "1/2": 0.5,
    "½": 0.5,
    "half": 0.5,
    "half as high": 0.5,
    "twice": 2,
    "three quarters": 0.75,
    "64 passes": 64,
    "5 · 16 = 80 units": 80,
    "5 × 16": 80,
    "2^9": 512,
    "ln(0.399/2)": math.log(0.399 / 2),
    "-np.log(2 * np.pi)/2 - np.log(2)": -0.5 * math.log(2 * PI) - LOG_2,
    "2(1+3)": 8,
    "0.5(log(2pi)+1)": 0.5 * math.log(2 * PI) + 0.5,
    "½(log(2π)+1)": 0.5 * math.log(2 * PI) + 0.5,
    "-1/2 log(2π) - ln 2": -0.5 * math.log(2 * PI) - LOG_2,
    "ln2": LOG_2,
    "√2/2": math.sqrt(0.5),
    "3π/4": 0.75 * PI,
    "2.5·10^-3": 0.0025,
    "e^(-4.5)": math.exp(-4.5),
    "82 %": 0.82,
}
MORE = {  # and rarer ones
    "1,234": 1.234,
    "2e-3": 0.002,
    "2.5×10⁻³": 0.0025,
    "2e": 2 * math.e,
    "e^{-1}": math.exp(-1),
    "-2^2": -4,
    "log₂(8)": 3,
    "log10(100)": 2,
    "\\log(2)": LOG_2,
    "2 log 2": 2 * LOG_2,
    "-½ log 2π": -0.5 * math.log(2 * PI),
    "1/√2π": 1 / math.sqrt(2 * PI),
    "(1 + ln(2π))/2": 0.5 * (1 + math.log(2 * PI)),
    "½ ln(1/(1 − 0,64))": -0.5 * math.log(0.36),
    "|-1.61|": 1.61,
    "minus 8 over 2": -4,
    "-2,78 rad": -2.78,
    "I think it is 4?": 4,
    "80 hidden units": 80,
    "3 times": 3,
    "3 times 4": 12,
    "about a third": 1 / 3,
    "once": 1,
    "70 percent": 0.7,
    "-ln(2√(2π))": -math.log(2 * math.sqrt(2 * PI)),
    "−½log(2π)−log 2": -0.5 * math.log(2 * PI) - LOG_2,
    "√0,5": math.sqrt(0.5),
    "√½": math.sqrt(0.5),
    "e⁻¹": math.exp(-1),
    "tanh 1": math.tanh(1),
    "∞": math.inf,
    "0.982 (98 %)": 0.982,
    "-1,61 nats (rounded).": -1.61,
    "4 (degrees 1, 2, 3, 4)": 4,
    "3/5 cos 2": 0.6 * math.cos(2),
    "-log 1/3 - ln 1/2": math.log(3) + LOG_2,
    "log(0,5)": -LOG_2,
    "'-1,61';": -1.61,
    "s<0,707": 0.707,
    "alpha >= 88.7": 88.7,
    "8^2/22": 64 / 22,
    "e^-2 / (1 + e^-2)": 1 / (1 + math.exp(2)),
    "2.5e3": 2500,
    "log p(0, 0) = -1.84": -1.84,
}
BETTER, BRACKETS = "type a number, such as -0.25", "type brackets and "
REFUSED = {
    "": "nothing is typed yet",
    "1, 2": "more than one number",
    "1 1/2": "more than one number",
    "2½": "more than one number",
    "10 000": "more than one number",
    "1.234,5": "is no number",
    "2 +": "is no number",
    "((2)": "is no number",
    "log()": "is no number",
    "log 2/3": "two ways",
    "log 1/3 pi": "two ways",
    "-0.69 (-log 2)": "two ways",
    "1/2(1 - 3)": "two ways",
    "1 / 2(1 - 3)": "two ways",
    "2 (1 - 3)": "two ways",
    "(1 + 1) (2)": "two ways",
    "2 e-2": "two ways",
    "1 e3": "two ways",
    "1.5E -3": "two ways",
    "e^-1/2": "two ways",
    "4^1/2": "two ways",
    "2 (e^-1/2)": "two ways",
    "log(8,2)": "more than one number",
    "x = 1, y = 2": "more than one number",
    "-159.5°": "has '°' in it",
    "log pi 2": "two ways",
    "1/2pi": "two ways",
    "cos π/4": "two ways",
    "1/0": "has no value",
    "log(-1)": "has no value",
    "(-8)^(1/3)": "has no value",
    "9**9**9**9": "has no value",
    "∞ - ∞": "has no value",
    "0.3 or 0.4": "has 'or' in it",
    "0.3 +- 0.1": "has '±' in it",
    "x < 2": "in it",
    "x <= 2": "in it",
    "nan": "has 'nan' in it",
    "2j": "has 'j' in it",
    "[1.5]": "has '[' in it",
    "3!": "has '!' in it",
    "True": "has 'true' in it",
    "no idea": "has 'no' in it",
    "().__class__": "in it",
    "__import__('os')": "has 'import' in it",
    "(" * 119 + "1": "is no number",
    "-" * 500: "is too long",
}


@pytest.mark.parametrize(("text", "value"), (TYPED | MORE).items())
def test_a_number_is_read_as_it_was_meant(text, value):
    assert read_number(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("text", "why"), REFUSED.items())
def test_what_is_no_number_is_refused_in_one_sentence(text, why):
    with pytest.raises(ValueError, match=f"{BETTER}|{BRACKETS}") as refusal:
        read_number(text)
    sentence = str(refusal.value)
    assert why in sentence and sentence.endswith(".") and "\n" not in sentence
    verdict = check("1a", text)
    assert not verdict and str(verdict) == f"1a: {sentence}"


def test_text_is_checked_as_its_number_is():
    assert check("1a", "−1,61 nats") == check("1a", -1.61)
    assert "The sign" in str(check("1a", "-0.226"))


NUMBERS = [name for name, e in EXERCISES.items() if not e.inputs and not np.ndim(e.answer)]


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_leads_to_a_traceback(name):
    for text in ("∞", "-∞", "0", "1e300", "-1e-300"):
        message = str(check(name, text))
        assert not any(what in message for what in ("Error", " nan", " inf", "shape is"))
