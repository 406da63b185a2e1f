"""Workers: whatever ends a run, what is under way is waited for, and said."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable
from io import StringIO
from threading import Event, Thread, Timer, main_thread
from typing import Any

import pytest

from annotator.errors import SettingInvalid
from annotator.pipeline import progress
from annotator.pipeline.concurrency import Stop, flying, repeating
from tests import PATIENCE


class Run:
    """One request fails at once; the other is under way until it may go on."""

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure
        self.under_way, self.go_on, self.finished = Event(), Event(), Event()
        self.told: list[int] = []

    def ask(self, request: str) -> str:
        if request == "fails":
            assert self.under_way.wait(PATIENCE)
            raise self.failure
        self.under_way.set()
        assert self.go_on.wait(PATIENCE)
        self.finished.set()
        return request

    def run(self, waiting: Callable[[int], Any] | None = None) -> None:
        told = waiting or self.told.append
        with flying(self.ask, ["lasts", "fails"], 2, Stop(), told) as replies:
            list(replies)


@pytest.mark.parametrize("failure", [ValueError("wrong key"), SystemExit(3)])
def test_what_one_worker_fails_at_ends_the_run_and_the_others_are_waited_for(
    failure: BaseException,
) -> None:
    run = Run(failure)
    Timer(0.2, run.go_on.set).start()
    with pytest.raises(type(failure)):
        run.run()
    assert run.finished.is_set()
    assert run.told == [1]


def test_the_first_ctrl_c_waits_even_while_a_failed_run_winds_down() -> None:
    run = Run(ValueError("wrong key"))
    told: list[int] = []

    def waiting(alive: int) -> None:
        told.append(alive)
        if len(told) == 1:
            Timer(0.2, signal.pthread_kill, (main_thread().ident, signal.SIGINT)).start()
        else:
            Timer(0.2, run.go_on.set).start()

    with pytest.raises(ValueError, match="wrong key"):
        run.run(waiting)
    assert run.finished.is_set()
    assert told == [1, 1]


def test_a_system_that_gives_no_more_threads_is_named_and_those_there_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, started = Thread.start, list[Thread]()

    def some(thread: Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(Thread, "start", some)
    with (
        pytest.raises(SettingInvalid, match="concurrency"),
        flying(str, range(100), 5, Stop(), lambda _: None) as replies,
    ):
        list(replies)
    assert not any(thread.is_alive() for thread in started)


def test_it_is_done_again_and_again_until_the_end() -> None:
    done = Event()
    with repeating(done.set, 0.01):
        assert done.wait(PATIENCE)
    done.clear()
    assert not done.wait(0.05)


class Full(StringIO):
    """A file on a disk that is full, as `2> log` makes it."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_cannot_be_said_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    progress.say("a word")
