"""The root of the tree."""

from __future__ import annotations


class AnnotatorError(Exception):
    """Base of every error that annotator raises on purpose."""
