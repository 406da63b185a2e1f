"""Whether a disk has what SQLite needs of it: locks on files, and files in shared memory.

Of a disk that gives no locks, as network disks without a lock daemon, SQLite says after a minute of
waiting that the database is locked.
"""

from __future__ import annotations

import errno
import mmap
import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from annotator.errors import LedgerUnlockable
from annotator.ledger.sqlite import stands_still

_HELD = (errno.EACCES, errno.EAGAIN)
"""Somebody has the lock, and so there are locks."""
_UNSHARED = (errno.ENODEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


def require_locks(file: Path, *, read_only: bool = False) -> None:
    """Nothing, where a database can be used; it is asked of another file in its folder.

    Never of the database, its -wal or its -shm: to close any descriptor of a file ends every lock
    that this process has on it, those of open connections too.

    Args:
        file: the database, which need not be there yet.
        read_only: it is only read. Nothing is written then: a file of JSON that lies beside it, as
            in every catalog, is asked.

    Raises:
        LedgerUnlockable: the disk lacks something.
    """
    if os.name != "posix" or (read_only and stands_still(file)):
        return
    # Where no file can be opened or made, SQLite says so, and at once.
    with suppress(OSError, ValueError):
        if not read_only:
            with TemporaryFile(dir=file.parent) as made:
                made.truncate(mmap.PAGESIZE)
                _require(file, made.fileno(), mmap.ACCESS_WRITE)
        elif beside := sorted(file.parent.glob("*.json")):
            with beside[0].open("rb") as there:
                _require(file, there.fileno(), mmap.ACCESS_READ)


def _require(database: Path, probed: int, access: int) -> None:
    import fcntl

    kind = fcntl.LOCK_EX if access == mmap.ACCESS_WRITE else fcntl.LOCK_SH
    try:
        fcntl.lockf(probed, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            raise _lacking(database, "file locks", error) from error
    try:
        mmap.mmap(probed, 0, access=access).close()
    except OSError as error:
        if error.errno in _UNSHARED:
            raise _lacking(database, "shared memory in files", error) from error


def _lacking(database: Path, what: str, error: OSError) -> LedgerUnlockable:
    return LedgerUnlockable(str(database), f"{what} ({error.strerror or error})")
