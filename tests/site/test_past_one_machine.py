"""The page docs/use/past_one_machine.md as one program: what it writes is what the flow computes.

Its Python blocks run with those of all pages, in test_readme.py. Those here start clusters: Dask's
is in the extra `test`; Ray and Spark (which needs Java) are too heavy for it, and are run where
they are installed. What they would call is a Python block of the page, called on its own input.
"""

import re
import sys

import numpy as np
import pytest
from support.places import ROOT

import flowcore as fc

PAGE = (ROOT / "docs" / "use" / "past_one_machine.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(python3?)\n(.*?)^```", PAGE, flags=re.M | re.S)
DASK = "distributed import Client|distributed.fit|joblib"  # words of blocks that need its client


@pytest.fixture
def program(tmp_path, monkeypatch):
    """`program("ray")` runs the page, but of the blocks that start clusters those with a word."""
    monkeypatch.chdir(tmp_path)

    def run(word):
        space = {"__name__": "__main__"}
        for kind, code in BLOCKS:
            if kind == "python" or re.search(word, code):
                exec(compile(code, "past_one_machine.md", "exec"), space)
        return space

    return run


def check_scores(folder):
    """All rows, with the log-densities of the flow in one piece."""
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(folder).to_pandas()
    assert list(table.columns) == ["x", "y", "log_p"] and len(table) == 20_000
    expected = fc.load("moons.npz").log_prob(table[["x", "y"]])
    np.testing.assert_allclose(table.log_p, expected, rtol=1e-12)
    assert len(np.unique(table.x)) == 20_000


@pytest.mark.slow
def test_with_daskss_processes(program):
    pytest.importorskip("dask.dataframe")
    pytest.importorskip("distributed")
    space = program(DASK)
    space["client"].shutdown()
    check_scores("scored_by_processes")
    assert len(space["members"]) == 4 and space["history"].settings["blocks"] == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Ray's and Spark's own
@pytest.mark.parametrize("cluster", ["ray", "spark"])
def test_with_a_cluster(program, monkeypatch, cluster):
    module = pytest.importorskip({"ray": "ray", "spark": "pyspark"}[cluster])
    pytest.importorskip("dask.dataframe")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    space = {}
    try:
        space = program(module.__name__)
        check_scores(f"scored_by_{cluster}")
    finally:
        module.shutdown() if cluster == "ray" else space["spark"].stop()
