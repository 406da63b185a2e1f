"""A local Label Studio's folder, seen from outside."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout


def clear_exports(folder: Path) -> None:
    """Remove the copies that a server keeps of all that was ever exported from it.

    The folder that they are in stays: a server makes it when it starts, and never again.
    """
    with suppress(OSError):  # a copy that vanished meanwhile, or that cannot be removed
        for copy in (folder / "data" / "export").iterdir():
            if copy.is_dir() and not copy.is_symlink():
                shutil.rmtree(copy, ignore_errors=True)
                continue
            with suppress(OSError):
                copy.unlink()


def is_served(folder: Path) -> bool:
    """Whether a server runs on this folder."""
    lock = FileLock(folder / "lock", thread_local=False)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
