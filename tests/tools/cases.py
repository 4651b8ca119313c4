"""What the calls in tests/*/cases_*.txt return today, written below them.

    python tests/tools/cases.py tests/engine/cases_*.txt

For calls that are new, and for results that were to change: read the difference before it is
committed. Text, calls and options of doctest stay as they are.
"""

import contextlib
import doctest
import io
import re
import sys
import traceback
from pathlib import Path


def answered(text):
    """The text of a file, with today's results."""
    names, parts = {}, []
    for part in doctest.DocTestParser().parse(text):
        if isinstance(part, str):
            parts.append(part)
            continue
        first, *more = part.source.splitlines()
        prompts = [f">>> {first}", *(f"... {line}" for line in more)]
        # an ellipsis stands for what nobody compares: such a result is left as it is
        result = part.want if "ELLIPSIS" in part.source else result_of(part.source, names)
        parts.append("\n".join(prompts) + "\n" + result)
    return "".join(parts)


def result_of(source, names):
    """What an interpreter would show after an example."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        try:
            exec(compile(source, "<example>", "single"), names)
        except Exception as error:
            last = traceback.format_exception_only(error)[-1]
            shown.write(f"Traceback (most recent call last):\n    ...\n{last}")
    return re.sub(r"^$\n", "<BLANKLINE>\n", shown.getvalue(), flags=re.M)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(answered(path.read_text(encoding="utf-8")), encoding="utf-8")
