"""The specification: every formula of the engine, slow and plain. Start reading here.

reference.py      the formulas as the papers print them, for one vector, in NumPy
twins.py          everything that the engine computes, in textbook form for autograd: tests compare
                  the engine with it, and second derivatives come from it
twins_scalar.py   the twins of one coordinate: transformers and fixed maps

This room loads `reference` only. The twins import the whole engine, and the engine imports them by
name when something is differentiated twice.
"""

from . import reference

__all__ = ["reference"]
