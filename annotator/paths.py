"""How a path given by a user is read, and where what can be made again is kept."""

from __future__ import annotations

import os
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
