"""Texts of checkpoints, servers and people, as a terminal may be given them.

What a terminal obeys is shown instead: it would move the cursor, turn text round, or write to the
clipboard.
"""

from __future__ import annotations

import re
from io import TextIOWrapper

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DRAWN_ANEW = re.compile(r"\r|\n*(\x1b\[A)*\Z")  # how tqdm begins a line, or goes to another


class Styled(str):
    """A text with styles of our own, of whose other parts every one was made visible."""

    __slots__ = ()


def visible(text: str) -> str:
    r"""A text with its control characters as \x1b and the like; line breaks and tabs stay."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def brief(text: str, lines: int = 60, letters: int = 2000) -> str:
    """A message that fits a screen or two: an input may have a million faults, or one of a book."""
    every = [f"{line[:letters]} …" if len(line) > letters else line for line in text.splitlines()]
    if len(every) <= lines:
        return "\n".join(every)
    left = len(every) - lines + 1
    return "\n".join([*every[: lines - 2], f"  (and {left:,} lines more)", every[-1]])


def show_controls(stream: TextIOWrapper, *, bars: bool = False) -> None:
    """Have a stream show what comes by it, whoever writes.

    Args:
        stream: the stream.
        bars: whether progress bars are drawn there, and may draw their line anew.
    """
    write = stream.write

    def shown(text: str) -> int:
        begun = _DRAWN_ANEW.match(text) if bars else None
        own = begun.end() if begun else 0
        write(text if isinstance(text, Styled) else text[:own] + visible(text[own:]))
        return len(text)

    stream.write = shown
