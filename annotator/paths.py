"""How a path given by a user is read, where what comes with the package is, and the cache."""

from __future__ import annotations

import os
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def user_path(path: str | Path) -> Path:
    """The path, with ~ as the user's home; where there is no such user, as it was written."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (Path.expanduser raises for unknown users)


def cache_folder() -> Path:
    """$ANNOTATOR_CACHE, else $XDG_CACHE_HOME/annotator, else ~/.cache/annotator."""
    named = os.environ.get("ANNOTATOR_CACHE")
    if named:
        return user_path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "annotator"


def shipped(name: str) -> Traversable:
    """A directory that comes with this package: prompts or data.

    They are inside an installed wheel, and beside the package in an editable install. The package
    asked is the one that was imported: an editable build may leave a copy elsewhere.
    """
    package = files("annotator")
    installed = package / name
    return installed if installed.is_dir() else Path(str(package)).parent / name
