"""How a user's path is read and a file named, where what comes with the package is, the cache."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from unicodedata import normalize

from annotator.errors import EnvironmentInvalid, PathInvalid

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


def home_folder() -> Path:
    """The user's home.

    Raises:
        EnvironmentInvalid: nobody says where that is, as in a container with a number for a user.
    """
    try:
        return Path.home()
    except RuntimeError:
        reason = "is not set, and the system knows no home of this user"
        raise EnvironmentInvalid("HOME", reason, "Set it to a folder that can be written") from None


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
        EnvironmentInvalid: none of them is known.
    """
    named = os.environ.get("ANNOTATOR_CACHE")
    if named:
        return user_path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or home_folder() / ".cache") / "annotator"


def shipped(name: str) -> Traversable:
    """A directory that comes with this package: prompts or data.

    They are inside an installed wheel, and beside the package in an editable install. The package
    asked is the one that was imported: an editable build may leave a copy elsewhere.
    """
    package = files("annotator")
    installed = package / name
    return installed if installed.is_dir() else Path(str(package)).parent / name
