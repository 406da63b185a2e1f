"""A checkpoint becomes per-head matrices.

`source` and its neighbours read files, `family` and `families` say where an architecture keeps
what, `plan` turns that into tensor names and shapes, `check_tensors` checks them all, `model`
reshapes.
"""
