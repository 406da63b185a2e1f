"""A ledger of an older version is read and brought up whole; one of a newer is left alone."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from annotator.errors import LedgerUnusable
from annotator.ledger import migrations as versions
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.ledger.migrations import APPLICATION, FIRST_VERSION, LEDGER_VERSION, STEPS
from annotator.records import Describer, HeadId
from tests.before.files import again, version_2
from tests.judge.made import item, judgment
from tests.ledger.others import ANSWER, KEY, Other, ask, rows

OPENING = """
say("ready")
wait()
with Ledger(where) as ledger:
    say([len(ledger.described()), ledger.count()])
"""
# As after kill -9: nothing of ours runs any more once so many statements were made.
DYING = """
import os, signal
from sqlalchemy import Engine, event

def count(connection, cursor, statement, *_):
    given[0] -= not statement.startswith(("BEGIN", "PRAGMA journal", "SELECT"))
    if given[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", count)
with Ledger(where):
    pass
"""
KEPT = ("requests", "attempts", "claims", "projects", "judgments")
OUTCOMES = "attempt, kind, content, reply, tokens_in, tokens_out, seconds, final, at"
STUDIES = ("items", "projects", "judgments")


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """A ledger of version 1."""
    return again(tmp_path / "catalog") / "ledger.db"


def content(where: Path) -> list[object]:
    """Every row of the tables that are as they were, and the first columns of the others."""
    kept = [rows(where, f"SELECT * FROM {table}") for table in KEPT]
    apart = rows(where, "SELECT name FROM sqlite_master WHERE name = 'describers'")
    who = "(SELECT llm FROM describers WHERE number = describer)" if apart else "llm"
    return [
        *kept,
        rows(where, f"SELECT number, layer, head, {who}, key FROM heads ORDER BY number"),
        rows(where, f"SELECT {OUTCOMES} FROM outcomes ORDER BY attempt"),
        rows(where, "SELECT number, id, layer, head, llm, status, key FROM items"),
    ]


def stamp(where: Path) -> tuple[int, int]:
    (application,) = rows(where, "PRAGMA application_id")[0]
    (version,) = rows(where, "PRAGMA user_version")[0]
    return application, version


def form(where: Path) -> dict[str, object]:
    """What a database is made of, however it was put into words."""
    names = [name for (name,) in rows(where, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, object] = {}
    for name in names:
        indexes = rows(where, f"PRAGMA index_list({name})")
        found[name] = (
            rows(where, f"PRAGMA table_info({name})"),
            rows(where, f"PRAGMA foreign_key_list({name})"),
            sorted((i[2], rows(where, f"PRAGMA index_info({i[1]})")) for i in indexes),
            sorted(rows(where, "SELECT sql FROM sqlite_master WHERE type = 'trigger' "
                        "AND tbl_name = ?", name)),
        )  # fmt: skip
    return found


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


def test_the_first_writer_brings_it_up(where: Path, tmp_path: Path) -> None:
    before = content(where)
    assert stamp(where) == (0, 0)
    with Ledger(where) as ledger:
        ask(ledger, KEY)
    with Ledger(tmp_path / "new.db"):
        pass
    assert stamp(where) == stamp(tmp_path / "new.db") == (APPLICATION, LEDGER_VERSION)
    assert form(where) == form(tmp_path / "new.db")
    after = content(where)
    for old, new in zip(before, after, strict=True):
        assert new[: len(old)] == old
    assert rows(where, "PRAGMA integrity_check") == [("ok",)]
    assert rows(where, "PRAGMA foreign_key_check") == []
    assert len(rows(where, "SELECT DISTINCT template FROM describers WHERE template != ''")) == 2
    described = (
        "SELECT COUNT(*) FROM items JOIN describers USING (template, name, llm) "
        "JOIN heads ON describer = describers.number AND heads.key = items.key"
    )
    assert rows(where, described) == [(6,)]
    written_off = rows(where, "SELECT kind, written_off FROM outcomes GROUP BY kind, written_off")
    assert [kind for kind, off in written_off if off] == ["lost"]
    assert "lost" not in [kind for kind, off in written_off if not off]
    assert rows(where, "SELECT DISTINCT kind FROM items") == [("real",)]


def test_one_of_the_version_between_comes_to_the_same(where: Path, tmp_path: Path) -> None:
    second = version_2(tmp_path / "second.db")
    assert stamp(second) == (APPLICATION, 2)
    before = content(second)
    with Ledger(second, read_only=True) as ledger:
        read = ledger.described(superseded=True)
    for file in (where, second):
        with Ledger(file) as ledger:
            assert ledger.described(superseded=True) == read
            assert len(Judgments(ledger).all()) == 12
        assert stamp(file) == (APPLICATION, LEDGER_VERSION)
    assert content(second) == content(where) == before
    assert form(second) == form(where)
    for table in ("requests", "describers", "heads", "attempts", "outcomes", "items", "judgments"):
        everything = f"SELECT * FROM {table}"
        assert rows(second, everything) == rows(where, everything)


@pytest.mark.parametrize("writable", [True, False])
def test_a_reader_reads_a_copy(
    where: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    before = where.read_bytes(), where.stat().st_mtime_ns
    monkeypatch.setattr(os, "access", lambda *_: writable)
    with Ledger(where, read_only=True) as ledger:
        strong = [one for one in ledger.described() if one.who.llm == "openai:strong"]
        assert [str(one.head) for one in strong].count("L0H0") == 2, "beside each other"
        judgments = Judgments(ledger)
        assert (len(judgments.shown()), len(judgments.all())) == (6, 12)
        copy = Path(str(ledger._engine.url.database).removeprefix("file:"))
        assert copy.parent != where.parent
        with pytest.raises(LedgerUnusable, match="readonly"):
            judgments.add_items([item()])
    assert not copy.parent.exists()
    assert (where.read_bytes(), where.stat().st_mtime_ns) == before


def test_a_reader_sees_what_is_not_folded_in(where: Path, tmp_path: Path) -> None:
    """After kill -9 the newest answers are in the -wal file alone."""
    rows(where, "PRAGMA wal_autocheckpoint = 0")
    code = """
import sqlite3
connection = sqlite3.connect(where, isolation_level=None)
connection.execute("INSERT INTO requests VALUES ('k', '{}', 0)")
say("written")
wait()
"""
    with Other(code, where) as other:
        other.hear()
        other.kill()
    with Ledger(where, read_only=True) as ledger, ledger.reading() as connection:
        query = "SELECT COUNT(*) FROM requests WHERE key = 'k'"
        assert connection.exec_driver_sql(query).scalar_one() == 1


@pytest.mark.parametrize("after", [0, 3, 9, 17, 20, 26, 34, 40, 46, 52])
def test_killed_on_the_way_it_is_what_a_step_left(where: Path, after: int) -> None:
    before = content(where), form(where)
    with Other(DYING, where, [after]) as other:
        assert other.process.wait(timeout=60) == -9
    assert stamp(where) in {(0, 0), (APPLICATION, 2)}
    assert content(where) == before[0]
    assert form(where) == before[1] or stamp(where) != (0, 0)
    with Ledger(where) as ledger:
        assert ledger.count() == 19
    assert stamp(where) == (APPLICATION, LEDGER_VERSION)
    assert content(where) == before[0]


def test_two_who_open_it_at_once(where: Path) -> None:
    before = content(where)
    with ExitStack() as stack:
        others = [stack.enter_context(Other(OPENING, where)) for _ in range(2)]
        assert [other.hear() for other in others] == ["ready"] * 2
        for other in others:
            other.go_on()
        first, second = [other.hear() for other in others]
        assert first == second
        assert [other.process.wait(timeout=60) for other in others] == [0, 0]
    assert content(where) == before
    assert stamp(where) == (APPLICATION, LEDGER_VERSION)


@pytest.mark.parametrize("missing", [STUDIES, ()])
def test_a_ledger_of_before_there_were_studies(where: Path, missing: tuple[str, ...]) -> None:
    for table in missing:
        rows(where, f"DROP TABLE {table}")
    for read_only in (True, False, True):
        with Ledger(where, read_only=read_only) as ledger:
            assert len(Judgments(ledger).all()) == (0 if missing else 12)
            assert len(ledger.described()) == 13
    with Ledger(where) as ledger:
        Judgments(ledger).add_items([item()])
        Judgments(ledger).record([(judgment(item()), {})])


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("application", "version", "why"),
    [
        (
            APPLICATION,
            LEDGER_VERSION + 1,
            f"it is of version {LEDGER_VERSION + 1}, and this annotator knows",
        ),
        (12345, 1, "it is a database of something else"),
        (0, 7, "it is a database of something else"),
    ],
)
def test_what_is_not_ours_to_read_is_left_alone(
    where: Path, application: int, version: int, why: str, read_only: bool
) -> None:
    rows(where, f"PRAGMA application_id = {application}")
    rows(where, f"PRAGMA user_version = {version}")
    before = files(where.parent)
    with pytest.raises(LedgerUnusable, match=why) as caught:
        Ledger(where, read_only=read_only)
    assert "Nothing that it holds was changed" in str(caught.value)
    assert files(where.parent) == before


def test_a_newer_version_that_is_not_folded_in_is_left_alone(where: Path) -> None:
    """A newer annotator was killed: the number is in the -wal file alone."""
    code = f"""
import sqlite3
connection = sqlite3.connect(where, isolation_level=None)
connection.execute("PRAGMA application_id = {APPLICATION}")
connection.execute("PRAGMA user_version = {LEDGER_VERSION + 1}")
say("written")
wait()
"""
    with Other(code, where) as other:
        other.hear()
        other.kill()
    before = where.read_bytes(), where.with_name("ledger.db-wal").read_bytes()
    for read_only in (True, False):
        with pytest.raises(LedgerUnusable, match=f"it is of version {LEDGER_VERSION + 1}"):
            Ledger(where, read_only=read_only)
    assert (where.read_bytes(), where.with_name("ledger.db-wal").read_bytes()) == before


def test_a_version_between(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are taken in order, each with its number."""
    monkeypatch.setattr(versions, "LEDGER_VERSION", LEDGER_VERSION + 2)
    later = {
        LEDGER_VERSION: ["CREATE TABLE notes (text TEXT)"],
        LEDGER_VERSION + 1: ["INSERT INTO notes VALUES ('made')", "ALTER TABLE notes ADD COLUMN n"],
    }
    monkeypatch.setattr(versions, "STEPS", {**STEPS, **later})
    with Ledger(where) as ledger:
        assert len(ledger.described()) == 13
    assert rows(where, "SELECT * FROM notes") == [("made", None)]
    assert stamp(where) == (APPLICATION, LEDGER_VERSION + 2)


def test_a_step_is_never_changed() -> None:
    """A change to the tables is a new step: files of any version may be anywhere."""
    assert list(STEPS) == list(range(FIRST_VERSION, LEDGER_VERSION))
    digests = {n: hashlib.sha256("\n".join(step).encode()).hexdigest() for n, step in STEPS.items()}
    assert digests == {
        1: "f3b0365645168b8730ca4f5a6376ca34420d0aab13342e6e6196d74494b100f6",
        2: "5ebfe91a6c6082eb9a58b135858ef47ee60f24c46b804974c73492be3fb03cb0",
    }


def test_describers_of_an_older_ledger(where: Path) -> None:
    with Ledger(where, read_only=True) as ledger:
        found = ledger.describers()
        assert [one.llm for one in found] == [
            "openai:strong",
            "anthropic:other",
            "rules",
            "openai:strong",
            "openai:strong@http://10.1.2.3:8080/v1",
        ]
        assert found[0].template == found[1].template != found[3].template
        assert found[2] == Describer("rules", "")
        same = [one for one in ledger.described() if one.head == HeadId(0, 1)]
        assert [one.came.content["pattern"] for one in same] == ["what they share"] * 3
        assert ledger.answers([one.key for one in same]).keys() == {one.key for one in same}
        assert ANSWER not in ledger.answers([same[0].key]).values()
