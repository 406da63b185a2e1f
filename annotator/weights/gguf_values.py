"""The values of a GGUF header, one after the other, none larger than any model has.

A header comes from anywhere, and an array of it becomes a Python object for each value: thirty
times its bytes in the file.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from typing import Any

_MOST_VALUES = 1 << 22
"""Of all arrays of a header: vocabularies have up to 300,000 tokens, with two numbers and up to two
merges each."""
_MOST_LETTERS = 1 << 24  # of a text of a header
MOST_ENTRIES = 1 << 17  # keys, tensors
_STRING, _ARRAY = 8, 9
_SCALARS: Mapping[int, str] = dict(
    zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True)
)


class Cursor:
    """Reads GGUF values one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0
        self.values = 0

    def take(self, code: str) -> Any:
        """A number, by its code in `struct`."""
        layout = struct.Struct("<" + code)
        self.at += layout.size
        return layout.unpack_from(self.data, self.at - layout.size)[0]

    def text(self) -> str:
        """A text, after its length.

        Raises:
            ValueError: it is longer than any of a model.
            struct.error: the file ends before.
        """
        length: int = self.take("Q")
        end = self.at + length
        if end > len(self.data):
            raise struct.error("a string runs past the end of the file")
        require_at_most("letters in a text", length, _MOST_LETTERS)
        value = self.data[self.at : end].decode("utf-8", errors="replace")
        self.at = end
        return value

    def value(self, kind: int) -> Any:
        """A value of a kind, which may be an array.

        Raises:
            ValueError: it holds more than any of a model.
            struct.error, LookupError: it is none.
        """
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.take(_SCALARS[kind])
        inner, count = self.take("I"), self.take("Q")
        self.values += count
        require_at_most("values in arrays", self.values, _MOST_VALUES)
        if inner == _STRING:
            return [self.text() for _ in range(count)]
        layout = struct.Struct(f"<{count}{_SCALARS[inner]}")
        self.at += layout.size
        return list(layout.unpack_from(self.data, self.at - layout.size))


def require_at_most(what: str, count: int, most: int) -> None:
    """Refuse a count that no model has.

    Raises:
        ValueError: it is more than the most.
    """
    if count > most:
        raise ValueError(f"{count:,} {what}, more than the {most:,} that any model has")
