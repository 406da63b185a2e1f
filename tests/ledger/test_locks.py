"""A disk that lacks what SQLite needs is named as one; any other is not."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotator.errors import LedgerUnlockable, LedgerUnusable
from annotator.ledger import sqlite
from annotator.ledger.ledger import Ledger
from annotator.ledger.locks import require_locks
from tests import PATIENCE
from tests.ledger import lockless
from tests.ledger.others import ANSWER, KEY, Other, ask

HOLDING = """
import fcntl, pathlib
held = pathlib.Path(given).open("r+b")
fcntl.lockf(held, fcntl.LOCK_EX)
say("held")
wait()
"""

# SQLite itself would wait for a minute, and then say that the database is locked.
WITHOUT = """
import time
from annotator.errors import LedgerUnlockable
from annotator.ledger import sqlite
from tests.ledger import lockless

with Ledger(where):
    pass
lockless.refuse_locks()
for read_only in (True, False):
    started = time.monotonic()
    try:
        Ledger(where, read_only=read_only)
    except LedgerUnlockable as error:
        say([error.reason, time.monotonic() - started])
"""
WRITING = """
import sqlite3
connection = sqlite3.connect(where, timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    say(str(error))
"""


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """A ledger with one answer, beside what lies beside every ledger."""
    (tmp_path / "catalog.json").write_text("{}")
    with Ledger(tmp_path / "ledger.db") as ledger:
        ask(ledger, KEY)
    return tmp_path / "ledger.db"


def raising(number: int) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    "number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.ETIMEDOUT, errno.EPERM]
)
def test_a_disk_without_locks(
    where: Path, monkeypatch: pytest.MonkeyPatch, number: int, read_only: bool
) -> None:
    before = {path.name: path.read_bytes() for path in where.parent.iterdir()}
    monkeypatch.setattr(fcntl, "lockf", raising(number))
    with pytest.raises(LedgerUnlockable) as caught:
        Ledger(where, read_only=read_only)
    assert isinstance(caught.value, LedgerUnusable)
    assert str(caught.value) == (
        f"the ledger {where} cannot be used: its disk has no file locks ({os.strerror(number)}), "
        "which SQLite needs. Nothing that it holds was changed. It may be a network's: copy the "
        "catalog to a local disk and use it there; then run the same command again."
    )
    assert {path.name: path.read_bytes() for path in where.parent.iterdir()} == before


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("number", [errno.ENODEV, errno.EINVAL])
def test_a_disk_without_shared_memory(
    where: Path, monkeypatch: pytest.MonkeyPatch, number: int, read_only: bool
) -> None:
    monkeypatch.setattr(mmap, "mmap", raising(number))
    with pytest.raises(LedgerUnlockable, match="no shared memory in files"):
        Ledger(where, read_only=read_only)


@pytest.mark.skipif(not lockless.CAN, reason="it takes Linux to refuse a process its locks")
def test_where_the_kernel_gives_none(where: Path) -> None:
    with Other(WITHOUT, where) as other:
        for _ in range(2):
            reason, seconds = other.hear()
            assert reason == f"file locks ({os.strerror(errno.ENOLCK)})"
            assert seconds < sqlite.BUSY_SECONDS / 2
        assert other.process.wait(timeout=PATIENCE) == 0


@pytest.mark.parametrize("read_only", [True, False])
def test_a_lock_that_somebody_holds_is_a_lock(where: Path, read_only: bool) -> None:
    beside = where.with_name("catalog.json")
    with Other(HOLDING, where, str(beside)) as other:
        other.hear()
        with pytest.raises(BlockingIOError), beside.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with Ledger(where, read_only=read_only) as ledger:
            assert ledger.answers([KEY]) == {KEY: ANSWER}
        other.end()


@pytest.mark.parametrize("read_only", [True, False])
def test_asking_takes_no_lock_from_an_open_ledger(where: Path, read_only: bool) -> None:
    with Ledger(where) as ledger, ledger.writing():
        require_locks(where, read_only=read_only)
        with Other(WRITING, where) as other:
            assert other.hear() == "database is locked"
            assert other.process.wait(timeout=PATIENCE) == 0


@pytest.mark.parametrize("read_only", [True, False])
def test_asking_leaves_nothing(where: Path, read_only: bool) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in where.parent.iterdir()}
    require_locks(where, read_only=read_only)
    assert {path.name: path.stat().st_mtime_ns for path in where.parent.iterdir()} == before


def test_what_stands_still_is_read_without_locks(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "lockf", raising(errno.ENOLCK))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with Ledger(where, read_only=True) as ledger:
        assert ledger.answers([KEY]) == {KEY: ANSWER}


@pytest.mark.parametrize("beside", [None, ""])
def test_where_there_is_nothing_to_ask_nothing_is_said(tmp_path: Path, beside: str | None) -> None:
    if beside is not None:
        (tmp_path / "empty.json").write_text(beside)
    require_locks(tmp_path / "ledger.db", read_only=True)
    require_locks(tmp_path / "nowhere" / "ledger.db")
