"""Every table of README.md and docs/ that a benchmark makes: `python -m benchmarks.studies.tables`.

The pages have markers, and what stands between them is written by this command only:

    <!-- table: peers -->
    | ... |
    <!-- end -->

`jobs.py` names the commands that measure, and the JSON that each of them leaves in
benchmarks/studies/results/; `catalogue.py` the tables, and which JSON each is made of; the other
files turn JSON into Markdown. A table whose JSON is not there is left as it is.
"""
