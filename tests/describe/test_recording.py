"""Answers that the ledger cannot take: kept beside it, and recorded once it can."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.describe import attempts
from annotator.describe.attempts import Asker
from annotator.describe.gate import Gate
from annotator.errors import LedgerUnusable
from annotator.ledger import sqlite
from annotator.ledger.ledger import Ledger
from annotator.ledger.spill import spills, waiting_beside
from annotator.pipeline.concurrency import Stop, Stopped
from tests.describe.asking import GOOD, Asked, answer
from tests.describe.loopback import Answer as Sent


class Holder:
    """Another program that takes the ledger's lock while a request is under way."""

    def __init__(self, asked: Asked) -> None:
        self.where = Path(asked.ledger.where)
        self._connection = sqlite3.connect(
            self.where, isolation_level=None, check_same_thread=False
        )
        asked.ledger.close()
        asked.ledger = Ledger(self.where)
        asked.ledger.reserve(100_000)
        asked.provider.answer = self.answer
        self.stop = Stop()
        self.stops = False

    def answer(self, sent: object) -> Sent:
        self._connection.execute("BEGIN IMMEDIATE")
        if self.stops:
            self.stop.set()
        return GOOD

    def let_go(self) -> None:
        self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def holder(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Iterator[Holder]:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    one = Holder(asked)
    yield one
    one.close()


def asker(asked: Asked, gate: Gate) -> Asker:
    return Asker(asked.llm, asked.ledger, gate, asked.said.append)


def test_an_answer_is_kept_beside_the_ledger_until_it_takes_it(
    asked: Asked, holder: Holder
) -> None:
    def free(seconds: float) -> None:
        if seconds:
            assert seconds == attempts.RECORD_AGAIN_SECONDS
            assert waiting_beside(holder.where) == 1
            holder.let_go()

    assert asker(asked, Gate("tiny", free)).ask(asked.request) is not None
    assert answer(asked) == "described"
    [said] = asked.said
    assert said.startswith("database is locked: what came back is kept in ")
    asked.ledger.close()
    assert spills(holder.where) == []


def test_told_to_stop_one_leaves_it_there_for_the_next(asked: Asked, holder: Holder) -> None:
    holder.stops = True
    with pytest.raises(LedgerUnusable):
        asker(asked, Gate("tiny", holder.stop.sleep)).ask(asked.request)
    asked.ledger.close()
    holder.let_go()
    assert len(spills(holder.where)) == 1
    asked.ledger = Ledger(holder.where)
    assert answer(asked) == "described"
    assert spills(holder.where) == []
    assert asked.ask() is None, "it is not asked again"


def test_told_to_stop_one_tries_a_last_time(asked: Asked, holder: Holder) -> None:
    """Room was made just before."""

    def stopped(seconds: float) -> None:
        if seconds:
            holder.let_go()
            raise Stopped

    with pytest.raises(Stopped):
        asker(asked, Gate("tiny", stopped)).ask(asked.request)
    assert answer(asked) == "described"


def test_where_another_answer_waits_it_is_kept_at_once_and_nothing_new_is_asked(
    asked: Asked, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    record = asked.ledger.record

    def counted(attempt: int, *came: object) -> None:
        tries.append(waiting_beside(holder.where))
        record(attempt, *came)  # pyright: ignore[reportArgumentType]

    def free(seconds: float) -> None:
        if seconds == attempts.RECORD_AGAIN_SECONDS:
            holder.let_go()

    gate = Gate("tiny", free)
    kept = gate.kept_closed()

    def under_way(sent: object) -> Sent:
        kept.__enter__()  # another worker's answer waits from now on
        return holder.answer(sent)

    monkeypatch.setattr(asked.ledger, "record", counted)
    asked.provider.answer = under_way
    assert asker(asked, gate).ask(asked.request) is not None
    assert tries == [1], "not tried before it was kept"
    with pytest.raises(Stopped):
        asker(asked, Gate("tiny", _stopped, _kept_closed=1)).ask(asked.request)
    kept.__exit__(None, None, None)


def _stopped(_: float) -> None:
    raise Stopped
