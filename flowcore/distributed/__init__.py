"""Past one machine: tables that are Dask arrays or dataframes, and the workers of a cluster.

blocks.py    `log_prob` and `sample`, block by block: start here
fitting.py   `fit`: every worker keeps its rows, and sends the gradient of its block

Dask is imported at the first use of a name: `pip install 'flowcore[dask]'`.
docs/past_one_machine.md has the costs, and recipes for Ray and Spark.
"""

from .._imports import door

__all__ = ["fit", "log_prob", "sample"]
__getattr__, __dir__ = door(__name__, {".blocks": ("log_prob", "sample"), ".fitting": ("fit",)})
