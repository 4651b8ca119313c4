"""Drawn rows beside the rows of a table: how like they are, and how private: see __main__.py."""
