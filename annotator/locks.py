"""One process at a time: who comes second is refused, or waits."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
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


@contextmanager
def in_turn(file: Path) -> Generator[None]:
    """Wait until no other process has its turn.

    Raises:
        CatalogUnwritable: the lock's file cannot be written.
    """
    lock = FileLock(file)
    try:
        lock.acquire()
    except OSError as error:
        raise CatalogUnwritable(str(file.parent), error.strerror or str(error)) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def turn(file: Path, waiting: Callable[[], object]) -> Generator[None]:
    """Wait until no other process has its turn; the lock's file is there only meanwhile.

    Args:
        file: of the lock.
        waiting: called where another process has its turn.

    Raises:
        OSError: it cannot be written.
    """
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # Windows: it is open. Who waits for it here makes it anew.
            file.unlink()
        lock.release()
