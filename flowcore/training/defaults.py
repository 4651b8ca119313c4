"""The values of "auto" among the arguments of `fit`: chosen by the number of rows alone.

`python -m benchmarks.studies.defaults` prints the table on which the choice is based: toy targets,
and tables of 150 to 100,000 rows, with seeds that no published figure uses.
"""

from __future__ import annotations

from .optim import as_optimizer

AUTO = "auto"
BATCHES = {0: 64, 4_000: 128, 20_000: 256, 100_000: 512}  # from so many rows on: rows of a batch
BINS = {0: 8, 50_000: 16, 300_000: 32}  # from so many rows on: bins of a spline
EPOCHS_OF_MATCHING = 4  # times as many as `fit` makes: a regression on noise learns slowly
MOST_EPOCHS, LEAST_EPOCHS, FEW_ROWS = 120, 20, 10_000
LEARNING_RATE = 3e-3  # at 5e-3, five tanh layers at D = 2 are unstable on some seeds


def is_auto(value) -> bool:
    """Is it the text "auto"? (An array, compared with a text, is no truth value.)"""
    return isinstance(value, str) and value == AUTO


def batch_size_for(n: int) -> int:
    """Rows of a batch, for a table of n rows."""
    return max(size for least, size in BATCHES.items() if n >= least)


def bins_for(n: int) -> int:
    """Bins of a spline flow, for a table of n rows: more rows determine more of them."""
    return max(bins for least, bins in BINS.items() if n >= least)


def epochs_for(n: int) -> int:
    """Passes over a table of n rows: 120 up to 10,000 rows, then fewer, as 1 / sqrt(n), to 20."""
    falling = round(MOST_EPOCHS * (FEW_ROWS / max(n, FEW_ROWS)) ** 0.5)
    return max(LEAST_EPOCHS, falling)


def patience_of(patience, epochs: int | None) -> int | None:
    """The epochs that `fit` waits for a better one: "auto" is half of these, None: to the end.

    epochs: None if "auto" did not choose them, or nothing is held out
    """
    if not is_auto(patience):
        return patience
    return None if epochs is None else -(-epochs // 2)


def optimizer_at(learning_rate, optimizer, auto: float = LEARNING_RATE):
    """The optimizer, where `auto` stands for "auto"; an object has a learning rate of its own."""
    if is_auto(learning_rate):
        learning_rate = auto if isinstance(optimizer, str) else None
    return as_optimizer(optimizer, learning_rate)


def resolved(n: int, epochs, batch_size, learning_rate, optimizer) -> tuple:
    """(epochs, batch_size, optimizer) of `fit`, for n rows."""
    return (
        epochs_for(n) if is_auto(epochs) else int(epochs),
        batch_size_for(n) if is_auto(batch_size) else batch_size,
        optimizer_at(learning_rate, optimizer),
    )
