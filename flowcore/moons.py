"""The tutorial, end to end (`flowcore moons`): a short path to `flowcore.teaching.moons`."""

from .teaching.moons import *  # noqa: F403
