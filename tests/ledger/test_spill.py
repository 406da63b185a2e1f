"""Answers that the database cannot take: kept beside it, read in once, not lost or doubled."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.errors import LedgerUnusable
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.check import check
from annotator.ledger.claims import LEASE_SECONDS
from annotator.ledger.ledger import Ledger
from annotator.ledger.spill import Spill, SpillFull, spills, waiting_beside
from tests.ledger.others import ANSWER, HEAD, KEY, LLM, Other, ask, key_of, rows

ROOM = 50_000
# The disk takes no more than so many bytes a file, as after `ulimit -f`.
FULL = """
import hashlib, resource, signal
from annotator.errors import LedgerUnusable

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Ledger(where) as ledger:
    ledger.reserve(given["room"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (given["limit"], given["limit"]))
    recorded, spilled = [], []
    for number in range(40):
        key = hashlib.sha256(str(number).encode()).hexdigest()
        try:
            ledger.add("rules", [(HeadId(0, number), key, {})])
            attempt = ledger.begin(key, {})
        except LedgerUnusable:
            break  # nothing was sent
        came = AttemptResult("described", {"of": key}, "x" * 500)
        try:
            ledger.record(attempt, came)
            recorded.append(key)
        except LedgerUnusable:
            assert ledger.spill(attempt, came) is not None
            spilled.append(key)
    say([recorded, spilled])
    wait()
"""


def test_the_room_is_there_before_anything_is_sent_and_gone_when_all_is_recorded(
    where: Path,
) -> None:
    with Ledger(where) as ledger:
        ledger.reserve(ROOM)
        [file] = spills(where)
        assert file.stat().st_size == ROOM
        assert file.stat().st_blocks * 512 >= ROOM, "not only promised"
        assert waiting_beside(where) == 0
        ask(ledger, KEY)
    assert spills(where) == []


def test_what_is_put_there_is_read_in_by_the_next_and_not_again(where: Path) -> None:
    with Ledger(where) as ledger:
        ledger.reserve(ROOM)
        assert ledger.spill(ask(ledger, KEY, None), ANSWER) in spills(where)
        with Ledger(where) as beside:
            assert beside.answers([KEY]) == {KEY: ANSWER}
            assert len(spills(where)) == 1, "its maker may still write"
    assert len(spills(where)) == 1
    contents = check(where).contents
    assert contents is not None
    assert contents.waiting == 1
    with Ledger(where) as again:
        assert again.answers([KEY]) == {KEY: ANSWER}
        assert again.count("described") == 1
    assert spills(where) == []


def test_what_is_recorded_after_all_is_not_kept(where: Path) -> None:
    with Ledger(where) as ledger:
        ledger.reserve(ROOM)
        attempt = ask(ledger, KEY, None)
        ledger.spill(attempt, ANSWER)
        ledger.record(attempt, ANSWER)
        ledger.unspill()
    assert spills(where) == []


def test_after_kill_9_what_is_there_is_there(where: Path) -> None:
    code = """
ledger = Ledger(where)
ledger.reserve(given)
ledger.add("rules", [(HeadId(0, 0), "k", {})])
ledger.spill(ledger.begin("k", {}), AttemptResult("described", {"kept": True}))
say("kept")
wait()
"""
    with Other(code, where, ROOM) as other:
        other.hear()
        other.kill()
    assert waiting_beside(where) == 1
    with Ledger(where) as ledger:
        assert ledger.sweep() == 0, "it is no longer in flight"
        assert ledger.answers(["k"])["k"].content == {"kept": True}
    assert spills(where) == []


@pytest.mark.parametrize("cut", [1, 40, 100])
def test_a_line_that_was_cut_by_a_kill_is_none_and_those_before_it_count(
    where: Path, ledger: Ledger, cut: int
) -> None:
    spill = Spill(where, "h:b:1:99999999:1:1", ROOM)
    for number in range(2):
        ask(ledger, key_of(number), None)
        spill.put(key_of(number), 1, ANSWER)
    spill.close()
    whole, _, _ = spill.file.read_bytes().partition(b"\0")
    content = whole[:-cut]
    spill.file.write_bytes(content + bytes(ROOM - len(content)))
    with Ledger(where) as again:
        assert again.answers([key_of(0), key_of(1)]) == {key_of(0): ANSWER}


def test_a_room_that_is_full_says_so_and_keeps_what_it_has(where: Path, ledger: Ledger) -> None:
    spill = Spill(where, ledger.owner, 2000)
    spill.put(KEY, 1, ANSWER)

    def fill() -> None:
        for _ in range(10):
            spill.put(KEY, 2, ANSWER)

    with pytest.raises(SpillFull):
        fill()
    assert waiting_beside(where) == spill.waiting > 1
    assert spill.file.stat().st_size == 2000
    spill.close()


def left_behind(where: Path, *lines: tuple[str, int, AttemptResult]) -> Path:
    """The file of one who was killed."""
    spill = Spill(where, "h:b:1:99999999:1:1", ROOM)
    for line in lines:
        spill.put(*line)
    spill.close()
    old = time.time() - LEASE_SECONDS - 1
    os.utime(spill.file, (old, old))
    return spill.file


def test_what_belongs_to_another_ledger_stays_and_keeps_nothing_else_out(where: Path) -> None:
    """The ledger was put back from a backup: what is of it is taken, the rest is named."""
    with Ledger(where) as ledger:
        ask(ledger, KEY, None)
        ask(ledger, key_of(1), None)
    file = left_behind(where, (key_of(7), 1, ANSWER), (KEY, 1, ANSWER), (key_of(1), 2, ANSWER))
    with Ledger(where) as ledger:
        assert ledger.strange_spills == [file]
        assert ledger.answers([KEY, key_of(1)]) == {KEY: ANSWER}
    assert spills(where) == [file]


@pytest.mark.parametrize(
    "line", [b'{"came": 1}\n', b'{"key": "k", "number": 1, "came": {"kind": "x", "new": 1}}\n']
)
def test_a_line_of_a_later_version_stays(where: Path, line: bytes) -> None:
    with Ledger(where) as ledger:
        ledger.add(LLM, [(HEAD, "k", {})])
        ledger.begin("k", {})
    file = left_behind(where, ("k", 1, ANSWER))
    file.write_bytes(line)
    os.utime(file, (0, 0))
    with Ledger(where) as ledger:
        assert ledger.strange_spills == [file]


def test_a_file_that_cannot_be_read_stays_and_closes_the_ledger_to_nobody(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = left_behind(where, (KEY, 1, ANSWER))

    def closed(*_: object) -> Iterator[object]:
        raise PermissionError

    monkeypatch.setattr("annotator.ledger.spill._lines", closed)
    with Ledger(where) as ledger:
        ask(ledger, KEY)
        assert ledger.strange_spills == [file]
    assert check(where).contents is not None


def test_a_room_in_use_is_not_swept_by_who_cannot_see_its_owner(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(where) as ledger:
        ledger.reserve(ROOM)
        [file] = spills(where)
        os.utime(file, (0, 0))
        ledger.renew()
        with monkeypatch.context() as patch:
            patch.setattr("annotator.ledger.process_owner._place", lambda: "elsewhere::")
            Ledger(where).close()
        assert spills(where) == [file]


def test_what_one_who_died_has_left_there_is_not_asked_for_by_one_at_work(where: Path) -> None:
    """It was killed after the other had opened the ledger."""
    with Ledger(where) as running, Ledger(where) as dying:
        dying.reserve(ROOM)
        attempt = ask(dying, KEY, None)
        assert dying.spill(attempt, ANSWER)
        dying.close()
        assert not running.claim(KEY), "it has its answer"
        assert running.answers([KEY]) == {KEY: ANSWER}
    assert spills(where) == []


def test_an_answer_that_cannot_be_put_there_either_is_told(ledger: Ledger) -> None:
    attempt = ask(ledger, KEY, None)
    assert ledger.spill(attempt, ANSWER) is None, "no room was reserved"
    ledger.reserve(200)
    assert ledger.spill(attempt, ANSWER) is None, "it does not fit"


@pytest.mark.parametrize("pages", range(0, 24, 3))
def test_a_disk_that_is_full_at_any_write_loses_nothing(where: Path, pages: int) -> None:
    """Whatever was sent is on record, in the database or beside it; nothing is asked twice."""
    with Ledger(where) as ledger:
        ask(ledger, KEY)
    size = max(file.stat().st_size for file in where.parent.iterdir())
    limit = size + 4096 * pages
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert signal.getsignal(signal.SIGXFSZ) in (signal.SIG_IGN, signal.SIG_DFL)
    with Other(FULL, where, {"room": ROOM, "limit": limit}) as other:
        recorded, spilled = other.hear()
        other.kill()
    assert len(recorded) + len(spilled) < 40
    with Ledger(where) as ledger:
        ledger.sweep()
        assert ledger.answers([*recorded, *spilled]).keys() == {*recorded, *spilled}
        assert ledger.count("lost") == 0
        assert not any(map(ledger.claim, [*recorded, *spilled]))
    assert rows(where, "PRAGMA integrity_check") == [("ok",)]
    assert spills(where) == []


def test_no_room_is_named_before_anything_is_sent(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        with pytest.raises(LedgerUnusable, match="no 8 MB can be kept free beside it"):
            ledger.reserve(8_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert spills(Path(ledger.where)) == []
