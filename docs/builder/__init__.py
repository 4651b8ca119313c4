"""What the site needs besides Sphinx: pages from files outside of docs/, docstrings, notebooks."""
