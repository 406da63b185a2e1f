"""How a path given by a user is read."""

from __future__ import annotations

import os
from pathlib import Path


def user_path(path: str | Path) -> Path:
    """The path, with ~ as the user's home; where there is no such user, as it was written."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (Path.expanduser raises for unknown users)
