"""A checkpoint becomes per-head matrices.

`source` and its neighbours read files, `family` and `families` say where an architecture keeps
what, `plan` turns that into tensor names and shapes, `verify` checks them all, `model` reshapes.
"""
