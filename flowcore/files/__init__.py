"""Flows in files: `save` and `load`. Plain arrays and a JSON description, never pickle.

A file is an .npz archive that `np.load` opens too. Its member "flowcore.json" (a uint8 array of
utf-8) describes the tree, node by node (see `describe.py`), and names the other arrays:

    {"format": 2, "flowcore": "0.4.0", "nodes": [
     {"class": "Affine", "config": {"log_scale_bound": 3.0}},
     {"class": "MADE", "config": {"dim": 2, "order": {"array": "1.order"}, ...},
      "weights": [["1.W0", "1.b0"], ["1.W1", "1.b1"]]},
     {"class": "MaskedAutoregressiveFlow",
      "config": {"made": {"node": 1}, "transformer": {"node": 0}, "method": "by_degree"}}]}

Members are compressed. One whose name ends in "-float64" holds float64 numbers that are all float32
numbers, as such: as float64 they are the same to the bit.

The archive's comment, the last bytes of the file, is the SHA-256 of all that precedes them, which
detects accidents. Nothing in a file is executed, and class names are looked up only in flowcore's
public classes and the reader's own `classes`. `load` limits what a file holds by `max_bytes`. But
the file decides which constructors are called with which arguments, and so how much memory those
take: load files of people you trust.

    describe.py   objects -> nodes            save.py   writes, and reads back as a proof
    rebuild.py    nodes -> objects            load.py   reads
    archive.py    arrays <-> bytes            disk.py   bytes -> a file, whole or not at all
"""

from .archive import DESCRIPTION, DIGITS, SEAL, pack, read_sealed, sealed, unpack, unsealed
from .describe import Record, Writer
from .disk import replacing, write_atomically
from .load import load
from .save import save

__all__ = [
    "DESCRIPTION",
    "DIGITS",
    "SEAL",
    "Record",
    "Writer",
    "load",
    "pack",
    "read_sealed",
    "replacing",
    "save",
    "sealed",
    "unpack",
    "unsealed",
    "write_atomically",
]
