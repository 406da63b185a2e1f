"""Opens the database file of a ledger: of today's version, or of an older one to be read."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from annotator.errors import LedgerUnusable
from annotator.ledger.locks import require_locks
from annotator.ledger.migrations import LEDGER_VERSION, copied, prepare, version_of
from annotator.ledger.sqlite import file_url, open_sqlite

_NOT_OPENED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def open_engine(file: Path, read_only: bool, opened: ExitStack) -> Engine:
    """What speaks to the database; where it may be written, it is of today's version then.

    Args:
        file: the database file.
        read_only: it is neither made nor written; of an older one a copy is read.
        opened: closes what was opened.

    Raises:
        LedgerUnlockable: its disk lacks what SQLite needs.
        LedgerUnusable: it is of a newer version, or of something else.
        SQLAlchemyError: it cannot be opened.
    """
    require_locks(file, read_only=read_only)
    if version_of(file) != LEDGER_VERSION and read_only and file.is_file():
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="annotator-")))
        copied(file, folder / "ledger.db")
        file = folder / "ledger.db"
    engine = open_sqlite(file_url(file, read_only))
    opened.callback(engine.dispose)
    if not read_only:
        prepare(engine)
    return engine


def unusable(file: Path, error: BaseException) -> LedgerUnusable:
    """What a failure of the database comes to; a folder that may not be written is named as one."""
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    code = getattr(error, "sqlite_errorcode", None) or 0
    folder = file.parent
    if code & 0xFF in _NOT_OPENED and folder.is_dir() and not os.access(folder, os.W_OK):
        remedy = "Make it writable, or copy the catalog to a place of your own"
        return LedgerUnusable(str(file), f"its folder cannot be written ({reason})", remedy)
    return LedgerUnusable(str(file), reason)
