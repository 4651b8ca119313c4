"""Code lines of Python files: without blank lines, comments and docstrings.

python tests/support/lines.py flowcore/core flowcore/flows.py
"""

import ast
import io
import sys
import tokenize
from pathlib import Path

BLANK = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


def code_lines(place: Path) -> int:
    """Of a file, or of all files of a folder."""
    if place.is_dir():
        return sum(map(code_lines, place.rglob("*.py")))
    source, lines = place.read_text("utf-8"), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in BLANK:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{code_lines(Path(name)):6,} {name}")
