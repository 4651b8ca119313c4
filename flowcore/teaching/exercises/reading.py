"""The numbers that people type: "-1,61 nats", "ln(2) / 2", "3π/4", "half".

Text becomes tokens; products and brackets that people leave out are put in; `ast` reads the rest,
and only names of the lists here have a value. What can be read in two ways is refused.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import unicodedata

FUNCTIONS = {name: getattr(math, name) for name in (
    "log", "log2", "log10", "sqrt", "exp", "tanh", "sin", "cos", "tan", "atan")}  # fmt: skip
FUNCTIONS |= {"ln": math.log, "abs": abs}
CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "infinity": math.inf}
CONSTANTS |= {
    word: float(k)
    for k, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}
CONSTANTS |= dict(half=1 / 2, third=1 / 3, thirds=1 / 3, quarter=1 / 4, quarters=1 / 4,
                  once=1.0, twice=2.0, double=2.0)  # fmt: skip
OPERATIONS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.UAdd: operator.pos, ast.USub: operator.neg,
}  # fmt: skip

EXAMPLES = "type a number, such as -0.25, 1/2 or log(2)"
BRACKETS = "type brackets and *, as in log(1/2) or 2 * (1 + 3)"
LONGEST = 120  # characters

# Each pattern and what it is read as, in this order: characters that Unicode's plain form loses,
PLACED = (
    (r"(?<=\d)\s*([¼-¾⅐-⅞])", r" \1"),  # 2½ is more than one number
    (r"(?<!\d )([¼-¾⅐-⅞])", r"(\1)"),
    (r"(⁻?[⁰¹²³⁴-⁹]+)", r"^(\1)"),
)
# and then the signs and words of the plain form.
SPELLINGS = (
    (r"[\u2010-\u2015\u2212]|\bminus\b", "-"),
    (r"[·\u00d7⋅∙]|\btimes\b(?=\s*\S)|(?<=\d)\s*x\s*(?=\d)", "*"),
    (r"[÷\u2044]|\bover\b", "/"),
    (r"\bplus\b", "+"),
    (r"\bper ?cent\b", "%"),
    (r"\+/?-", "±"),  # of which there is no number
    (r"\\|[$_]|\b(?:np|anp|numpy|math)\.", ""),  # of LaTeX and Python
    (r"π", " pi "),
    (r"∞", " inf "),
    (r"√\s*(\d+(?:[.,]\d+)?)(?![\s\d]*[a-z(])", r"sqrt(\1)"),
    (r"√", "sqrt"),
    (r"\|([^|]*)\|", r"abs(\1)"),
    (r"\{", "("),
    (r"\}", ")"),
    (r"\^", "**"),
    (r"(?<!/ )(?<![\w./])(\d+\.?\d*|\(\d/\d\))\(", r"\1*("),  # 2(1 + 3), but not 1/2(1 + 3)
    (r"[\"'`\u2018-\u201f]", ""),
    (r"\b(log|ln)\s+(1\s*/\s*\d+)(?=\s*(?:[-+)]|$))", r"\1(\2)"),
    (r",(?=\s*[a-z]\w*\s*=)", ";"),  # x = 1, y = 2
    (r"(\blog\s*\([^()]*[1-9]\d*),(?=\d)", r"\1;"),  # in log(8,2) the 2 may be a base
    (r"(?<!\d),(?=\d)", "0."),
    (r"(?<=\d),(?=\d)", "."),
)
LEAD = re.compile(
    r"(?:[^<>≤≥≠!;]*[=≈≃~]|s\s*[<≤]=?|alpha\s*[>≥]=?|(?:about|approximately|approx|around|ca|"
    r"circa|roughly|exactly|maybe|the|my|answer|it|is|i|think|guess|an?)\b[.:]?)\s*"
)
UNITS = re.compile(
    r"\s*(?:nats?|bits?|pass(?:es)?|units?|weights?|connections?|inputs?|numbers?|couplings?|"
    r"layers?|draws?|times|hidden|rad(?:ians?)?|of (?:them|the width)|as (?:high|wide|much|many)|"
    r"[.?;])$"
)
REMARK = re.compile(r"(?<=\S)\s+\([^()]*\)$")
TWO_WAYS = re.compile(  # e^-1/2, 4^1/2; 2 e-3
    r"\*\*\s*(?:[-+]\s*[\w.]+|1)\s*/\s*\d|(?!\de[-+]?\d)\d\s*e\s*[-+]?\s*\d"
)
TOKEN = re.compile(
    r"\s*(\d+\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|log(?:2|10)(?=\s*\()|[a-z]+|\*\*|[-+*/()])"
)


def read_number(text: str) -> float:
    """The number that somebody typed.

    It may be arithmetic with functions such as log and sqrt, have a decimal comma, a unit behind
    it and a remark in brackets, or "x =" before it. The comma is never one of thousands: "1,234" is
    1.234.

    Parameters
    ----------
    text : str
        At most 120 characters.

    Returns
    -------
    float
        Its value; `inf` of "infinity".

    Raises
    ------
    ValueError
        With one sentence that quotes the text, and names what is wrong with it and what
        to type.

    Examples
    --------
    >>> read_number("-1,61 nats")
    -1.61
    >>> read_number("x = 3π/4")
    2.356194490192345
    """
    if not text.strip():
        raise ValueError(f"nothing is typed yet: {EXAMPLES}.")
    if len(text) > LONGEST:
        raise ValueError(f"{text[:20]!r} and so on is too long: {EXAMPLES}.")
    try:
        plain, share = _stripped(_spelled(text))
        value = share * _value(ast.parse(_completed(_tokens(plain)), mode="eval").body)
    except _UnreadableError as problem:
        raise ValueError(f"{text.strip()!r} {problem}.") from None
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{text.strip()!r} is no number: {EXAMPLES}.") from None
    except (ArithmeticError, ValueError, TypeError):
        raise ValueError(f"{text.strip()!r} has no value: {EXAMPLES}.") from None
    return value


class _UnreadableError(Exception):
    """Why a text is not read, and what to type."""


def _spelled(text: str) -> str:
    """Lower case, with Python's signs and a decimal point."""
    for pattern, replacement in PLACED:
        text = re.sub(pattern, replacement, text)
    text = unicodedata.normalize("NFKC", text).lower().strip()
    for pattern, replacement in SPELLINGS:
        text = re.sub(pattern, replacement, text)
    return text


