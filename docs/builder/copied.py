r"""Numbers in the text of a lesson that its program prints: the next change leaves them behind.

A text refers to what is printed ("the steps that are printed above"). It repeats only numbers that
the code has, too: those that go in, and those that an assert holds.
"""

from __future__ import annotations

import re

from .notebooks import EXAMPLES, cells

NUMBER = re.compile(r"(?<![\w.^{])\d+(?:,\d{3})*(?:\.\d+)?(?!\w|[.,]\d)")
QUESTION = re.compile(r"^ *\d+[a-z]: .*", flags=re.M)  # of an exercise, which a script prints, too
TIME = re.compile(r"\d[\d.,]* ?(?:[mµ]?s|min|seconds|minutes)\b")
OUTPUT = re.compile(r"sphx-glr-script-out\n\n \.\. code-block:: none\n\n((?:    .*\n|\n)+)")


def copied(source: str, printed: str) -> list[str]:
    r"""The numbers of two digits or more that a script's text has from what it prints.

    A text may round decimals. Numbers that the code has, too, are left out. So are times, which are
    others in each run: 17 s, or 32.00 in a column of milliseconds.

    >>> script = "'''0.32 of 1,500 rows'''\nn = 1_500\n# %%\n# or 480, but not 0.3, 0.33, 8, 17, 32"
    >>> copied(script, "0.3204 of 1,500 rows: 480, in 8 blocks, 17 s; ms: 32.00")
    ['0.32', '480']
    """
    texts, codes = (
        "\n".join(cell.text for cell in cells(source) if cell.is_code == is_code)
        for is_code in (False, True)
    )
    in_code = set(map(_value, NUMBER.findall(codes.replace("_", ""))))
    found = NUMBER.findall(TIME.sub("", QUESTION.sub("", printed)))

    def is_copied(number: str) -> bool:
        decimals, value = len(number.partition(".")[2]), _value(number)
        kept = found if decimals else [other for other in found if "." not in other]
        rounded = {round(_value(other), decimals) for other in kept}
        n_digits = len(re.sub(r"\D", "", number).lstrip("0"))
        return n_digits > 1 and value in rounded and value not in in_code

    return list(filter(is_copied, NUMBER.findall(texts)))


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def refuse(app, docname: str, source: list[str]) -> None:
    """For Sphinx's event `source-read`: the page of a script shows what the script has printed."""
    script = EXAMPLES / f"{docname.removeprefix('built/')}.py"
    if docname.startswith("built/") and script.exists():
        printed = "".join(OUTPUT.findall(source[0]))
        numbers = copied(script.read_text(encoding="utf-8"), printed)
        if not printed:
            raise ValueError(f"{script.name}: its page has no output, or not where it was")
        if numbers:
            raise ValueError(
                f"{script.name}: the text has {', '.join(numbers)}, which the program prints: "
                "refer to what is printed, or let the code assert the number"
            )
