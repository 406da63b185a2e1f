"""Where a provider's key comes from. It is kept in memory only, and never part of a message."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from annotator.errors import KeyInvalid, KeyMissing


def find_key(llm: str, variable: str, given: str | Path | None = None) -> str:
    """The key: the one that was given, or else the environment's.

    Args:
        llm: the language model, for messages.
        variable: the environment variable to look at where none was given.
        given: the key itself, or the file whose first line that is not blank holds it.

    Raises:
        KeyMissing: none was given, and the environment has none.
        KeyInvalid: the file cannot be read or holds none, or the key cannot be sent as a header.
    """
    if isinstance(given, Path):
        key, where = _first_line(llm, given), str(given)
    elif given is not None:
        key, where = given.strip(), "the key that was given"
    else:
        key, where = os.environ.get(variable, "").strip(), variable
    if not key:
        raise KeyMissing(llm, variable)
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise KeyInvalid(llm, where, "it holds a blank or a character that no HTTP header takes")
    return key


def _first_line(llm: str, file: Path) -> str:
    """The first line that is not blank; a file that others may read is warned about."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        mode = file.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise KeyInvalid(llm, str(file), reason or type(error).__name__) from None
    if os.name == "posix" and mode & 0o077:
        warnings.warn(f"others may read the key file {file}: chmod 600 {file}", stacklevel=4)
    lines = (line.strip() for line in text.splitlines())
    if not (key := next(filter(None, lines), "")):
        raise KeyInvalid(llm, str(file), "it is empty")
    return key