def _stripped(text: str) -> tuple[str, float]:
    """What stands between "x =" or "about" and a unit; and what the unit is worth."""
    while found := LEAD.match(text):
        text = text[found.end() :]
    share = 1.0
    while found := UNITS.search(text) or _remark(text):
        text = text[: found.start()]
    if text.endswith("%"):
        text, share = text[:-1], 0.01
    return text, share


def _remark(text: str) -> re.Match | None:
    """Brackets behind a number with something else than arithmetic in them, as in "2 (rounded)"."""
    found = REMARK.search(text)
    try:
        return None if found is None or _tokens(found[0]) else found
    except _UnreadableError:
        return found


def _tokens(text: str) -> list[str]:
    found, end = [], 0
    while text[end:].strip():
        token = TOKEN.match(text, end)
        if token is None or (token[1].isalpha() and token[1] not in FUNCTIONS | CONSTANTS):
            what = token[1] if token else text[end:].strip()[0]
            several = "is more than one number" if what in ",;" else f"has {what!r} in it"
            raise _UnreadableError(f"{several}: {EXAMPLES}")
        found.append(token[1])
        end = token.end()
    return found


def _completed(tokens: list[str]) -> str:
    """Python, with the brackets and the signs of products that people leave out."""
    if TWO_WAYS.search(" ".join(tokens)):
        raise _UnreadableError(f"can be read in two ways: {BRACKETS}")
    found: list[str] = []
    k = 0
    while k < len(tokens):
        token, before, end = tokens[k], tokens[k - 1] if k else "", k + 1
        if before in FUNCTIONS and token != "(":
            while end < len(tokens) and tokens[end] in CONSTANTS:  # log 2 pi
                end += 1
            if not _is_value(token) or [*tokens, ""][end] not in ("", "+", "-", ")"):
                raise _UnreadableError(f"can be read in two ways: {BRACKETS}")
            token = f"({' * '.join(tokens[k:end])})"
        elif (_is_value(before) or before == ")") and (token == "(" or token[0].isalnum()):
            if before[0].isdigit() and token[0].isdigit():
                raise _UnreadableError(f"is more than one number: {EXAMPLES}")
            is_clear = token in FUNCTIONS and token != "sqrt"
            if token == "(" or (k > 1 and tokens[k - 2] == "/" and not is_clear):
                raise _UnreadableError(f"can be read in two ways: {BRACKETS}")
            found.append("*")
        found.append(token)
        k = end
    return " ".join(found)


def _is_value(token: str) -> bool:
    return token in CONSTANTS or token[:1].isdigit() or token[:1] == "."


def _value(node: ast.AST) -> float:
    """The value of an expression of the names above. Floats only: they overflow at once."""
    match node:
        case ast.Constant(value=int() | float() as value):
            value = float(value)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand):
            value = OPERATIONS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right):
            value = OPERATIONS[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in FUNCTIONS:
            value = FUNCTIONS[name](_value(argument))
        case _:
            raise SyntaxError
    if isinstance(value, complex) or value != value:
        raise ArithmeticError
    return value
