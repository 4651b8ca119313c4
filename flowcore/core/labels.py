"""The columns of a table, compared with those that are expected."""

from __future__ import annotations

from collections import Counter


def check_labels(name: str, labels: list | None, wanted: list | None) -> None:
    """A ValueError unless the table `name` has the wanted columns, in their order.

    Nothing is checked without names: None, or labels that are not text, such as the numbers of
    pandas.

    >>> check_labels("X", ["a", "b", "b"], ["a", "b"])
    Traceback (most recent call last):
    ValueError: X has 'b' more than once: the columns are 'a', 'b'
    """
    if not (are_names(labels) and are_names(wanted)) or labels == wanted:
        return
    missing = list(Counter(wanted) - Counter(labels))
    extra = list(Counter(labels) - Counter(wanted))
    if not missing and not extra:
        raise ValueError(f"{name} has its columns in another order; write {name}[{wanted!r:.300}]")
    unknown = [one for one in extra if one not in wanted]
    again = [one for one in extra if one in wanted]
    differences = [f"lacks {_listed(missing)}"] * bool(missing)
    differences += [f"has {_listed(unknown)}, which was not there before"] * bool(unknown)
    differences += [f"has {_listed(again)} more than once"] * bool(again)
    raise ValueError(f"{name} {' and '.join(differences)}: the columns are {_listed(wanted)}")


def are_names(labels: list | None) -> bool:
    """True if these are names of columns in scikit-learn's sense: text."""
    return bool(labels) and all(isinstance(label, str) for label in labels)


def _listed(labels: list, shown: int = 10) -> str:
    return ", ".join(f"{one!r:.40}" for one in labels[:shown]) + ", ..." * (len(labels) > shown)
