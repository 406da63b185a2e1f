"""A backup is a ledger that holds all that was there, or there is none and nothing is left."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.errors import BackupFailed, LedgerMissing, LedgerUnusable
from annotator.ledger import backup as copying
from annotator.ledger.backup import back_up
from annotator.ledger.check import LedgerContents, check
from annotator.ledger.ledger import Ledger
from annotator.ledger.migrations import APPLICATION, LEDGER_VERSION
from tests import PATIENCE
from tests.before.files import again
from tests.ledger import lockless
from tests.ledger.others import ANSWER, KEY, Other, ask, key_of, rows
from tests.ledger.test_check import ASKING, damaged, files

# It writes until it is told to end, and says what was recorded by then.
WRITING = """
import threading
from tests.ledger.others import ask, key_of

told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), told.set())).start()
count = 0
with Ledger(where) as ledger:
    while not told.is_set():
        ask(ledger, key_of(10_000 + count))
        count += 1
        if count == 20:
            say("at work")
say(count)
"""
FULL = """
import resource, signal
from annotator.errors import BackupFailed
from annotator.ledger.backup import back_up

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    back_up(where, Path(given), lambda *_: None)
except BackupFailed as error:
    say(str(error))
"""
SLOWLY = """
from annotator.ledger import backup
from annotator.ledger.backup import back_up

backup._PAGES = 1

def watch(done, pages):
    say([done, pages])
    wait()

try:
    back_up(where, Path(given), watch)
except KeyboardInterrupt:
    say("stopped")
"""
TO_A_DISK_WITHOUT_LOCKS = """
import os
from annotator.ledger.backup import back_up
from tests.ledger import lockless

os.access = lambda *_: False  # the ledger can be read without locks; it is the other disk's turn
lockless.refuse_locks()
say(back_up(where, Path(given), lambda *_: None).rows["requests"])
"""


def silent(*_: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a hundred answers."""
    folder = tmp_path_factory.mktemp("made") / "catalog"
    folder.mkdir()
    (folder / "catalog.json").write_text("{}")
    with Ledger(folder / "ledger.db") as ledger:
        for number in range(100):
            ask(ledger, key_of(number))
    return folder


@pytest.fixture
def where(made: Path, tmp_path: Path) -> Path:
    """That ledger, to write in."""
    return shutil.copytree(made, tmp_path / "catalog") / "ledger.db"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Where it goes: a folder of its own, in which nothing else may be left."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "ledger ü%?#.db"


def refused(where: Path, into: Path, *, force: bool = False) -> BackupFailed:
    """Why there is none; nothing is written."""
    before = files(where.parent), files(into.parent) if into.parent.is_dir() else None
    with pytest.raises(BackupFailed) as caught:
        back_up(where, into, silent, force=force)
    after = files(where.parent), files(into.parent) if into.parent.is_dir() else None
    assert after == before
    assert str(caught.value).startswith(f"no backup was written to {into}: ")
    return caught.value


def test_it_is_a_ledger(where: Path, into: Path) -> None:
    before = files(where.parent)
    found = back_up(where, into, silent)
    assert files(where.parent) == before
    assert [path.name for path in into.parent.iterdir()] == [into.name]
    assert found == check(where).contents == check(into).contents
    assert (found.version, found.rows["outcomes"]) == (LEDGER_VERSION, 100)
    with Ledger(into) as ledger:
        assert ledger.answers([KEY]) == {KEY: ANSWER}
        ask(ledger, key_of(100))
        assert ledger.count() == 101
    assert check(where).contents == found


def test_it_can_be_read_by_whoever_may_read_others(where: Path, into: Path) -> None:
    back_up(where, into, silent)
    plain = into.with_name("plain")
    plain.touch()
    assert into.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("killed", [True, False])
def test_answers_that_are_in_the_wal_alone(where: Path, into: Path, killed: bool) -> None:
    with Other(ASKING, where) as other:
        other.hear()
        if killed:
            other.kill()
        before = where.read_bytes(), where.with_name("ledger.db-wal").read_bytes()
        assert before[1]
        back_up(where, into, silent)
        assert (where.read_bytes(), where.with_name("ledger.db-wal").read_bytes()) == before
    assert rows(into, "SELECT count(*) FROM outcomes") == [(139,)]


