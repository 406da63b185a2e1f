"""Texts of checkpoints, servers and people, as a terminal may be given them.

What a terminal obeys is shown instead: it would move the cursor, turn text round, or write to the
clipboard.
"""

from __future__ import annotations

import re
from io import TextIOWrapper

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OUR_OWN = re.compile(r"(\x1b\[[0-9;]*[mKA]|\r)")  # of rich and tqdm: styles, a line drawn anew


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


def show_controls(stream: TextIOWrapper) -> None:
    """Have a stream show what comes by it, whoever writes: all but what draws bars and tables."""
    write = stream.write

    def shown(text: str) -> int:
        parts = _OUR_OWN.split(text)  # every other one is ours
        write("".join(visible(part) if i % 2 == 0 else part for i, part in enumerate(parts)))
        return len(text)

    stream.write = shown
