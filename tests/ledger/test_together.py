"""Threads and processes at one ledger: no row is lost, and a request is one's at a time."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.ledger import Ledger
from annotator.records import HeadId
from tests import PATIENCE
from tests.ledger.others import KEY, Other, ask, key_of, rows

KEYS = [key_of(number) for number in range(5)]
EACH = 4

WRITING = """
from concurrent.futures import ThreadPoolExecutor

def work(worker):
    for n in range(given["each"]):
        for key in given["keys"]:
            head = HeadId(given["process"], worker)
            ledger.add("rules", [(head, key, {"of": key})])
            attempt = ledger.begin(key, {"n": n})
            result = AttemptResult("described", {"by": [given["process"], worker, n]})
            ledger.record(attempt, result)
            assert key in ledger.answers([key])

say("ready")
wait()
with Ledger(where) as ledger, ThreadPoolExecutor(given["threads"]) as pool:
    list(pool.map(work, range(given["threads"])))
say("done")
wait()
"""

CLAIMING = """
ledger = Ledger(where)
say("ready")
wait()
say([key for key in given if ledger.claim(key)])
wait()
"""


def check(where: Path, processes: int, threads: int) -> None:
    """Every attempt of every worker is there once, numbered without gaps."""
    total = processes * threads * EACH
    for key in KEYS:
        numbers = rows(where, "SELECT number FROM attempts WHERE key = ? ORDER BY id", key)
        assert numbers == [(number + 1,) for number in range(total)]
    contents = rows(where, "SELECT content FROM outcomes")
    assert set(Counter(contents).values()) == {len(KEYS)}
    assert len(contents) == total * len(KEYS)
    assert len(rows(where, "SELECT * FROM requests")) == len(KEYS)


def test_eight_threads(tmp_path: Path) -> None:
    where = tmp_path / "ledger.db"
    with Ledger(where) as ledger, ThreadPoolExecutor(8) as pool:

        def work(worker: int) -> None:
            for n in range(EACH):
                for key in KEYS:
                    ledger.add("rules", [(HeadId(0, worker), key, {})])
                    attempt = ledger.begin(key, {"n": n})
                    ledger.record(attempt, AttemptResult("described", {"by": [worker, n]}))
                    assert key in ledger.answers([key])

        list(pool.map(work, range(8)))
        assert ledger.count() == ledger.count("described") == 8 * EACH * len(KEYS)
        assert len(ledger.described()) == 8
    check(where, 1, 8)


def test_more_threads_than_connections(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger, ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda number: ask(ledger, key_of(number)), range(64)))
        found = pool.map(lambda number: len(ledger.answers([key_of(number)])), range(64))
        assert sum(found) == 64


def test_two_processes_of_four_threads(tmp_path: Path) -> None:
    """Both make the database, at the same moment."""
    where = tmp_path / "ledger.db"
    given = {"keys": KEYS, "each": EACH, "threads": 4}
    with ExitStack() as stack:
        others = [
            stack.enter_context(Other(WRITING, where, {**given, "process": n})) for n in range(2)
        ]
        for said in ("ready", "done"):
            assert [other.hear() for other in others] == [said, said]
            for other in others:
                other.go_on()
        assert [other.process.wait(timeout=PATIENCE) for other in others] == [0, 0]
    check(where, 2, 4)
    assert rows(where, "PRAGMA integrity_check") == [("ok",)]


def test_each_request_is_claimed_by_one_process(tmp_path: Path) -> None:
    where = tmp_path / "ledger.db"
    keys = [key_of(number) for number in range(50)]
    with ExitStack() as stack:
        others = [stack.enter_context(Other(CLAIMING, where, keys)) for _ in range(3)]
        assert [other.hear() for other in others] == ["ready"] * 3
        for other in others:
            other.go_on()
        claimed = [key for other in others for key in other.hear()]
        assert sorted(claimed) == sorted(keys)
        with Ledger(where) as ledger:
            assert not any(map(ledger.claim, keys))
    with Ledger(where) as ledger:
        assert all(map(ledger.claim, keys))


def test_readers_wait_for_no_writer(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger, Ledger(tmp_path / "ledger.db") as writer:
        ask(ledger, KEY)
        with writer.writing():
            assert KEY in ledger.answers([KEY])
            assert ledger.count() == len(ledger.described()) == 1


@pytest.mark.parametrize("read_only", [True, False])
def test_opening_a_ledger_again_takes_no_locks_from_the_first(
    tmp_path: Path, read_only: bool
) -> None:
    """Without its locks, the next process to close the file would fold the -wal in and delete it,
    and what is written here from then on would be in a file without a name."""
    where = tmp_path / "ledger.db"
    with Ledger(where) as ledger:
        ask(ledger, key_of(0))
        with Ledger(where, read_only=read_only) as again:
            assert again.count() == 1
        for done in (1, 2):
            with Other("with Ledger(where) as ledger: say(ledger.count())", where) as other:
                assert other.hear() == done
                assert other.process.wait(timeout=PATIENCE) == 0
            ask(ledger, key_of(done))
        assert where.with_name("ledger.db-wal").exists()
    assert rows(where, "SELECT count(*) FROM outcomes") == [(3,)]
