"""Past one machine: tables that are Dask arrays or dataframes, and the workers of a cluster.

blocks.py   `log_prob` and `sample`, block by block: start here
fit.py      `fit`: every worker keeps its rows, and sends the gradient of its share
share.py    what a worker holds, and is asked; shared.py   the whole table, as the client sees it
total.py    the loss: a sum over the workers

Dask is imported when something is called: `pip install 'flowcore[dask]'`. docs/past_one_machine.md
tells what it costs, and has recipes for Ray and Spark.
"""

from .blocks import log_prob, sample
from .fit import fit

__all__ = ["fit", "log_prob", "sample"]
