"""A ledger that cannot be used says so in one line, and keeps what it holds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from annotator.errors import LedgerUnusable
from annotator.ledger import sqlite
from annotator.ledger.ledger import Ledger
from tests import PATIENCE
from tests.ledger.others import ANSWER, HEAD, KEY, LLM, Other, ask, key_of, rows

HOLDING = """
import os
import sqlite3
connection = sqlite3.connect(where, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
say("held")
wait()
"""

# The disk takes no more than 200 kB a file, as after `ulimit -f`.
FILLING = """
import hashlib, resource
from annotator.errors import LedgerUnusable

with Ledger(where) as ledger:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    told = []
    for number in range(1000):
        key = hashlib.sha256(str(number).encode()).hexdigest()
        try:
            ledger.add("rules", [(HeadId(0, 0), key, {})])
            ledger.record(ledger.begin(key, {}), AttemptResult("described", {}, "x" * 2000))
        except LedgerUnusable as error:
            say([error.reason, told])
            break
        told.append(key)
"""


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """A ledger with one answer."""
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger:
        ask(ledger, KEY)
    return path


def asked(ledger: Ledger) -> Iterator[str]:
    """Ask one request after the other; each once it has its answer."""
    for number in range(1, 1000):
        ask(ledger, key_of(number))
        yield key_of(number)


def reason(where: Path | str) -> str:
    """Why it cannot be opened."""
    with pytest.raises(LedgerUnusable) as caught:
        Ledger(where)
    assert len(str(caught.value).splitlines()) == 1
    assert "sqlalche.me" not in str(caught.value)
    return caught.value.reason


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"# notes\n" * 1000)
    assert reason(path) == "file is not a database"
    assert path.read_bytes() == b"# notes\n" * 1000


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_file(where: Path, share: float) -> None:
    whole = where.read_bytes()
    where.write_bytes(whole[: int(len(whole) * share)])
    cut = where.read_bytes()
    assert reason(where) in {"database disk image is malformed", "file is not a database"}
    assert where.read_bytes() == cut


def test_pages_overwritten_with_something_else(where: Path) -> None:
    whole = where.read_bytes()
    where.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    with pytest.raises(LedgerUnusable, match="malformed"), Ledger(where) as ledger:
        ledger.answers([KEY])


@pytest.mark.parametrize("table", ["requests", "visits"])
def test_a_database_of_something_else(tmp_path: Path, table: str) -> None:
    path = tmp_path / "ledger.db"
    rows(path, f"CREATE TABLE {table} (url TEXT)")
    before = path.read_bytes()
    assert reason(path) == "it is a database of something else"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    assert reason(tmp_path / "ledger.db") == "unable to open database file"
    assert reason(tmp_path / "nowhere" / "ledger.db") == "unable to open database file"


def test_a_disk_that_fills_up(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pages,) = rows(where, "PRAGMA page_count")[0]
    monkeypatch.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, f"max_page_count={pages + 4}"))
    told = [KEY]
    with Ledger(where) as ledger:
        with pytest.raises(LedgerUnusable, match="database or disk is full"):
            told.extend(asked(ledger))
        assert ledger.answers(told).keys() == set(told)
    assert 1 < len(told) < 1000
    monkeypatch.undo()
    with Ledger(where) as ledger:
        assert ledger.answers(told) == dict.fromkeys(told, ANSWER)
        ask(ledger, key_of(len(told)))


def test_a_write_that_the_system_refuses(where: Path) -> None:
    with Other(FILLING, where) as other:
        reason, told = other.hear()
        assert other.process.wait(timeout=PATIENCE) == 0
    assert reason in {"disk I/O error", "database or disk is full"}
    assert told
    with Ledger(where) as ledger:
        assert ledger.answers([KEY, *told]).keys() == {KEY, *told}
        assert rows(where, "PRAGMA integrity_check") == [("ok",)]


def test_held_by_another_process(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with Ledger(where) as ledger:
        with Other(HOLDING, where) as other:
            other.hear()
            assert reason(where) == "database is locked"
            with pytest.raises(LedgerUnusable, match="database is locked"):
                ledger.begin(KEY, {})
            assert ledger.answers([KEY]) == {KEY: ANSWER}
            other.end()
        ledger.begin(KEY, {})
        assert ledger.count() == 2


def test_a_thread_waits_for_its_turn_no_longer_than_for_another_program(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many threads the last would otherwise wait for the sum of all waits."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with Ledger(where) as ledger, ThreadPoolExecutor(1) as pool, ledger.writing():
        waiting = pool.submit(ledger.claim, KEY)
        assert isinstance(waiting.exception(PATIENCE), LedgerUnusable)


class Busy(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_BUSY


class Switching(sqlite3.Connection):
    """A file that some other process is switching to WAL just now."""

    refusals = 3

    def execute(self, statement: str) -> sqlite3.Cursor:
        self.refusals -= 1
        if self.refusals >= 0:
            raise Busy("database is locked")
        return super().execute(statement)


def test_a_new_file_is_switched_to_wal_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite refuses the other at once, whatever its patience."""
    with closing(Switching(":memory:")) as connection:
        assert sqlite._in_turn(connection, "PRAGMA journal_mode") == ("memory",)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", -1.0)
    with closing(Switching(":memory:")) as connection, pytest.raises(Busy):
        sqlite._in_turn(connection, "PRAGMA journal_mode")


@pytest.mark.parametrize("name", ["a b", "100%", "what?", "a#b", "ü", ":memory:", "x%20y"])
def test_a_path_is_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    for path in (tmp_path / name / "ledger.db", tmp_path / name / name):
        with Ledger(path) as ledger:
            ask(ledger, KEY)
        assert rows(path, "SELECT key FROM requests") == [(KEY,)]


def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Ledger(":memory:") as ledger:
        ask(ledger, KEY)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert KEY in ledger.answers([KEY])
    assert (tmp_path / ":memory:").is_file()


def test_a_reader_in_a_closed_folder_does_not_pass_over_what_is_not_folded_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 the newest answers are in the -wal file alone."""
    with Ledger(tmp_path / "ledger.db") as ledger:
        ask(ledger, KEY)
        for file in tmp_path.iterdir():
            (tmp_path / f"killed-{file.name}").write_bytes(file.read_bytes())
    assert (tmp_path / "killed-ledger.db-wal").stat().st_size
    monkeypatch.setattr(os, "access", lambda *_: False)
    with Ledger(tmp_path / "killed-ledger.db", read_only=True) as reader:
        assert reader.answers([KEY]) == {KEY: ANSWER}


@pytest.mark.parametrize("content", [b"", "no tables"])
def test_a_ledger_of_a_run_that_was_killed_at_its_start_holds_nothing(
    tmp_path: Path, content: bytes | str
) -> None:
    where = tmp_path / "ledger.db"
    where.write_bytes(b"")
    if content:
        rows(where, "PRAGMA journal_mode=WAL")
    with Ledger(where, read_only=True) as reader:
        assert reader.described() == []
    with Ledger(where) as ledger:
        ask(ledger, KEY)
        assert len(ledger.described()) == 1


@pytest.mark.parametrize("writable", [True, False])
def test_a_reader_changes_nothing_even_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    where = tmp_path / "a ledger?.db"
    with Ledger(where) as ledger:
        ask(ledger, KEY)
    before = where.read_bytes()
    monkeypatch.setattr(os, "access", lambda *_: writable)
    with Ledger(where, read_only=True) as reader:
        assert reader.answers([KEY]) == {KEY: ANSWER}
        assert len(reader.described()) == 1
        with pytest.raises(LedgerUnusable, match="readonly"):
            reader.add(LLM, [(HEAD, "0", {})])
    assert where.read_bytes() == before


def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(LedgerUnusable, match="unable to open"),
        Ledger(tmp_path / "absent.db", read_only=True) as reader,
    ):
        reader.count()
    assert list(tmp_path.iterdir()) == []
