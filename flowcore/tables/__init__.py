"""Tables with columns of every kind: what the columns are, their density, files of them.

frame.py       a table of any library as arrays     kind.py      what a column can be
column.py      a column: kind and facts             finding.py   how they are found
schema.py      all columns, printed, edited, saved  labels.py    texts that are numbers or days
encoding.py    rows as arrays, and back             frequencies.py p(c), and c as a context
density.py     p(c) p(x | c)                        fitting.py   from a table to it
reading.py     files in blocks of rows, by pandas   binary.py    .npy, .npz, Parquet
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
