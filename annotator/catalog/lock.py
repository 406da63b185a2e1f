"""A catalog is written by one process at a time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from annotator.errors import CatalogBusy, CatalogUnwritable

LOCK = ".lock"


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Be the only process that writes in a folder.

    Raises:
        CatalogBusy: another one does.
        CatalogUnwritable: it cannot be written.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CatalogBusy(str(folder)) from error
    except OSError as error:
        raise CatalogUnwritable(str(folder), error.strerror or str(error)) from error
    try:
        yield
    finally:
        lock.release()
