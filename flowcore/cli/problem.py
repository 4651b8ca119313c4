"""What the user can mend, told in one line."""


class Problem(Exception):
    """Its message is one line; the command ends with status 1."""
