"""`flowcore.infer` on targets whose answers are known: `python -m benchmarks.studies.inference`.

exact.py     targets with an exact sampler, in any dimension
several.py   targets with several modes, whose shares are known
single.py    targets with one mode
awkward.py   targets that must not end in a traceback
promises.py  the tables of these: what `infer` promises
models.py    posteriors of textbook data, and reference moments by long chains
tables.py    one function a table
__main__.py  the command
"""
