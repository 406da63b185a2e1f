"""kill -9 between sending and hearing: the attempt is known, counts as lost, and is made again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from annotator.ledger import process_owner as owner
from annotator.ledger.attempt_results import LOST
from annotator.ledger.claims import LEASE_SECONDS
from annotator.ledger.ledger import Ledger
from tests import PATIENCE
from tests.ledger.others import ANSWER, HEAD, KEY, LLM, Other, ask, key_of, rows

SENDING = """
ledger = Ledger(where)
head = HeadId(0, 0)
for key in given:
    ledger.add("rules", [(head, key, {})])
    assert ledger.claim(key)
    attempt = ledger.begin(key, {})
    if key != given[-1]:
        ledger.record(attempt, AttemptResult("described", {"of": key}))
        ledger.release(key)
say(attempt)
wait()
ledger.record(attempt, AttemptResult("described", {"late": True}))
ledger.close()
"""

LOST_AND_FREE, AT_WORK = (1, True), (0, False)  # how many attempts are lost, whether it is claimed


def test_a_kill_in_flight(where: Path) -> None:
    keys = [key_of(number) for number in range(4)]
    with Other(SENDING, where, keys) as other:
        other.hear()
        other.kill()
    assert len(rows(where, "SELECT * FROM attempts")) == 4
    assert len(rows(where, "SELECT * FROM outcomes")) == 3
    with Ledger(where) as ledger:
        assert [ledger.sweep(), ledger.sweep()] == [1, 0]
        assert ledger.count(LOST) == 1
        assert ledger.answers(keys).keys() == set(keys[:3])
        assert [ledger.claim(key) for key in keys] == [False, False, False, True]
        ledger.record(ledger.begin(keys[3], {}), ANSWER)
        assert ledger.answers(keys)[keys[3]] == ANSWER
    query = "SELECT number, kind FROM attempts JOIN outcomes ON attempt = id WHERE key = ?"
    assert rows(where, query, keys[3]) == [(1, LOST), (2, "described")]


def test_a_kill_that_nobody_has_noticed_yet(where: Path) -> None:
    """A zombie answers to its number, and is at work no more."""
    with Other(SENDING, where, [KEY]) as other, Ledger(where) as ledger:
        other.hear()
        other.kill_unnoticed()
        assert ledger.sweep() == 1
        assert ledger.claim(KEY)


def test_what_another_process_is_at_is_left_to_it(where: Path, ledger: Ledger) -> None:
    with Other(SENDING, where, [KEY]) as other:
        other.hear()
        assert ledger.sweep() == 0
        assert not ledger.claim(KEY)
        other.end()
    assert ledger.sweep() == 0
    assert ledger.answers([KEY])[KEY].content == {"late": True}
    assert not ledger.claim(KEY), "it was answered meanwhile"


def test_what_another_process_left_is_taken_up(where: Path, ledger: Ledger) -> None:
    """It ended by itself, without a word to the ledger."""
    with Other(SENDING.partition("wait()")[0] + "wait()", where, [KEY]) as other:
        other.hear()
        assert (ledger.sweep(), ledger.claim(KEY)) == AT_WORK
        other.end()
    assert (ledger.sweep(), ledger.claim(KEY)) == LOST_AND_FREE


def test_an_interrupted_run_in_the_same_process(where: Path) -> None:
    """As in a notebook: the run was stopped, its ledger closed, and the cell is run again."""
    with Ledger(where) as first:
        ask(first, KEY, None)
        assert first.claim(KEY)
        assert first.claim(KEY)
        with Ledger(where) as second:
            assert second.sweep() == 0
            assert not second.claim(KEY)
            second.release(KEY)
            assert not second.claim(KEY), "it was not its own to release"
    with Ledger(where) as third:
        assert third.sweep() == 1
        assert third.claim(KEY)


def test_a_claim_is_let_go(where: Path, ledger: Ledger) -> None:
    ledger.add(LLM, [(HEAD, KEY, {})])
    with Ledger(where) as other:
        assert ledger.claim(KEY)
        assert not other.claim(KEY)
        ledger.release(KEY)
        assert other.claim(KEY)
        assert not ledger.claim(KEY)


def left_by(where: Path, ledger: Ledger, name: str, age: float = 0) -> tuple[int, bool]:
    """How an attempt and a claim of that owner are taken: as lost, as free."""
    ledger.add(LLM, [(HEAD, KEY, {})])
    at, until = time.time() - age, time.time() - age + LEASE_SECONDS
    rows(where, "INSERT INTO claims VALUES (?, ?, ?)", KEY, name, until)
    statement = (
        "INSERT INTO attempts (key, number, parameters, owner, at) VALUES (?, 1, '{}', ?, ?)"
    )
    rows(where, statement, KEY, name, at)
    return ledger.sweep(), ledger.claim(KEY)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("{place}:{parent}:{start}:1", AT_WORK),
        ("{place}:{parent}:123:1", LOST_AND_FREE),  # the number was given to a later process
        ("{place}:{parent}::1", AT_WORK),  # written where starts are not told
        ("{place}:{this}:{own}:999999", LOST_AND_FREE),  # no ledger of ours is open under it
        ("{place}:{this}:123:1", LOST_AND_FREE),
        ("{place}:99999999:123:1", LOST_AND_FREE),
        ("another:{boot}:{space}:{parent}:123:1", AT_WORK),
        ("{host}:another boot:{space}:{parent}:123:1", AT_WORK),
        ("{host}:{boot}:1:{parent}:123:1", AT_WORK),
        ("{host}:{parent}:123:1", AT_WORK),  # as it was written before boot and namespace were
        ("2001:db8::1:{parent}:123:1", AT_WORK),
    ],
)
def test_who_is_at_work(where: Path, ledger: Ledger, name: str, taken: tuple[int, bool]) -> None:
    numbers = {"this": os.getpid(), "parent": os.getppid()}
    places = dict(zip(("host", "boot", "space"), owner._place().rsplit(":", 2), strict=True))
    starts = {"start": owner._start_of(os.getppid()), "own": owner._start_of(os.getpid())}
    named = name.format(place=owner._place(), **places, **numbers, **starts)
    assert left_by(where, ledger, named) == taken


def test_another_machine_is_given_its_time(where: Path, ledger: Ledger) -> None:
    assert left_by(where, ledger, "another:1:1:1", LEASE_SECONDS + 1) == LOST_AND_FREE


def test_a_claim_ends_by_itself(where: Path, ledger: Ledger) -> None:
    before = time.time()
    assert ledger.claim(KEY)
    ((until,),) = rows(where, "SELECT until FROM claims")
    assert before <= until - LEASE_SECONDS <= time.time()


class Untold(psutil.Process):
    """A process as a system shows it that does not tell much."""

    def status(self) -> str:
        raise psutil.AccessDenied(self.pid)


def hidden(process: int) -> None:
    """As where /proc is mounted so that it hides the processes of others."""
    raise psutil.NoSuchProcess(process)


@pytest.mark.parametrize("seen", [Untold, hidden], ids=["untold", "hidden"])
def test_a_process_that_is_not_told_of_may_be_at_work(
    where: Path, ledger: Ledger, seen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "Process", seen)
    with Other(SENDING, where, [KEY]) as other:
        other.hear()
        assert (ledger.sweep(), ledger.claim(KEY)) == AT_WORK
        other.kill()
        other.process.wait()
    assert (ledger.sweep(), ledger.claim(KEY)) == LOST_AND_FREE


def test_a_process_of_another_user_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(psutil, "Process", hidden)
    monkeypatch.setattr(owner.os, "kill", refused)
    assert owner.at_work(f"{owner._place()}:1:123:1", 0.0)


def test_where_there_is_no_proc_the_clock_tells_processes_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(psutil, "LINUX", False)
    parent = f"{owner._place()}:{os.getppid()}"
    start = round(psutil.Process(os.getppid()).create_time())
    assert owner.at_work(f"{parent}:{start}:1", 0.0)
    assert not owner.at_work(f"{parent}:{start - 60}:1", 0.0)


def test_one_who_has_ended_and_was_not_waited_for_is_not_at_work() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + PATIENCE
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert owner._start_of(process.pid) is None
    process.wait()
