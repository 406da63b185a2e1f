"""Where a ledger is: a database file, or any SQLAlchemy URL in its place."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy import exc as errors
from sqlalchemy.engine import make_url

from annotator.ledger.migrations import LEDGER_VERSION, copied, prepare, version_of
from annotator.ledger.sqlite import file_url, open_sqlite

_MEMORY = (None, "", ":memory:")


def open_engine(where: Path | str, read_only: bool, opened: ExitStack) -> Engine:
    """What speaks to the database; where it may be written, it is of today's version then.

    Args:
        where: a file, or a URL.
        read_only: a file is neither made nor written; of an older one a copy is read.
        opened: closes what was opened.

    Raises:
        LedgerUnusable: it is of a newer version, or of something else.
        SQLAlchemyError: it cannot be opened.
    """
    url = _url(where)
    file = Path(where) if url is None else _file(url)
    if file is not None:
        url = file_url(file, read_only)
        if version_of(file) != LEDGER_VERSION and read_only and file.is_file():
            folder = Path(opened.enter_context(TemporaryDirectory(prefix="annotator-")))
            copied(file, folder / "ledger.db")
            url = file_url(folder / "ledger.db", read_only)
    assert url is not None
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = open_sqlite(url) if is_sqlite else create_engine(url)
    opened.callback(engine.dispose)
    if not read_only:
        prepare(engine)
    return engine


def shown(where: Path | str) -> str:
    """The place, without the password and the settings that a URL may hold."""
    if isinstance(where, Path) or "://" not in where:
        return str(where)
    return re.sub(r"(?<=://)(?!/).*@", "", where.partition("?")[0])


def _url(where: Path | str) -> URL | None:
    if not isinstance(where, str) or "://" not in where:
        return None
    try:
        return make_url(where)
    except ValueError as error:  # a port that is no number
        raise errors.ArgumentError(str(error)) from error


def _file(url: URL) -> Path | None:
    """The file that a URL of SQLite's names, where that is all that it says."""
    plain = url.get_backend_name() == "sqlite" and not url.query
    return Path(url.database) if plain and url.database not in _MEMORY else None
