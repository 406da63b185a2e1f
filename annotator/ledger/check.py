"""Is a ledger whole, and what does it hold? Nothing is changed, and nothing left beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy import exc as errors

from annotator.errors import LedgerMissing
from annotator.ledger.locks import require_locks
from annotator.ledger.migrations import LEDGER_VERSION, copied, version_of
from annotator.ledger.spill import waiting_beside
from annotator.ledger.sqlite import open_unchanged
from annotator.ledger.tables import SCHEMA

_ERRORS = (sqlite3.Error, errors.DBAPIError)
_FINE = ("ok", "*** in database main ***")
_Form = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class LedgerContents:
    """What a ledger holds.

    Attributes:
        version: of the file; 0 where nothing was written to it yet.
        rows: of each table how many.
        outcomes: how many attempts ended so, by kind; the commonest first.
        in_flight: how many attempts have no outcome.
        waiting: how many answers are in files beside it, for whoever writes to it next to take in.
    """

    version: int
    rows: Mapping[str, int]
    outcomes: Mapping[str, int]
    in_flight: int
    waiting: int = 0


@dataclass(frozen=True)
class LedgerCheck:
    """What a check came to.

    Attributes:
        path: the ledger.
        problems: what is wrong, a line each.
        contents: what it holds; None where something is wrong.
    """

    path: str
    problems: tuple[str, ...]
    contents: LedgerContents | None


def check(file: Path) -> LedgerCheck:
    """Whether a ledger is whole: its tables, its pages, and what its rows refer to.

    Raises:
        LedgerMissing: there is none.
        LedgerUnlockable: its disk lacks what SQLite needs.
        LedgerUnusable: it is of a newer version, or of something else.
    """
    require_ledger_file(file)
    try:
        with closing(open_unchanged(file)) as connection:
            begin(connection)
            version = version_of(file)
            problems = [*damages(connection), *_of_form(file, version, connection)]
            contents = None if problems else contents_of(connection, version, file)
    except _ERRORS as error:
        problems, contents = [_said(error)], None
    return LedgerCheck(str(file), tuple(dict.fromkeys(problems)), contents)


def begin(connection: sqlite3.Connection) -> None:
    """See the ledger as it is now; what is written meanwhile is not seen.

    Raises:
        sqlite3.Error: it is no database, or a part of one.
    """
    connection.execute("BEGIN")
    connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


def require_ledger_file(file: Path) -> None:
    """Nothing, where there is a ledger that can be read.

    Raises:
        LedgerMissing: there is none.
        LedgerUnlockable: its disk lacks what SQLite needs.
    """
    if not file.is_file():
        raise LedgerMissing(str(file))
    require_locks(file, read_only=True)


def contents_of(connection: sqlite3.Connection, version: int, file: Path) -> LedgerContents:
    """What a ledger holds; an older one may lack tables.

    Args:
        connection: to it, or to its copy.
        version: of the file.
        file: the ledger, beside which answers may wait.

    Raises:
        sqlite3.Error: it cannot be read.
    """

    def numbers(query: str) -> dict[str, int]:
        return dict(connection.execute(query).fetchall())

    there = [name for name in SCHEMA.tables if name in _tables(connection)]
    rows = {name: numbers(f"SELECT '', count(*) FROM \"{name}\"")[""] for name in there}
    waiting = waiting_beside(file)
    if "outcomes" not in rows:
        return LedgerContents(version, rows, {}, 0, waiting)
    kinds = numbers("SELECT kind, count(*) FROM outcomes GROUP BY kind ORDER BY 2 DESC, kind")
    flying = "SELECT '', count(*) FROM attempts WHERE id NOT IN (SELECT attempt FROM outcomes)"
    return LedgerContents(version, rows, kinds, numbers(flying)[""], waiting)


def damages(connection: sqlite3.Connection, *, quick: bool = False) -> list[str]:
    """What SQLite itself finds wrong, a line each.

    Args:
        connection: to a ledger of any version.
        quick: leave out what takes long: whether indexes have each row, and foreign keys.
    """
    look = f"PRAGMA {'quick' if quick else 'integrity'}_check"
    found: list[str] = []
    try:
        found += _told(connection, look)
        if not quick:
            found += _dangling(connection)
    except sqlite3.Error as error:
        found += _by_table(connection, look) or [_said(error)]
    return found


def _told(connection: sqlite3.Connection, look: str) -> list[str]:
    lines = (line for (told,) in connection.execute(look) for line in told.splitlines())
    return [line for line in lines if line not in _FINE]


def _by_table(connection: sqlite3.Connection, look: str) -> list[str]:
    """Which tables cannot even be checked; none where not even those can be listed."""
    found: list[str] = []
    with suppress(sqlite3.Error):
        for table in _tables(connection):
            try:
                _told(connection, f"{look}('{table}')")
            except sqlite3.Error as error:
                found.append(f"{table}: {_said(error)}")
    return found


def _dangling(connection: sqlite3.Connection) -> Iterator[str]:
    found: dict[tuple[str, str], list[int]] = {}
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        found.setdefault((table, parent), []).append(row)
    for (table, parent), rows in found.items():
        some = ", ".join(map(str, rows[:3])) + (", ..." if len(rows) > 3 else "")
        yield f"{len(rows)} of {table} refer to {parent} that are not there (row {some})"


def _of_form(file: Path, version: int, connection: sqlite3.Connection) -> Iterator[str]:
    """What its tables lack; those of an older one, once they are brought to today's version."""
    try:
        if version == LEDGER_VERSION:
            yield from _lacking(_form(connection))
            return
        with TemporaryDirectory(prefix="annotator-") as folder:
            copy = Path(folder) / "ledger.db"
            copied(file, copy)
            with closing(sqlite3.connect(copy)) as brought_up:
                yield from _lacking(_form(brought_up))
    except _ERRORS as error:
        yield f"its tables cannot be read as version {LEDGER_VERSION} has them: {_said(error)}"


def _lacking(there: _Form) -> Iterator[str]:
    for table, parts in _todays_form().items():
        if table not in there:
            yield f"table {table} is missing"
            continue
        for part, made in parts.items():
            if part not in there[table]:
                yield f"{part} of {table} is missing"
            elif there[table][part] != made:
                yield f"{part} of {table} is not what it should be"


def _todays_form() -> _Form:
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            SCHEMA.create_all(connection)
            made: Any = connection.connection.driver_connection
            return _form(made)
    finally:
        engine.dispose()


def _form(connection: sqlite3.Connection) -> _Form:
    """What each table is made of, however that was put into words."""
    return {table: dict(_parts(connection, table)) for table in _tables(connection)}


def _parts(connection: sqlite3.Connection, table: str) -> Iterator[tuple[str, Any]]:
    def rows(query: str) -> list[Any]:
        return connection.execute(query, (table,)).fetchall()

    for _, column, *kind in rows("SELECT * FROM pragma_table_info(?)"):
        yield f"column {column}", kind
    for _, index, unique, *_ in rows("SELECT * FROM pragma_index_list(?)"):
        query = f"SELECT name FROM pragma_index_info('{index}')"
        columns = ", ".join(name for (name,) in connection.execute(query))
        yield f"{'unique index' if unique else 'index'} on {columns}", None
    for _, _, parent, column, to, *_ in rows("SELECT * FROM pragma_foreign_key_list(?)"):
        yield f"foreign key {column}", (parent, to)
    yield from rows(
        "SELECT 'trigger ' || name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
    )


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    return [name for (name,) in connection.execute(query)]


def _said(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
