"""A check names every damage, and changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from annotator.errors import LedgerMissing, LedgerUnusable
from annotator.ledger.check import LedgerContents, check
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.ledger.migrations import APPLICATION, LEDGER_VERSION
from annotator.ledger.tables import SCHEMA
from tests.before.files import again
from tests.judge.made import item, judgment
from tests.ledger.others import FAILURE, KEY, Other, ask, key_of, rows

ASKING = """
from tests.ledger.others import ask, key_of
ledger = Ledger(where)
for number in range(10, 49):
    ask(ledger, key_of(number))
say("asked")
wait()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with something of everything."""
    path = tmp_path_factory.mktemp("made") / "catalog" / "ledger.db"
    path.parent.mkdir()
    (path.parent / "catalog.json").write_text("{}")
    with Ledger(path) as ledger:
        ask(ledger, KEY, FAILURE)
        ask(ledger, KEY)
        ask(ledger, key_of(1))
        ask(ledger, key_of(2), None)
        ledger.claim(key_of(2))
        judgments = Judgments(ledger)
        judgments.add_items([item()])
        judgments.add_project("http://127.0.0.1:8080", "ada", 1)
        judgments.record([(judgment(item()), {})])
    return path.parent


@pytest.fixture
def where(made: Path, tmp_path: Path) -> Path:
    """That ledger, to damage."""
    return shutil.copytree(made, tmp_path / "catalog") / "ledger.db"


def files(folder: Path) -> dict[str, object]:
    """Every file, and what it holds; but of the -shm, where those who read sign in."""
    return {
        file.name: file.suffix == ".db-shm" or (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.iterdir()
        if file.is_file()
    }


def problems(where: Path) -> list[str]:
    """What a check finds; it changes nothing by looking."""
    before = files(where.parent)
    found = check(where)
    assert files(where.parent) == before
    assert found.path == str(where)
    assert (found.contents is None) == bool(found.problems)
    return list(found.problems)


def contents(where: Path) -> LedgerContents:
    assert problems(where) == []
    found = check(where).contents
    assert found is not None
    return found


def damaged(where: Path, *statements: str) -> None:
    """Done by somebody who knows how to."""
    with closing(sqlite3.connect(where, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_what_it_holds(where: Path) -> None:
    found = contents(where)
    assert found.version == LEDGER_VERSION
    assert list(found.rows) == list(SCHEMA.tables)
    of = {"requests": 3, "heads": 3, "attempts": 4, "outcomes": 3, "claims": 1}
    assert found.rows.items() >= {**of, "items": 1, "projects": 1, "judgments": 1}.items()
    assert list(found.outcomes.items()) == [("described", 2), ("failed", 1)]
    assert found.in_flight == 1


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DROP INDEX judgments_by_item", "index on item of judgments is missing"),
        ("DROP INDEX heads_by_name", "index on layer, head, describer of heads is missing"),
        (
            "DROP TRIGGER no_update_of_outcomes",
            "trigger no_update_of_outcomes of outcomes is missing",
        ),
        ("ALTER TABLE outcomes DROP COLUMN seconds", "column seconds of outcomes is missing"),
        ("DROP TABLE claims", "table claims is missing"),
    ],
)
def test_what_is_missing(where: Path, statement: str, problem: str) -> None:
    damaged(where, statement)
    assert problems(where) == [problem]


def test_what_was_changed(where: Path) -> None:
    damaged(
        where,
        "DROP TRIGGER no_delete_of_judgments",
        "CREATE TRIGGER no_delete_of_judgments BEFORE DELETE ON judgments BEGIN SELECT 1; END",
        "ALTER TABLE claims RENAME TO claims_2",
        "CREATE TABLE claims (key VARCHAR(64) PRIMARY KEY, owner INTEGER, until DOUBLE NOT NULL)",
    )
    assert problems(where) == [
        "column key of claims is not what it should be",
        "column owner of claims is not what it should be",
        "trigger no_delete_of_judgments of judgments is not what it should be",
    ]


def test_all_problems_are_named_at_once(where: Path) -> None:
    damaged(
        where,
        "DROP INDEX judgments_by_item",
        "DROP TRIGGER no_delete_of_requests",
        "DELETE FROM requests WHERE key != (SELECT key FROM requests LIMIT 1)",
    )
    assert problems(where) == [
        "2 of heads refer to requests that are not there (row 2, 3)",
        "2 of attempts refer to requests that are not there (row 3, 4)",
        "trigger no_delete_of_requests of requests is missing",
        "index on item of judgments is missing",
    ]


def test_tables_of_others_are_nobodys_business(where: Path) -> None:
    damaged(where, "CREATE TABLE notes (text TEXT)", "CREATE INDEX noted ON requests (at)")
    assert "notes" not in contents(where).rows


def test_a_dangling_outcome(where: Path) -> None:
    damaged(
        where,
        "INSERT INTO outcomes SELECT 9, 0, kind, content, reply, 1, 1, 1, final, at FROM outcomes "
        "WHERE attempt = 2",
    )
    assert problems(where) == ["1 of outcomes refer to attempts that are not there (row 4)"]


def test_an_index_that_lacks_a_row(where: Path) -> None:
    def remake(only: str) -> None:
        made = f"CREATE INDEX heads_by_name ON heads (layer, head, describer){only}"
        schema = f"UPDATE sqlite_master SET sql = '{made}' WHERE name = 'heads_by_name'"
        damaged(where, "PRAGMA writable_schema = ON", schema)

    remake(" WHERE layer < 0")
    heads = "INSERT INTO heads (layer, head, describer, key) SELECT 0, 0, 1, key FROM requests"
    damaged(where, heads)
    remake("")
    assert "row 4 missing from index heads_by_name" in problems(where)


def test_an_overwritten_page(where: Path) -> None:
    (root,) = rows(where, "SELECT rootpage FROM sqlite_master WHERE name = 'outcomes'")[0]
    with where.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 4096)
    assert problems(where) == ["outcomes: database disk image is malformed"]


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file(where: Path, share: float) -> None:
    whole = where.read_bytes()
    where.write_bytes(whole[: int(len(whole) * share)])
    assert problems(where) == ["database disk image is malformed"]


def test_what_is_no_database(where: Path) -> None:
    where.write_bytes(b"# notes\n" * 1000)
    assert problems(where) == ["file is not a database"]


@pytest.mark.parametrize(
    ("application", "version", "why"),
    [
        (APPLICATION, LEDGER_VERSION + 1, f"it is of version {LEDGER_VERSION + 1}"),
        (12345, 1, "it is a database of something else"),
    ],
)
def test_what_is_not_ours_to_check(where: Path, application: int, version: int, why: str) -> None:
    damaged(where, f"PRAGMA application_id = {application}", f"PRAGMA user_version = {version}")
    before = files(where.parent)
    with pytest.raises(LedgerUnusable, match=why):
        check(where)
    assert files(where.parent) == before


def test_none(tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing, match=f"there is no ledger at {tmp_path}/ledger.db. Name a"):
        check(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", [(), ("items", "projects", "judgments")])
def test_an_older_ledger(tmp_path: Path, missing: tuple[str, ...]) -> None:
    where = again(tmp_path / "catalog") / "ledger.db"
    for table in missing:
        rows(where, f"DROP TABLE {table}")
    found = contents(where)
    assert found.version == 1
    assert (found.rows["requests"], found.rows["attempts"]) == (14, 19)
    assert missing or found.rows["judgments"] == 12


def test_an_older_ledger_that_is_damaged(tmp_path: Path) -> None:
    where = again(tmp_path / "catalog") / "ledger.db"
    damaged(where, "DROP TRIGGER no_update_of_attempts", "DROP TRIGGER no_update_of_requests")
    assert problems(where) == [
        "trigger no_update_of_requests of requests is missing",
        "trigger no_update_of_attempts of attempts is missing",
    ]
    damaged(where, "ALTER TABLE heads RENAME COLUMN key TO kex")
    (problem,) = problems(where)
    assert problem.startswith(f"its tables cannot be read as version {LEDGER_VERSION} has them: no")


@pytest.mark.parametrize("content", [b"", "no tables"])
def test_a_ledger_of_a_run_that_was_killed_at_its_start(
    tmp_path: Path, content: bytes | str
) -> None:
    where = tmp_path / "ledger.db"
    where.write_bytes(b"")
    if content:
        rows(where, "PRAGMA journal_mode=WAL")
    assert contents(where) == LedgerContents(0, {}, {}, 0)


@pytest.mark.parametrize("killed", [True, False])
def test_what_is_not_folded_in_counts_and_stays_where_it_is(where: Path, killed: bool) -> None:
    """After kill -9 the newest answers are in the -wal file alone; as they are while one writes."""
    with Other(ASKING, where) as other:
        other.hear()
        if killed:
            other.kill()
        assert where.with_name("ledger.db-wal").stat().st_size
        assert contents(where).outcomes["described"] == 2 + 39
        if not killed:
            other.end()
            assert not where.with_name("ledger.db-wal").exists()


def test_where_nothing_can_be_written(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert contents(where).in_flight == 1
