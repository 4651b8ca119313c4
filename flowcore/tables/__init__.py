"""Tables with columns of every kind: kinds of columns, densities, files.

frame.py       a table of any library as arrays     kind.py      kinds of columns
column.py      a column: kind and facts             detection.py how these are found
cells.py       numbers as people write them        patterns.py  texts that are numbers or days
dates.py       days and times, as seconds
schema.py      all columns, printed, edited, saved
encoding.py    rows as arrays, and back             coordinates.py numbers on the whole line
rules.py       categories that follow from another column
missing_categories.py unknown ones, filled in       filled.py    and absent numbers
normal_scores.py numbers that stop, or repeat
frequencies.py p(c) by counts                       chow_liu_tree.py by a tree
latent_classes.py by classes                        categorical.py all of these, mixed
onehot.py      c as a context                       checks.py    numbers without a density
fitting.py     from a table to the parts            density.py   p(c) p(x | c), of these
conditional.py some columns given others            answering.py by weighted draws
question.py    known and missing cells, as arrays   proposal.py  where weighted draws start
explaining.py  which cell is improbable             imputer.py   `FlowImputer`, of scikit-learn
record.py      the data of a file                   files.py     files in blocks of rows
reading.py     CSV, by pandas                       binary.py    .npy, .npz, Parquet
"""

from .column import Column
from .density import TableDensity, fit_table
from .files import read_blocks, read_table
from .fitting import learn_flow
from .kind import Kind
from .schema import Schema

__all__ = [
    "Column",
    "Kind",
    "Schema",
    "TableDensity",
    "fit_table",
    "learn_flow",
    "read_blocks",
    "read_table",
]
