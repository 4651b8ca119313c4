"""What only lessons draw: grids through the layers, Jacobians, log-dets, networks, bridges.

Each takes `ax=` and returns Axes, as the functions of `flowcore.plots` do.
"""
