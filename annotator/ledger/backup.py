"""A copy of a ledger that is whole: a plain one lacks what is in the -wal, or is torn."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from annotator.atomic_files import whole_file
from annotator.errors import BackupFailed, CatalogUnwritable, LedgerUnusable
from annotator.ledger.check import (
    LedgerContents,
    begin,
    contents_of,
    damages,
    require_ledger_file,
)
from annotator.ledger.migrations import version_of
from annotator.ledger.sqlite import open_unchanged, uri_of

_PAGES = 1000
"""Copied at a time; between two it can be stopped."""
_NUMBERS = "SELECT * FROM pragma_application_id, pragma_user_version"
_OF_LEDGER = {
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
    *(sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ),
}
_BESIDE = ("-wal", "-journal")

Watch = Callable[[int, int], None]
"""Told how many pages are copied, and of how many."""


def back_up(file: Path, into: Path, watch: Watch, *, force: bool = False) -> LedgerContents:
    """Copy a ledger of any version, while others may write: as it is now, whole or not at all.

    Args:
        file: the ledger.
        into: the backup, a ledger like it.
        watch: told how far it is; what it raises ends the copying.
        force: whether to replace a file that is there.

    Returns:
        What the backup holds.

    Raises:
        BackupFailed: it cannot be written there.
        LedgerMissing: there is no ledger.
        LedgerUnlockable: its disk lacks what SQLite needs.
        LedgerUnusable: it cannot be read, is of a newer version, or of something else.
    """
    require_ledger_file(file)
    _require_place(file, into, force)
    try:
        with whole_file(into) as copy, closing(_opened(file)) as ledger:
            part, version = Path(copy.name), version_of(file)
            _copy(ledger, part, file, into, watch)
            numbers = ledger.execute(_NUMBERS).fetchone()
            contents = _proved(part, file, version, numbers, into)
            _require_place(file, into, force)
    except CatalogUnwritable as error:
        raise BackupFailed(str(into), error.reason) from error
    return contents


def _require_place(file: Path, into: Path, force: bool) -> None:
    """Nothing, where a backup may be written.

    Raises:
        BackupFailed: it may not.
    """
    beside = [one for end in _BESIDE if (one := into.with_name(into.name + end)).exists()]
    unread = [one.name for one in beside if one.stat().st_size]
    if into.is_dir():
        raise BackupFailed(str(into), "it is a folder", "Name a file in it")
    if not into.parent.is_dir():
        remedy = "Make that folder, or choose another place"
        raise BackupFailed(str(into), f"there is no folder {into.parent}", remedy)
    if into.exists() and into.samefile(file):
        raise BackupFailed(str(into), "it is the ledger itself", "Name another file")
    if unread:
        reason = f"{unread[0]} is there, which SQLite would take for a part of it"
        raise BackupFailed(str(into), reason, "Name another file")
    if into.exists() and not force:
        raise BackupFailed(str(into), "it exists", "Name another file, or replace it with --force")


def _opened(file: Path) -> sqlite3.Connection:
    ledger = open_unchanged(file)
    try:
        begin(ledger)
    except BaseException as error:
        ledger.close()
        if isinstance(error, sqlite3.Error):
            raise LedgerUnusable(str(file), str(error)) from error
        raise
    return ledger


def _copy(ledger: sqlite3.Connection, part: Path, file: Path, into: Path, watch: Watch) -> None:
    """Copy page by page; to a disk that has no locks too, for nobody else knows the file."""

    def step(_: int, left: int, pages: int) -> None:
        watch(pages - left, pages)

    try:
        copy = sqlite3.connect(uri_of(part, "nolock=1"), uri=True, isolation_level=None)
        with closing(copy):
            copy.execute("PRAGMA journal_mode=OFF")
            copy.execute("PRAGMA synchronous=OFF")  # it is synced as a whole
            ledger.backup(copy, pages=_PAGES, progress=step, sleep=0)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if {code, code & 0xFF} & _OF_LEDGER:  # with and without the particulars
            raise LedgerUnusable(str(file), str(error)) from error
        raise BackupFailed(str(into), str(error)) from error


def _proved(
    part: Path, file: Path, version: int, numbers: tuple[int, int], into: Path
) -> LedgerContents:
    """What a copy holds that SQLite finds whole.

    Raises:
        BackupFailed: it finds damage.
    """
    still = sqlite3.connect(uri_of(part, "mode=ro", "immutable=1"), uri=True)
    with closing(still) as copy:
        wrong = damages(copy, quick=True)
        try:
            if not wrong and copy.execute(_NUMBERS).fetchone() == numbers:
                return contents_of(copy, version, file)
        except sqlite3.Error as error:
            wrong = [str(error)]
    reason = f"the copy is damaged ({wrong[0] if wrong else 'it is of another version'})"
    remedy = "Run annotator ledger check on the catalog: the ledger may be damaged as well"
    raise BackupFailed(str(into), reason, remedy)
