"""The Flow Bench's Python: everything that the page shows is computed here, by flowcore.

    flow_bench.call("build", {"flow": "maf", "layers": 4})     # plain values in
    flow_bench.call("train", {"steps": 100})                   # plain values and arrays out

It runs in a web page, in a Worker, and anywhere else: nothing in here knows of a browser.

desk.py        what the page may call: start here
settings.py    what can be chosen
densities.py   what is learned: targets, painted points, a table
recipes.py     which flow learns it, and how close it can come
training.py    steps of Adam, one after the other
views.py       the pictures, as numbers
walks.py       masks, and the order in which units are computed
tasks.py       nine tasks with their hints;   drawings.py   drawn predictions
cell.py        a cell of Python
"""

from .desk import CALLS, call

__all__ = ["CALLS", "call"]
