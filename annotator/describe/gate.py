"""One gate for all workers of a run: what a server asks of one holds for all.

A wait that a server names, more than none, closes the gate for everybody. A server that fails alike
twice in a row is asked by one worker at a time, after waits that double, until it answers or the
run ends. All errors of servers (5xx) are alike. Failures of requests that were under way together
count once: there is one cause.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from annotator.describe.outcome import Failed, MaybePaid, Outcome
from annotator.errors import LlmFailed

TOO_MANY_REQUESTS = 429
POLL = 0.05  # seconds between looks at a gate that others keep closed


@dataclass
class Gate:
    """See above. Several threads may use it.

    Args:
        llm: the language model, as messages call it.
        sleep: waits so many seconds, or raises where the run is being stopped.
        equal_failures: ends the run when so many came in a row.
        longest_wait: seconds; a server that asks for a longer wait ends the run.
        clock: seconds, from wherever.
    """

    llm: str
    sleep: Callable[[float], None] = time.sleep
    equal_failures: int = 6
    longest_wait: float = 120.0
    clock: Callable[[], float] = time.monotonic
    _lock: Lock = field(default_factory=Lock)
    _opens: float = 0.0
    _failure: tuple[str, int | None] | None = None
    _in_a_row: int = 0
    _counted: float = 0.0
    _alone: float | None = None  # when the one came in that is let in while the server fails
    _kept_closed: int = 0

    @contextmanager
    def passing(self) -> Generator[Callable[[Outcome], None]]:
        """Wait until a request may be sent; the block sends it, and says what came of it.

        Raises:
            LlmFailed: the server is to be left alone for long, or for good.
        """
        entered = self._enter()
        try:
            yield partial(self._came, entered)
        finally:
            with self._lock:
                if self._alone == entered:
                    self._alone = None

    @property
    def is_kept_closed(self) -> bool:
        """Whether somebody keeps it closed."""
        return self._kept_closed > 0

    def wait_while_kept_closed(self) -> None:
        """Wait until nobody does."""
        while self.is_kept_closed:
            self.sleep(POLL)

    @contextmanager
    def kept_closed(self) -> Generator[None]:
        """Nobody comes in until the end of the block."""
        with self._lock:
            self._kept_closed += 1
        try:
            yield
        finally:
            with self._lock:
                self._kept_closed -= 1

    def _enter(self) -> float:
        self.sleep(0.0)  # not where the run is being stopped
        while True:
            with self._lock:
                now = self.clock()
                wait = self._opens - now
                failing = self._in_a_row > 1
                free = not self._kept_closed and (self._alone is None or not failing)
                if wait <= 0 and free:
                    self._alone = now if failing else None
                    return now
            self.sleep(max(wait, POLL))

    def _came(self, entered: float, outcome: Outcome) -> None:
        after = outcome.after if isinstance(outcome, Failed) else None
        with self._lock:
            now = self.clock()
            self._opens = max(self._opens, now + (after or 0.0))
            if getattr(outcome, "status", None) != TOO_MANY_REQUESTS:
                self._count(entered, now, outcome)
            dead = self._in_a_row >= self.equal_failures
        if isinstance(outcome, Failed | MaybePaid) and dead:
            problem = f"{outcome.problem}, {self.equal_failures} times in a row"
            raise LlmFailed(self.llm, problem)
        if isinstance(outcome, Failed) and after is not None and after > self.longest_wait:
            raise LlmFailed(self.llm, f"{outcome.problem}; it asks to wait {after:.0f} seconds")

    def _count(self, entered: float, now: float, outcome: Outcome) -> None:
        fails = isinstance(outcome, MaybePaid) or (isinstance(outcome, Failed) and outcome.again)
        status = getattr(outcome, "status", None)
        failure = (outcome.kind, status and status // 100 * 100) if fails else None
        if failure != self._failure:
            self._failure, self._in_a_row = failure, 0
        if failure is None or (self._in_a_row and entered < self._counted):
            return
        self._in_a_row, self._counted = self._in_a_row + 1, now
        if self._in_a_row > 1:
            self._opens = max(self._opens, now + 2.0 ** (self._in_a_row - 2))
