"""Which version a database file is of, and how an older one becomes today's.

A file says so itself, in its application_id and user_version; version 1 is of before, and says
nothing. A step is frozen SQL, never made from today's tables, and is one transaction with the
number it ends in: a run that is killed within leaves the version before, whole. Nothing is written
to a newer file or one of something else; who only reads an older one reads a migrated copy.

This is less than a page, and so not alembic: two more packages for a numbered list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine

from annotator.errors import LedgerUnusable
from annotator.ledger.sqlite import READ_ONLY, file_uri, file_url, open_sqlite, uri_of
from annotator.ledger.tables import SCHEMA

APPLICATION = int.from_bytes(b"anno")
LEDGER_VERSION = 3
NEW, FIRST_VERSION = 0, 1
_NUMBERS = ("application_id", "user_version")
_FIRST_TABLES = {"requests", "heads", "attempts", "outcomes", "claims"}
_TEMPLATE = (
    "COALESCE((SELECT CASE WHEN json_valid(content) THEN json_extract(content, '$.template') END "
    "FROM requests WHERE requests.key = {0}.key), '')"
)
_NEVER = "BEGIN SELECT RAISE(ABORT, '{0} are never changed'); END"
_KEPT = (
    "CREATE TRIGGER IF NOT EXISTS no_update_of_{0} BEFORE UPDATE ON {0} " + _NEVER,
    "CREATE TRIGGER IF NOT EXISTS no_delete_of_{0} BEFORE DELETE ON {0} " + _NEVER,
    "CREATE TRIGGER IF NOT EXISTS no_replacing_of_{0} BEFORE INSERT ON {0} WHEN EXISTS "
    "(SELECT 1 FROM {0} WHERE {1}) " + _NEVER,
)


def _kept(table: str, same: str) -> list[str]:
    return [one.format(table, same) for one in _KEPT]


STEPS: Mapping[int, Sequence[str]] = {
    1: (
        # Ledgers of before there were studies lack three tables.
        "CREATE TABLE IF NOT EXISTS items (number INTEGER NOT NULL, id VARCHAR(16) NOT NULL, "
        "layer INTEGER NOT NULL, head INTEGER NOT NULL, llm VARCHAR(500) NOT NULL, "
        'status VARCHAR(20) NOT NULL, "key" VARCHAR(64) NOT NULL, PRIMARY KEY (number), '
        "UNIQUE (id, llm))",
        "CREATE TABLE IF NOT EXISTS projects (number INTEGER NOT NULL, url VARCHAR(500) NOT NULL, "
        "rater JSON NOT NULL, project INTEGER NOT NULL, at DOUBLE NOT NULL, PRIMARY KEY (number))",
        "CREATE TABLE IF NOT EXISTS judgments (number INTEGER NOT NULL, item VARCHAR(16) NOT NULL, "
        "rater JSON NOT NULL, annotation VARCHAR(500) NOT NULL, pattern BOOLEAN, "
        "precision VARCHAR(20), category VARCHAR(20), comment JSON NOT NULL, seconds DOUBLE, "
        "at DOUBLE NOT NULL, raw JSON NOT NULL, recorded DOUBLE NOT NULL, PRIMARY KEY (number), "
        "UNIQUE (annotation, at))",
        "CREATE INDEX IF NOT EXISTS judgments_by_item ON judgments (item)",
        *_kept("projects", '"number" = NEW."number"'),
        *_kept(
            "judgments",
            '"number" = NEW."number" OR "annotation" = NEW."annotation" AND "at" = NEW."at"',
        ),
        # Who describes is a language model, a prompt and a name.
        "ALTER TABLE heads ADD COLUMN template VARCHAR(64) DEFAULT '' NOT NULL",
        "ALTER TABLE heads ADD COLUMN name VARCHAR(40) DEFAULT '' NOT NULL",
        "DROP TRIGGER IF EXISTS no_update_of_heads",
        f"UPDATE heads SET template = {_TEMPLATE.format('heads')}",
        *_kept("heads", '"number" = NEW."number"'),
        # What is judged has a kind, and says which description it shows.
        "CREATE TABLE items_2 (number INTEGER NOT NULL, id VARCHAR(16) NOT NULL, "
        "layer INTEGER NOT NULL, head INTEGER NOT NULL, llm VARCHAR(500) NOT NULL, "
        'status VARCHAR(20) NOT NULL, "key" VARCHAR(64) NOT NULL, kind VARCHAR(20) NOT NULL, '
        "template VARCHAR(64) NOT NULL, name VARCHAR(40) NOT NULL, PRIMARY KEY (number), "
        'UNIQUE (id, llm, "key", name))',
        "INSERT INTO items_2 SELECT number, id, layer, head, llm, status, key, 'real', "
        f"{_TEMPLATE.format('items')}, '' FROM items",
        "DROP TABLE items",
        "ALTER TABLE items_2 RENAME TO items",
        *_kept(
            "items",
            '"number" = NEW."number" OR "id" = NEW."id" AND "llm" = NEW."llm" '
            'AND "key" = NEW."key" AND "name" = NEW."name"',
        ),
    ),
    2: (
        # Describers have a table of their own, so that nobody reads all heads to find them.
        "CREATE TABLE describers (number INTEGER NOT NULL, llm VARCHAR(500) NOT NULL, "
        "template VARCHAR(64) NOT NULL, name VARCHAR(40) NOT NULL, PRIMARY KEY (number), "
        "UNIQUE (llm, template, name))",
        "CREATE INDEX describers_by_name ON describers (name)",
        "INSERT INTO describers (llm, template, name) SELECT llm, template, name FROM heads "
        "GROUP BY llm, template, name ORDER BY MIN(number)",
        "CREATE TABLE heads_3 (number INTEGER NOT NULL, layer INTEGER NOT NULL, "
        'head INTEGER NOT NULL, describer INTEGER NOT NULL, "key" VARCHAR(64) NOT NULL, '
        "PRIMARY KEY (number), FOREIGN KEY(describer) REFERENCES describers (number), "
        'FOREIGN KEY("key") REFERENCES requests ("key"))',
        "INSERT INTO heads_3 SELECT heads.number, layer, head, describers.number, key FROM heads "
        "JOIN describers USING (llm, template, name)",
        "DROP TABLE heads",
        "ALTER TABLE heads_3 RENAME TO heads",
        "CREATE INDEX heads_by_name ON heads (layer, head, describer)",
        "CREATE INDEX heads_by_describer ON heads (describer)",
        *_kept(
            "describers",
            '"number" = NEW."number" OR "llm" = NEW."llm" AND "template" = NEW."template" '
            'AND "name" = NEW."name"',
        ),
        *_kept("heads", '"number" = NEW."number"'),
        # An answer that comes after its attempt was written off stands beside that.
        "CREATE TABLE outcomes_3 (attempt INTEGER NOT NULL, written_off BOOLEAN NOT NULL, "
        "kind VARCHAR(20) NOT NULL, content JSON NOT NULL, reply JSON NOT NULL, "
        "tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, seconds DOUBLE NOT NULL, "
        "final BOOLEAN NOT NULL, at DOUBLE NOT NULL, PRIMARY KEY (attempt, written_off), "
        "FOREIGN KEY(attempt) REFERENCES attempts (id))",
        "INSERT INTO outcomes_3 SELECT attempt, kind = 'lost', kind, content, reply, tokens_in, "
        "tokens_out, seconds, final, at FROM outcomes",
        "DROP TABLE outcomes",
        "ALTER TABLE outcomes_3 RENAME TO outcomes",
        *_kept("outcomes", '"attempt" = NEW."attempt" AND "written_off" = NEW."written_off"'),
    ),
}
"""By the version that it begins with, what makes the next one of it."""


def version_of(file: Path) -> int:
    """The version of a file; NEW where there is none, or nothing in it.

    Raises:
        LedgerUnusable: it is newer, or of something else.
    """
    if not file.is_file() or not file.stat().st_size:
        return NEW
    # As it stands: else SQLite would leave files beside a file of something else. And by SQLite: to
    # close a descriptor of one's own would end every lock of this process on the file.
    still = sqlite3.connect(uri_of(file, "mode=ro", "immutable=1"), uri=True)
    with closing(still), suppress(sqlite3.DatabaseError):  # what is wrong with it is told below
        _known(file, *(still.execute(f"PRAGMA {name}").fetchone()[0] for name in _NUMBERS))
    engine = open_sqlite(file_url(file, read_only=True))
    try:
        with engine.execution_options(**{READ_ONLY: True}).begin() as connection:
            return _version(file, connection)
    finally:
        engine.dispose()


def prepare(engine: Engine) -> None:
    """Make the tables of a new database, or bring an older file to today's version.

    Raises:
        LedgerUnusable: it is newer, or of something else.
    """
    while not _stepped(engine):
        pass


def _stepped(engine: Engine) -> bool:
    """Take a step towards today's version; whether it is there already."""
    with engine.begin() as connection:  # another process may be at it, and is waited for
        version = _version(Path(engine.url.database or ""), connection)
        if version == LEDGER_VERSION:
            return True
        if version == NEW:
            SCHEMA.create_all(connection)
        for statement in STEPS.get(version, ()):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION}")
        number = LEDGER_VERSION if version == NEW else version + 1
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")
    return False


