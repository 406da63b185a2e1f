"""The root of the tree."""

from __future__ import annotations

from typing import ClassVar


class AnnotatorError(Exception):
    """Base of every error that annotator raises on purpose."""

    _message: ClassVar[str] = ""
    """What it says, with the names of its fields; one that has more to say overrides `__str__`."""

    def __str__(self) -> str:
        return self._message.format_map(vars(self)) if self._message else super().__str__()
