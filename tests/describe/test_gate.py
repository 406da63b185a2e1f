"""The gate: waits hold for all, and a server that fails alike again and again is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from annotator.describe.gate import Gate
from annotator.describe.openai import OpenAi
from annotator.describe.outcome import Described, Failed, MaybePaid, Outcome, Refused
from annotator.errors import LlmFailed
from annotator.pipeline.concurrency import Stop, Stopped
from annotator.pipeline.describe import describe_heads
from tests import PATIENCE
from tests.describe.asking import Clock
from tests.describe.loopback import Answer as Sent
from tests.describe.loopback import Asked, Provider, openai_error
from tests.describe.test_run import GOOD, HEADS

BUSY = Failed("busy", status=503, again=True)
DOWN = Failed("no connection", again=True)
SLOW = MaybePaid("no answer within 300 seconds")
SAID = Described("r", "i", "p", "general")


class Passing:
    """A gate, and a clock that moves where somebody waits."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.gate = Gate("tiny", self.clock.sleep, clock=lambda: self.clock.now)

    def send(self, outcome: Outcome, seconds: float = 1.0) -> None:
        with self.gate.passing() as came:
            self.clock.now += seconds
            came(outcome)


@pytest.fixture
def passing() -> Passing:
    return Passing()


@pytest.mark.parametrize("failure", [BUSY, DOWN, SLOW])
def test_equal_failures_in_a_row_end_the_run_after_waits_that_double(
    passing: Passing, failure: Outcome
) -> None:
    for _ in range(5):
        passing.send(failure)
    with pytest.raises(LlmFailed, match="6 times in a row"):
        passing.send(failure)
    assert passing.clock.waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("between", [SAID, Refused("no"), DOWN, Failed("too long", status=400)])
def test_anything_else_between_them_begins_the_count_anew(
    passing: Passing, between: Outcome
) -> None:
    for _ in range(12):
        passing.send(BUSY)
        passing.send(between)
    assert passing.clock.waits == []


def test_too_many_requests_neither_counts_nor_ends_the_count(passing: Passing) -> None:
    full = Failed("slow down", status=429, again=True)
    for _ in range(20):
        passing.send(full)
    for _ in range(5):
        passing.send(BUSY)
        passing.send(full)
    with pytest.raises(LlmFailed, match="busy, 6 times"):
        passing.send(BUSY)


def test_failures_of_what_was_under_way_together_count_once(passing: Passing) -> None:
    for _ in range(5):
        with ExitStack() as stack:
            many = 1 if passing.gate._in_a_row > 1 else 64
            reports = [stack.enter_context(passing.gate.passing()) for _ in range(many)]
            for came in reports:
                passing.clock.now += 0.001
                came(BUSY)
    assert passing.gate._in_a_row == 5


@contextmanager
def waiting(gate: Gate) -> Iterator[list[bool]]:
    """Somebody else who wants to come in."""
    came_in: list[bool] = []

    def come() -> None:
        with gate.passing():
            came_in.append(True)

    thread = Thread(target=come)
    thread.start()
    yield came_in
    thread.join(PATIENCE)
    assert came_in


def failing() -> Gate:
    """A gate at which one is let in at a time, and nobody has to wait for long."""
    gate = Gate("tiny", lambda seconds: sleep(min(seconds, 0.01)))
    for _ in range(2):
        with gate.passing() as came:
            came(BUSY)
    gate._opens = 0.0
    return gate


def test_while_a_server_fails_one_asks_and_the_others_wait() -> None:
    gate = failing()
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        came = first.enter_context(gate.passing())
        second = stack.enter_context(waiting(gate))
        sleep(0.1)
        assert second == []
        came(SAID)
        first.close()


def test_one_who_came_in_and_sent_nothing_keeps_nobody_out() -> None:
    """Another process had taken the request over."""
    gate = failing()
    with pytest.raises(RuntimeError), gate.passing():
        raise RuntimeError
    with waiting(gate):
        pass


def test_nobody_comes_in_while_an_answer_waits_to_be_recorded() -> None:
    gate = Gate("tiny", lambda seconds: sleep(min(seconds, 0.01)))
    with ExitStack() as stack:
        closed = stack.enter_context(ExitStack())
        closed.enter_context(gate.kept_closed())
        second = stack.enter_context(waiting(gate))
        sleep(0.1)
        assert second == []
        closed.close()


def test_a_named_wait_holds_for_all_and_a_longer_one_ends_the_run(passing: Passing) -> None:
    with passing.gate.passing() as early:
        passing.send(Failed("slow down", status=429, again=True, after=7.0))
        early(SAID)
    passing.send(SAID)
    assert passing.clock.waits == [7.0]
    with pytest.raises(LlmFailed, match="it asks to wait 3600 seconds"):
        passing.send(Failed("slow down", status=429, again=True, after=3600.0))


def test_one_who_waits_at_the_gate_is_told_to_stop() -> None:
    stop = Stop()
    gate = Gate("tiny", stop.sleep)
    with gate.passing() as came:
        came(Failed("slow down", status=429, again=True, after=60.0))
    stopped: list[Exception] = []

    def wait() -> None:
        try:
            with gate.passing():
                pass
        except Stopped as error:
            stopped.append(error)

    thread = Thread(target=wait)
    thread.start()
    stop.set()
    thread.join(PATIENCE)
    assert stopped


@pytest.fixture
def llm(provider: Provider) -> Iterator[OpenAi]:
    one = OpenAi("tiny", provider.url + "/v1", "sk-0123456789abcdef")
    yield one
    one.close()


def test_a_dead_server_ends_a_run_after_a_few_sendings(
    catalog: Path, provider: Provider, llm: OpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Stop.sleep
    monkeypatch.setattr(Stop, "sleep", lambda stop, seconds: real(stop, min(seconds, 0.02)))
    monkeypatch.setattr(Gate, "_count", hurried(Gate._count))
    provider.answer = lambda asked: Sent(503, openai_error("overloaded", "server_error"))
    with pytest.raises(LlmFailed, match="HTTP 503: overloaded, 6 times in a row"):
        describe_heads(catalog, llm, progress=False, concurrency=4)
    assert 6 <= len(provider.asked) <= 6 + 4 + 3
    provider.answer = lambda asked: GOOD
    assert describe_heads(catalog, llm, progress=False).kinds == {"described": HEADS}


def hurried(count: Any) -> Any:
    """A count after which nobody has to wait."""

    def counted(gate: Gate, *what: Any) -> None:
        count(gate, *what)
        gate._opens = 0.0

    return counted


def test_a_wait_of_none_is_not_obeyed_back_to_back(
    catalog: Path, provider: Provider, llm: OpenAi
) -> None:
    moments: list[float] = []

    def answer(asked: Asked) -> Sent:
        moments.append(monotonic())
        body = openai_error("slow down", "rate_limit_exceeded")
        return GOOD if len(moments) > 3 else Sent(429, body, {"Retry-After": "0"})

    provider.answer = answer
    told = describe_heads(catalog, llm, heads=["L0H0"], progress=False)
    assert told.kinds == {"described": 1}
    waits = [after - before for before, after in pairwise(moments)]
    assert max(waits) > 0.02, "at random, and longer each time"
