"""How a user's path is read and a file named; where the package's files, cache and state are."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from unicodedata import normalize

from annotator.errors import HomeMissing, PathInvalid

_UNFIT = re.compile(r"""[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]""")
_MARKED = re.compile(r".*-[0-9a-f]{8}", re.DOTALL)


def user_path(path: str | Path) -> Path:
    """The path, with ~ as the user's home; where there is no such user, as it was written.

    Raises:
        PathInvalid: safetensors and Parquet files cannot be opened there, or it starts nowhere.
    """
    found = Path(os.path.expanduser(path))  # noqa: PTH111  (Path.expanduser raises for unknown users)
    try:
        str(found.absolute()).encode()
    except UnicodeEncodeError:
        reason = "it is no UTF-8 text, and safetensors and Parquet files are found by no other"
        raise PathInvalid(str(found), reason, "Rename it, or link to it by another name") from None
    except FileNotFoundError:
        reason = "it starts from the current folder, which is no more"
        raise PathInvalid(str(found), reason, "Go to a folder that is there") from None
    return found


def file_name(name: str) -> str:
    """A name as a part of a file's, on any disk; no two names have the same.

    Disks take names for one that differ only in case, or in how Unicode spells a letter. What is in
    small letters, spelled as it usually is, stays; all else is marked with its digest.
    """
    plain = normalize("NFC", normalize("NFC", name).casefold())
    if name and name == plain and not _UNFIT.search(name) and not _MARKED.fullmatch(name):
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"{_UNFIT.sub('_', name)}-{digest[:8]}"


def cache_folder() -> Path:
    """$ANNOTATOR_CACHE, else $XDG_CACHE_HOME/annotator, else ~/.cache/annotator.

    Raises:
        HomeMissing: nothing names it.
    """
    named = os.environ.get("ANNOTATOR_CACHE")
    return user_path(named) if named else _of_user("XDG_CACHE_HOME", ".cache")


def state_folder() -> Path:
    """$XDG_STATE_HOME/annotator, else ~/.local/state/annotator: what is this user's alone.

    Raises:
        HomeMissing: nothing names it.
    """
    return _of_user("XDG_STATE_HOME", ".local/state")


def shipped(name: str) -> Traversable:
    """A directory that comes with this package: prompts or data.

    They are inside an installed wheel, and beside the package in an editable install. The package
    asked is the one that was imported: an editable build may leave a copy elsewhere.
    """
    package = files("annotator")
    installed = package / name
    return installed if installed.is_dir() else Path(str(package)).parent / name


def _of_user(variable: str, in_home: str) -> Path:
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():  # the standard has any other be ignored
        return named / "annotator"
    try:
        return Path.home() / in_home / "annotator"
    except RuntimeError as error:
        raise HomeMissing(variable) from error
