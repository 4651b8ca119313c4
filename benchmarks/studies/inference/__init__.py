"""`flowcore.infer` on targets whose answers are known: `python -m benchmarks.studies.inference`.

exact.py     targets with an exact sampler, in any dimension
models.py    posteriors of textbook data, and reference moments by long chains
tables.py    one function a table
__main__.py  the command
"""
