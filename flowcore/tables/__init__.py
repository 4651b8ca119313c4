"""Tables with columns of every kind: what the columns are, their density, files of them.

A table goes one way, and back:

frame.py        a table of any library as arrays
kind.py         what a column can be, a class each     finding.py   which kind a column is
column.py       a column: its kind, and facts          schema.py    all columns: print, edit, save
encoding.py     rows as numbers and codes, and back    checks.py    numbers without a density
frequencies.py  p(c): fit, log_prob, sample            onehot.py    c as a context
density.py      p(c) p(x | c)                          fitting.py   from a table to its density
files.py        files in blocks of rows                reading.py   CSV, by pandas
binary.py       .npy, .npz, Parquet
"""

from .column import Column
from .density import TableDensity
from .files import read_blocks, read_table
from .fitting import fit_table, learn_flow
from .frame import Frame, as_frame
from .frequencies import Frequencies
from .kind import Kind
from .schema import Schema

__all__ = [
    "Column",
    "Frame",
    "Frequencies",
    "Kind",
    "Schema",
    "TableDensity",
    "as_frame",
    "fit_table",
    "learn_flow",
    "read_blocks",
    "read_table",
]
