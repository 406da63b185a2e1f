"""Where a key comes from, and where it may go. It is kept in memory only, and is in no message.

The environment's key, organisation and headers are meant for the provider's own address. Any other
server gets the key that was named for it, and a server on this machine needs none. No key goes over
http, where others can read it, unless to this machine or where that was allowed.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import KeyInvalid, KeyMissing, SettingInvalid
from annotator.http_environment import is_variable_name
from annotator.paths import user_path


@dataclass(frozen=True)
class KeyVariable:
    """An environment variable that a key is in, named by whom it belongs to."""

    name: str


@dataclass(frozen=True)
class KeyChoice:
    """Which key is sent, and how.

    Attributes:
        file: that holds the key; or None.
        variable: of the environment, that holds it; or None. Neither: the provider's own variable,
            at the provider's own address.
        allow_http: whether it may go to another machine over http.

    Raises:
        SettingInvalid: both are named, or a variable without a name.
    """

    file: str | Path | None = None
    variable: str | None = None
    allow_http: bool = False

    def __post_init__(self) -> None:
        if self.variable is not None and (self.file is not None or not self.variable.strip()):
            allowed = "a variable's name, without --key-file beside it"
            raise SettingInvalid("key-env", self.variable, allowed)
        if self.variable is not None and not is_variable_name(self.variable.strip()):
            raise SettingInvalid("key-env", "(not shown)", "a variable's name, not the key itself")

    @property
    def key(self) -> Path | KeyVariable | None:
        """Where the key is; None: where the provider's own would be."""
        if self.variable is not None:
            return KeyVariable(self.variable.strip())
        return None if self.file is None else user_path(self.file)


def find_key(llm: str, given: str | Path | KeyVariable) -> str:
    """The key.

    Args:
        llm: the language model, for messages.
        given: the key itself, the file whose first line that is not blank holds it, or the
            environment variable that does.

    Raises:
        KeyMissing: the environment has none.
        KeyInvalid: the file cannot be read, it or what was given is blank, or the key cannot be
            sent as a header.
    """
    if isinstance(given, Path):
        key, where = _first_line(llm, given), str(given)
    elif isinstance(given, KeyVariable):
        key, where = os.environ.get(given.name, "").strip(), given.name
    else:
        key, where = given.strip(), "the key that was given"
    if not key and isinstance(given, KeyVariable):
        raise KeyMissing(llm, where)
    if not key:
        raise KeyInvalid(llm, where, "it is empty")
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


def custom_headers(kind: str) -> list[str]:
    """The names of headers that an SDK adds to every request because the environment says so."""
    lines = os.environ.get(f"{kind.upper()}_CUSTOM_HEADERS", "").splitlines()
    return [name.strip() for name, colon, _ in (line.partition(":") for line in lines) if colon]
