"""Several requests under way at once, and a way out that loses no answer.

On Ctrl-C nothing new is sent; what is under way is waited for, because it is paid for already. A
second Ctrl-C leaves at once: what was under way is then asked again by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from annotator.errors import SettingInvalid

Asked = TypeVar("Asked")
Came = TypeVar("Came")
TICK = 0.5
_DONE = object()


class Stopped(Exception):
    """The run ends before a request is sent again."""


class Stop(Event):
    """Set when nothing new is to be sent."""

    def sleep(self, seconds: float) -> None:
        """Wait, unless the run ends.

        Raises:
            Stopped: it does.
        """
        if self.wait(seconds):
            raise Stopped


@contextmanager
def flying(
    ask: Callable[[Asked], Came],
    requests: Iterable[Asked],
    concurrency: int,
    stop: Stop,
    waiting: Callable[[int], None],
) -> Generator[Iterator[Came | None]]:
    """What comes of each request, as it comes; None now and then, while nothing does.

    Args:
        ask: sees one request through; called in several threads. What it raises ends the run.
        requests: what to ask.
        concurrency: how many at once.
        stop: set on the way out, which waits for what is under way.
        waiting: told, where the run ends before its end, how many are waited for.

    Raises:
        SettingInvalid: the system has not so many threads.
    """
    came: SimpleQueue[Any] = SimpleQueue()
    left, turn = iter(requests), Lock()

    def work() -> None:
        while not stop.is_set():
            with turn:
                request = next(left, _DONE)
            if request is _DONE:
                break
            try:
                came.put(ask(request))  # pyright: ignore[reportArgumentType]
            except BaseException as error:  # noqa: BLE001 - raised where the run is
                came.put(error)
                stop.set()
        came.put(_DONE)

    at_work: list[Event] = []  # each is set when its worker has ended
    try:
        for _ in range(concurrency):
            at_work.append(_started(work, concurrency))
        yield _arrivals(came, concurrency)
    except KeyboardInterrupt:
        stop.set()
        _wait(at_work, waiting)
        raise
    except BaseException:
        stop.set()
        try:
            _wait(at_work, waiting)
        except KeyboardInterrupt:  # the first: it waits as well
            _wait(at_work, waiting)
        raise


@contextmanager
def repeating(act: Callable[[], None], seconds: float) -> Generator[None]:
    """Do something again and again until the end of the block, in a thread of its own."""
    over = Event()

    def work() -> None:
        while not over.wait(seconds):
            act()

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _started(work: Callable[[], None], of: int) -> Event:
    """A worker's end. `Thread.join` cannot wait for it: once interrupted, it waits no more."""
    ended = Event()

    def run() -> None:
        try:
            work()
        finally:
            ended.set()

    try:
        # A daemon, for the interpreter would wait for others even after a second Ctrl-C.
        Thread(target=run, daemon=True).start()
    except RuntimeError as error:
        raise SettingInvalid("concurrency", of, "less: the system gives no more threads") from error
    return ended


def _wait(at_work: Sequence[Event], waiting: Callable[[int], None]) -> None:
    """Wait for what is under way, and say for how many."""
    waiting(sum(not ended.is_set() for ended in at_work))
    for ended in at_work:
        ended.wait()


def _arrivals(came: SimpleQueue[Any], workers: int) -> Iterator[Any]:
    while workers:
        try:
            one = came.get(timeout=TICK)
        except Empty:
            one = None
        if isinstance(one, BaseException):
            raise one
        if one is _DONE:
            workers -= 1
        else:
            yield one
