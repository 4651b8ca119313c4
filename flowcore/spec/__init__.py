"""The specification: every formula of the engine, slow and plain. Start reading here.

reference.py      as the papers print them, for one vector, in NumPy
twins.py          all that the engine computes, in textbook form for autograd: what the tests hold
twins_scalar.py   the engine to, and its second derivatives; the part for one coordinate

Only `reference` is loaded with this room. The twins stand on the whole engine, which finds them by
name when something is differentiated twice.
"""

from . import reference

__all__ = ["reference"]
