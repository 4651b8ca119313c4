"""What the user can mend, and how it is printed."""


class Problem(Exception):
    """The command ends with status 1, and prints the message in one line."""


def printable(text: str) -> str:
    """The text with escapes for what would move a terminal's cursor or change its colours.

    >>> print(printable("a\x1b[2Jb"))
    a\\x1b[2Jb
    """
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """A message of one line, `printable`."""
    return printable(" ".join(text.split()))
