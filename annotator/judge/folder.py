"""A local Label Studio's folder, seen from outside."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock, Timeout


def clear_exports(folder: Path) -> None:
    """Remove the copies that a server keeps of all that was ever exported from it."""
    shutil.rmtree(folder / "data" / "export", ignore_errors=True)


def is_served(folder: Path) -> bool:
    """Whether a server runs on this folder."""
    lock = FileLock(folder / "lock", thread_local=False)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
