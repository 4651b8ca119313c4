"""Docstrings are plain text, made for a terminal: here they become what Sphinx reads.

* What is indented before the first section, or in columns, is a formula or a table: it becomes a
  literal block.
* Elsewhere |x|, x_<i and 2 * 3 mean themselves: their signs are escaped.
* A class names the public one that it derives from, where its other methods are described.

Examples (>>>), code between backticks and the lines that name a parameter stay as they are.
"""

from __future__ import annotations

import inspect
import re

import flowcore

UNDERLINE = re.compile(r"-{3,}\s*$")
SIGNS = re.compile(r"(?<!\\)(\|(?=\S)|\*(?=\S))")
LAST_UNDERSCORE = re.compile(r"(?<=\w)_(?![\w`])")
IN_COLUMNS = re.compile(r"[\w.,* ]*\w {2,}\S")


def process(app, what, name, obj, options, lines: list[str]) -> None:
    """For Sphinx's event `autodoc-process-docstring`."""
    lines[:] = as_rst(lines)
    parents = obj.__mro__[1:] if inspect.isclass(obj) else ()
    for parent in parents:
        if getattr(flowcore, parent.__name__, None) is parent:
            line = f"A :obj:`~flowcore.{parent.__name__}`, where its other methods are described."
            lines[1:1] = ["", line]
            break


def skip(app, what, name, obj, is_skipped, options):
    """For Sphinx's event `autodoc-skip-member`: what scikit-learn adds to every estimator."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def signature(app, what, name, obj, options, arguments, returned):
    """For Sphinx's event `autodoc-process-signature`: that of `__init__`, not of `__new__`."""
    if what != "class" or "__init__" not in vars(obj):
        return None
    from sphinx.util.inspect import stringify_signature

    found = inspect.signature(obj.__init__)
    own = list(found.parameters.values())[1:]  # without self
    return stringify_signature(found.replace(parameters=own), show_annotation=False), None


def as_rst(lines: list[str]) -> list[str]:
    r"""The lines of a docstring as RST, to be read by numpydoc.

    >>> as_rst(["The norm.", "", "    |x| = x_1 + ...", "", "It is |x|."])
    ['The norm.', '', '::', '', '    |x| = x_1 + ...', '', 'It is \\|x\\|.']
    >>> as_rst(["", "rows   n", "       of them"])
    ['', '::', '', '    rows   n', '           of them']
    """
    found: list[str] = []
    in_example = in_sections = False
    literal = None  # or what its lines are indented by
    for i, line in enumerate(lines):
        is_header = i + 1 < len(lines) and UNDERLINE.match(lines[i + 1]) is not None
        in_sections = in_sections or is_header
        indented, blank = line.startswith(" "), not line.strip()
        if blank:
            in_example = False
            if literal:  # columns end here; what is indented may go on
                literal = None
        elif not indented and literal == "":
            literal = None
        in_example = in_example or line.lstrip().startswith(">>>")
        starts = not (blank or in_sections or in_example) and not (found and found[-1].strip())
        if starts and literal is None and (indented or IN_COLUMNS.match(line)):
            literal = "" if indented else "    "
            found += ["::", ""]
        keep = blank or in_example or is_header or UNDERLINE.match(line)
        keep = keep or (in_sections and not indented and " : " in line)
        if literal is not None and not blank:
            found.append(literal + line)
        else:
            found.append(line if keep else escaped(line))
    return found


def escaped(line: str) -> str:
    """A line of prose, with the signs escaped that RST would read as its own.

    >>> escaped("* all of x_<i, and `x_`: |x| *or* 2 * 3")
    '* all of x\\\\_<i, and `x_`: \\\\|x| \\\\*or* 2 * 3'
    """
    lead = re.match(r"\s*(?:[*-] )?", line).group()
    parts = re.split(r"(`+[^`]*`+)", line[len(lead) :])
    for i in range(0, len(parts), 2):
        parts[i] = LAST_UNDERSCORE.sub(r"\\_", SIGNS.sub(r"\\\1", parts[i]))
    return lead + "".join(parts)
