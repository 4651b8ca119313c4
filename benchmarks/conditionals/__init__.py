"""Questions to a density, measured: each script prints its table, `--quick` a small one.

truth.py        conditionals of densities whose conditionals are known exactly
imputation.py   real tables with hidden cells, beside imputers (contestants.py, figures.py)
learning.py     densities of rows with holes, beside dropped rows and filled means
effective.py    effective sample sizes of tables with categories
seconds.py      seconds and memory for 1,000 rows of 10 columns
"""
