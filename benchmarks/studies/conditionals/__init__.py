"""Questions to a density, measured: each script prints its table, `--quick` a small one.

truth.py        conditionals of densities whose conditionals are known exactly
imputation.py   real tables with hidden cells (hidden.py), beside imputers (contestants.py,
                figures.py, rival.py, which runs in environments of other packages)
published.py    the published protocol of UnmaskingTrees, on its tables (uci.py)
learning.py     densities of rows with holes, beside dropped rows and filled means
wrong_cells.py  which cell of a row is wrong, by `explain` and by residuals
"""