def test_while_another_process_writes(
    where: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_PAGES", 2)
    with Other(WRITING, where) as other:
        assert other.hear() == "at work"
        steps: list[int] = []

        def watch(done: int, pages: int) -> None:
            steps.append(done)
            if done == pages:
                other.go_on()
                steps.append(other.hear())

        found = back_up(where, into, watch)
        assert other.process.wait(timeout=PATIENCE) == 0
    *_, written = steps
    assert steps[:-1] == sorted(steps[:-1]), "it was never begun again"
    assert len(steps) > 10
    assert 120 <= found.rows["outcomes"] <= 100 + written
    assert found.rows["attempts"] - found.in_flight == found.rows["outcomes"]
    assert check(into).problems == ()
    assert rows(where, "SELECT count(*) FROM outcomes") == [(100 + written,)]


def test_a_full_disk(where: Path, into: Path) -> None:
    with Other(FULL, where, str(into)) as other:
        message = other.hear()
        assert other.process.wait(timeout=PATIENCE) == 0
    assert message.startswith(f"no backup was written to {into}: d")  # disk full, or an I/O error
    assert message.endswith(". Make room, or choose another place.")
    assert list(into.parent.iterdir()) == []


def test_a_missing_folder(where: Path, tmp_path: Path) -> None:
    why = refused(where, tmp_path / "not" / "mounted" / "ledger.db")
    assert why.reason == f"there is no folder {tmp_path}/not/mounted"
    assert not (tmp_path / "not").exists()


def test_what_is_there_is_replaced_by_force_alone(where: Path, into: Path) -> None:
    into.write_bytes(b"something else")
    why = refused(where, into)
    assert (why.reason, why.remedy) == (
        "it exists",
        "Name another file, or replace it with --force",
    )
    back_up(where, into, silent, force=True)
    assert check(into).problems == ()
    assert [path.name for path in into.parent.iterdir()] == [into.name]


@pytest.mark.parametrize("force", [True, False])
def test_where_none_can_be(where: Path, into: Path, force: bool) -> None:
    assert refused(where, where, force=force).reason == "it is the ledger itself"
    into.symlink_to(where)
    assert refused(where, into, force=force).reason == "it is the ledger itself"
    assert refused(where, into.parent, force=force).reason == "it is a folder"


@pytest.mark.parametrize("end", ["-wal", "-journal"])
@pytest.mark.parametrize("there", [True, False])
def test_what_another_database_left_would_be_read_into_it(
    where: Path, into: Path, end: str, there: bool
) -> None:
    into.with_name(into.name + end).write_bytes(b"changes to another database")
    if there:
        into.write_bytes(b"another database")
    why = refused(where, into, force=True)
    assert why.reason == f"{into.name}{end} is there, which SQLite would take for a part of it"
    into.with_name(into.name + end).write_bytes(b"")  # as readers leave it, with nothing to read
    back_up(where, into, silent, force=True)
    assert check(into).problems == ()


def test_none(tmp_path: Path, into: Path) -> None:
    with pytest.raises(LedgerMissing):
        back_up(tmp_path / "ledger.db", into, silent)
    assert list(into.parent.iterdir()) == []


def test_an_older_ledger_is_backed_up_as_it_is(tmp_path: Path, into: Path) -> None:
    where = again(tmp_path / "catalog") / "ledger.db"
    found = back_up(where, into, silent)
    assert found.version == 1
    assert rows(into, "PRAGMA application_id") + rows(into, "PRAGMA user_version") == [(0,), (0,)]
    for table in ("requests", "heads", "outcomes", "items", "judgments"):
        assert rows(into, f"SELECT * FROM {table}") == rows(where, f"SELECT * FROM {table}")
    with Ledger(into) as ledger:
        assert ledger.count() == 19


@pytest.mark.parametrize("content", [b"", "no tables"])
def test_a_ledger_that_holds_nothing_yet(tmp_path: Path, into: Path, content: bytes | str) -> None:
    (tmp_path / "ledger.db").write_bytes(b"")
    if content:
        rows(tmp_path / "ledger.db", "PRAGMA journal_mode=WAL")
    assert back_up(tmp_path / "ledger.db", into, silent) == LedgerContents(0, {}, {}, 0)
    with Ledger(into) as ledger:
        assert ledger.count() == 0


def garbled(where: Path) -> None:
    where.write_bytes(b"# notes\n" * 1000)


def cut(where: Path) -> None:
    where.write_bytes(where.read_bytes()[:20_000])


def newer(where: Path) -> None:
    damaged(where, f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {99}")


@pytest.mark.parametrize(
    ("done", "why"),
    [(garbled, "file is not a database"), (cut, "malformed"), (newer, "it is of version 99")],
)
def test_what_is_no_ledger(where: Path, into: Path, done: Callable[[Path], None], why: str) -> None:
    done(where)
    before = files(where.parent)
    with pytest.raises(LedgerUnusable, match=why):
        back_up(where, into, silent)
    assert files(where.parent) == before
    assert list(into.parent.iterdir()) == []


def test_a_damaged_ledger_gives_no_backup(where: Path, into: Path) -> None:
    (root,) = rows(where, "SELECT rootpage FROM sqlite_master WHERE name = 'outcomes'")[0]
    with where.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 4096)
    why = refused(where, into)
    assert why.reason == "the copy is damaged (outcomes: database disk image is malformed)"
    assert "annotator ledger check" in why.remedy


def test_ctrl_c_leaves_nothing(where: Path, into: Path) -> None:
    with Other(SLOWLY, where, str(into)) as other:
        done, pages = other.hear()
        assert 0 < done < pages
        assert len(list(into.parent.iterdir())) == 1
        other.process.send_signal(signal.SIGINT)
        assert other.hear() == "stopped"
        assert other.process.wait(timeout=PATIENCE) == 0
    assert list(into.parent.iterdir()) == []


@pytest.mark.skipif(not lockless.CAN, reason="it takes Linux to refuse a process its locks")
def test_to_a_disk_without_locks(where: Path, into: Path) -> None:
    with Other(TO_A_DISK_WITHOUT_LOCKS, where, str(into)) as other:
        assert other.hear() == 100
        assert other.process.wait(timeout=PATIENCE) == 0
    assert check(into).problems == ()


def test_a_folder_that_cannot_be_synced(
    where: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on some network disks: the backup is there all the same."""
    sync = os.fsync

    def refuse(opened: int) -> None:
        if stat.S_ISDIR(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(opened)

    monkeypatch.setattr(os, "fsync", refuse)
    back_up(where, into, silent)
    assert check(into).problems == ()
