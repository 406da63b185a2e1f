"""All that is SQLite's own: WAL, commits that survive a power cut, one writer at a time, triggers.

In WAL mode readers wait for nobody. A writer takes its turn when it begins, not at its first change
in the midst of a transaction, where SQLite could only refuse it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Insert,
    MetaData,
    Table,
    UniqueConstraint,
    create_engine,
    insert,
)
from sqlalchemy import event as events

BUSY_SECONDS = 60.0
"""How long a writer waits for its turn before it gives up."""

PRAGMAS = ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL")
READ_ONLY = "reads"


def file_url(file: Path, read_only: bool) -> URL:
    """The URL of a database file.

    Args:
        file: where it is.
        read_only: it is neither made nor written. Where the folder cannot be written, in which even
            a reader would have to set up WAL, a file that nobody is at is read as it stands.
    """
    if not read_only:
        return URL.create("sqlite", database=str(file))
    database, _, settings = file_uri(file).partition("?")
    query = dict(one.split("=") for one in [*settings.split("&"), "uri=true"])
    return URL.create("sqlite", database=database, query=query)


def file_uri(file: Path) -> str:
    """A database file to be read only, as SQLite itself names it."""
    return uri_of(file, "mode=ro", *(["immutable=1"] if stands_still(file) else []))


def stands_still(file: Path) -> bool:
    """Whether a file is read as it stands, without locks: nobody is at it, or can set up WAL."""
    return not os.access(file.parent, os.W_OK) and not file.with_name(f"{file.name}-wal").exists()


def uri_of(file: Path, *settings: str) -> str:
    """A database file as SQLite names it, with settings of its own."""
    return f"file:{quote(str(file))}?{'&'.join(settings)}"


def open_unchanged(file: Path) -> sqlite3.Connection:
    """A connection that only reads, and leaves the files as they are and none beside them.

    SQLite deletes a -wal of its own making only for one who may write, and folds in one that it
    found; so whoever finds none says that they may write, and does not.
    """
    found = file.with_name(f"{file.name}-wal").exists()
    uri = file_uri(file) if found or stands_still(file) else uri_of(file, "mode=rw")
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA query_only=ON")
    return connection


def open_sqlite(url: URL) -> Engine:
    """An engine whose connections are set up as the ledger needs them; it connects later."""
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    settings = PRAGMAS[:1] if url.query.get("mode") == "ro" else PRAGMAS

    def set_up(connection: Any, _: Any) -> None:
        _set_up(connection, settings)

    events.listen(engine, "connect", set_up)
    events.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, settings: Sequence[str]) -> None:
    try:
        connection.isolation_level = None  # a transaction begins where `_begin` says
        for setting in settings:
            _in_turn(connection, f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise


def _in_turn(connection: sqlite3.Connection, statement: str) -> tuple[Any, ...] | None:
    """Execute what SQLite refuses rather than waits for: a new file is switched to WAL by one."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return connection.execute(statement).fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def guard(metadata: MetaData, *tables: Table) -> None:
    """Have the database refuse to change rows of these tables, whoever asks."""

    def _make(_: MetaData, connection: Connection, **__: Any) -> None:
        for table in tables:
            for trigger in _triggers(table):
                connection.exec_driver_sql(trigger)

    events.listen(metadata, "after_create", _make)


def _triggers(table: Table) -> Iterator[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table.name} are never changed'); END"
    for change in ("UPDATE", "DELETE"):
        name = f"no_{change.lower()}_of_{table.name}"
        yield f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {change} ON {table.name} {refuse}"
    # INSERT OR REPLACE removes the row in its way without asking the trigger on DELETE.
    keys = [table.primary_key, *(c for c in table.constraints if isinstance(c, UniqueConstraint))]
    same = " OR ".join(" AND ".join(f'"{c.name}" = NEW."{c.name}"' for c in key) for key in keys)
    yield (
        f"CREATE TRIGGER IF NOT EXISTS no_replacing_of_{table.name} BEFORE INSERT ON {table.name} "
        f"WHEN EXISTS (SELECT 1 FROM {table.name} WHERE {same}) {refuse}"
    )


def insert_or_replace(table: Table) -> Insert:
    """An insertion of a row that takes the place of the one with its key."""
    return insert(table).prefix_with("OR REPLACE")
