"""What no tokenizer of a model is, and what one fails at: refused, before it asks for gigabytes.

A tokenizer comes with a checkpoint, from anywhere. The library that reads it is written in Rust: it
panics where it was not made for a file, and a panic is neither an Exception nor silent; where it
runs out of memory it ends the whole process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from annotator.errors import TokenizerMissing
from annotator.json_file import JsonInvalid, read_json

MOST_IDS = 1 << 24
"""Ids: a vocabulary is written down with a place for each up to the largest."""
MOST_GROWTH = 1 << 20
"""Letters that a normalizer may make of one."""
MOST_FILE_BYTES = 1 << 26  # of a tokenizer.json; the largest that is about has half of it


@contextmanager
def failing_as(model: str, what: str = "it fails") -> Generator[None]:
    """Name whatever the library fails at.

    Args:
        model: what messages call the tokenizer's model.
        what: cannot be done, as the beginning of the reason.

    Raises:
        TokenizerMissing: in place of its exceptions and panics.
    """
    try:
        yield
    except (TokenizerMissing, MemoryError):
        raise
    except BaseException as error:  # pyo3's PanicException is no Exception, and of no module
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise TokenizerMissing(model, f"{what} ({said:.300})") from None


@contextmanager
def panics_unsaid() -> Generator[None]:
    """Have the library's panics print nothing of their own, which they do past Python's streams."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is no standard error
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def read_bounded(model: str, path: Path) -> Mapping[str, Any]:
    """The JSON of a tokenizer, before the library sees it.

    Raises:
        TokenizerMissing: it is none, or has more bytes than any tokenizer.
    """
    try:
        return read_json(path, dict[str, Any], MOST_FILE_BYTES)
    except JsonInvalid as error:
        raise TokenizerMissing(model, f"{path.name} cannot be read: {error}") from None


def refuse_ids(model: str, ids: Collection[Any]) -> None:
    """Refuse ids that no vocabulary has.

    Raises:
        TokenizerMissing: it has them.
    """
    if any(type(id) is not int or not 0 <= id < MOST_IDS for id in ids):
        reason = f"its ids of tokens are not all whole numbers from 0 and below {MOST_IDS:,}"
        raise TokenizerMissing(model, reason)


def refuse_growth(model: str, normalizer: Mapping[str, Any] | None) -> None:
    """Refuse a normalizer that makes a book of a word.

    Raises:
        TokenizerMissing: it does.
    """
    if _growth(normalizer) > MOST_GROWTH:
        raise TokenizerMissing(model, f"its normalizer makes over {MOST_GROWTH:,} letters of one")


def _growth(step: Mapping[str, Any] | None) -> int:
    """Letters that it may make of one, at most."""
    if step is None:
        return 1
    if step.get("type") == "Sequence":
        made = 1
        for part in step["normalizers"]:
            made = min(made * _growth(part), MOST_GROWTH + 1)
        return made
    added = step.get("content") or step.get("prepend") or ""  # Replace's, which may match nothing
    return 1 + len(added)