def copied(file: Path, into: Path) -> None:
    """A copy of an older file, brought to today's version; the file stays as it is."""
    source = sqlite3.connect(file_uri(file), uri=True)
    with closing(source), closing(sqlite3.connect(into)) as copy:
        source.backup(copy)
    engine = open_sqlite(file_url(into, read_only=False))
    try:
        prepare(engine)
    finally:
        engine.dispose()


def _version(file: Path, connection: Connection) -> int:
    numbers = (f"PRAGMA {name}" for name in _NUMBERS)
    application, version = (connection.exec_driver_sql(one).scalar_one() for one in numbers)
    found = _known(file, application, version)
    if found != FIRST_VERSION:
        return found
    tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = set(tables.scalars())
    if names and not names >= _FIRST_TABLES:
        raise _foreign(file)
    return FIRST_VERSION if names else NEW


def _known(file: Path, application: int, version: int) -> int:
    """The version that the numbers stand for."""
    if (application, version) == (0, 0):
        return FIRST_VERSION
    if application != APPLICATION:
        raise _foreign(file)
    if version > LEDGER_VERSION:
        reason = (
            f"it is of version {version}, and this annotator knows those up to {LEDGER_VERSION}"
        )
        raise LedgerUnusable(str(file), reason, "Use the annotator that made it, or a later one")
    return version


def _foreign(file: Path) -> LedgerUnusable:
    return LedgerUnusable(str(file), "it is a database of something else", "Move it away")
