"""The only code that opens the database: each method is one transaction of what others ask."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy import exc as errors

from annotator.errors import LedgerUnusable
from annotator.ledger import claims, head_answers, sqlite
from annotator.ledger.attempt_results import (
    MAYBE_PAID,
    SETTLED,
    STANDING,
    Attempt,
    AttemptResult,
    recorded,
)
from annotator.ledger.head_answers import HeadAnswer
from annotator.ledger.inserting import insert_new, record
from annotator.ledger.location import open_engine, unusable
from annotator.ledger.process_owner import enter, leave
from annotator.ledger.spill import Spill, take_in
from annotator.ledger.tables import ATTEMPTS, OUTCOMES, REQUESTS
from annotator.records import Describer, HeadId

_KEYS_AT_ONCE = 500
_UNUSABLE = (errors.DBAPIError, errors.TimeoutError, sqlite3.Error)


class Ledger:
    """Requests, attempts and outcomes of one catalog. Threads may share it; close it at the end.

    Args:
        where: the database file, made where it is missing.
        read_only: only to read a file that is there, even where nothing can be written.

    Attributes:
        owner: who is at work here; see `annotator.ledger.process_owner`.
        strange_spills: files beside it whose answers are of another ledger, or cannot be read.

    Raises (as every method does):
        LedgerUnusable: it cannot be opened, read or written. What it holds stays as it was.
    """

    def __init__(self, where: Path | str, *, read_only: bool = False) -> None:
        self.where = str(where)
        self._file = Path(where).absolute()
        self._turn = threading.Lock()  # writers of one process queue here; SQLite lets them poll
        with self._named_errors(), ExitStack() as opened:
            self._engine = open_engine(self._file, read_only, opened)
            self._opened = opened.pop_all()
        self._readers = self._engine.execution_options(**{sqlite.READ_ONLY: True})
        self._spill: Spill | None = None
        self._claimed: set[str] = set()
        self._begun: dict[int, tuple[str, int]] = {}
        self.owner = enter()
        try:
            self.strange_spills = [] if read_only else take_in(self._file, self.writing)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection; what is in flight or claimed here may be taken up by others."""
        leave(self.owner)
        if self._spill is not None:
            self._spill.close()
            self._spill = None
        self._opened.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self, llm: str, requests: Iterable[tuple[HeadId, str, Mapping[str, Any]]], name: str = ""
    ) -> None:
        """Requests that describe heads; the last one added for a head and describer counts.

        Args:
            llm: as --llm names it.
            requests: of each the head, the key and the content; all of them are added, or none.
            name: the describer's, or "".

        Raises:
            NameTaken: the name stands for another language model or prompt.
        """
        asked = [(head, key, dict(content)) for head, key, content in requests]
        rows = [{"key": key, "content": content, "at": time.time()} for _, key, content in asked]
        described = [
            (head, Describer(llm, content.get("template") or "", name), key)
            for head, key, content in asked
        ]
        with self.writing() as connection:
            insert_new(connection, REQUESTS, ["key"], rows)
            head_answers.add_requests(connection, described)

    def answers(self, keys: Iterable[str]) -> dict[str, AttemptResult]:
        """Of each request its answer, where it has one."""
        query = select(ATTEMPTS.c.key, OUTCOMES).join_from(ATTEMPTS, OUTCOMES)
        query = query.where(SETTLED).order_by(*STANDING)
        return {key: recorded(row) for key, row in self._by_key(query, keys).items()}

    def unsure(self, keys: Iterable[str]) -> set[str]:
        """Those of the requests for which a sending may have been paid without an answer."""
        query = select(ATTEMPTS.c.key).join_from(ATTEMPTS, OUTCOMES)
        return {*self._by_key(query.where(OUTCOMES.c.kind == MAYBE_PAID), keys)}

    def attempts(self, key: str) -> list[Attempt]:
        """All sendings of a request, in the order they were begun."""
        query = select(ATTEMPTS.c.number, ATTEMPTS.c.parameters, OUTCOMES)
        query = query.join_from(ATTEMPTS, OUTCOMES, isouter=True).where(ATTEMPTS.c.key == key)
        query = query.order_by(ATTEMPTS.c.number, OUTCOMES.c.written_off.desc())
        found: dict[int, Attempt] = {}
        with self.reading() as connection:
            for row in connection.execute(query).mappings():
                before = found.get(row["number"], Attempt(row["parameters"]))
                came = () if row["kind"] is None else (recorded(row),)
                found[row["number"]] = Attempt(before.parameters, (*before.came, *came))
        return list(found.values())

    def described(
        self, heads: Iterable[HeadId] | None = None, *, superseded: bool = False
    ) -> list[HeadAnswer]:
        """Each head's answer by each describer; see `annotator.ledger.head_answers.described`."""
        with self.reading() as connection:
            return head_answers.described(connection, heads, superseded)

    def describers(self) -> list[Describer]:
        """Who has described heads; see `annotator.ledger.head_answers.describers`."""
        with self.reading() as connection:
            return head_answers.describers(connection)

    def llms(self) -> list[str]:
        """Who was to describe heads; see `annotator.ledger.head_answers.llms`."""
        with self.reading() as connection:
            return head_answers.llms(connection)

    def begin(self, key: str, parameters: Mapping[str, Any]) -> int:
        """Write down that a request is about to be sent; only then may it be.

        Returns:
            The attempt, for `record`.

        Raises:
            ValueError: no such request was added.
            ClaimLost: another process is at it by now.
        """
        last = select(func.max(ATTEMPTS.c.number)).join_from(REQUESTS, ATTEMPTS, isouter=True)
        last = last.where(REQUESTS.c.key == key).group_by(REQUESTS.c.key)
        row = {"key": key, "parameters": dict(parameters), "owner": self.owner, "at": time.time()}
        with self.writing() as connection:
            made_before = connection.execute(last).first()
            if made_before is None:
                raise ValueError(f"no request {key} was added")
            claims.require(connection, key, self.owner, is_claimed=key in self._claimed)
            number = (made_before[0] or 0) + 1
            made = connection.execute(insert(ATTEMPTS).values(**row, number=number))
        attempt = int((made.inserted_primary_key or [])[0])
        self._begun[attempt] = key, number
        return attempt

    def record(self, attempt: int, came: AttemptResult) -> None:
        """Write down what came back; from here on it stays, and an answer is never asked for again.

        What comes after its attempt was written off stands beside that. A claim on the request ends
        with its last answer.

        Raises:
            ValueError: the attempt was not begun, or something else came of it before.
        """
        with self.writing() as connection:
            key = connection.scalar(select(ATTEMPTS.c.key).where(ATTEMPTS.c.id == attempt))
            if key is None:
                raise ValueError(f"attempt {attempt} was not begun")
            record(connection, attempt, came)
            if came.final:
                claims.release(connection, key, self.owner)
                self._claimed.discard(key)
        self._begun.pop(attempt, None)

    def reserve(self, room: int) -> None:
        """Have room, so many bytes, for answers that the database cannot take, until its end."""
        try:
            self._spill = Spill(self._file, self.owner, room)
        except OSError as error:
            reason = f"no {room / 1e6:g} MB can be kept free beside it ({error.strerror or error})"
            raise LedgerUnusable(self.where, reason) from error

    def spill(self, attempt: int, came: AttemptResult) -> Path | None:
        """Put what came back where room was kept for it; `record` it all the same, once it can be.

        Returns:
            The file; None where there is no room in it.
        """
        if self._spill is None:
            return None
        try:
            self._spill.put(*self._begun[attempt], came)
        except OSError:
            return None
        return self._spill.file

    def unspill(self) -> None:
        """What was put there is recorded by now."""
        assert self._spill is not None
        self._spill.taken()

    def claim(self, key: str) -> bool:
        """Whether this ledger may ask for it now: it has no answer, and nobody else is at it."""
        with self.writing() as connection:
            loose = claims.is_in_flight_elsewhere(connection, key, self.owner)
            taken = not loose and claims.take(connection, key, self.owner)
        if loose:  # what came of it may be beside the ledger
            take_in(self._file, self.writing)
            with self.writing() as connection:
                claims.write_off(connection)
                taken = claims.take(connection, key, self.owner)
        if taken:
            self._claimed.add(key)
        return taken

    def renew(self) -> None:
        """Begin the lease of all claims anew."""
        if self._spill is not None:
            self._spill.renew()
        with self.writing() as connection:
            claims.renew(connection, self.owner)

    def release(self, key: str) -> None:
        """Let go of a claim, where it did not end with an answer."""
        if key in self._claimed:
            with self.writing() as connection:
                claims.release(connection, key, self.owner)
            self._claimed.discard(key)

    def sweep(self) -> int:
        """Mark as lost what was in flight where nobody is at work any more; it will be asked again.

        Returns:
            How many attempts were lost.
        """
        with self.writing() as connection:
            return claims.write_off(connection)

    def count(self, kind: str | None = None) -> int:
        """How many attempts ended so; None: how many were made."""
        query = select(func.count()).select_from(ATTEMPTS if kind is None else OUTCOMES)
        if kind is not None:
            query = query.where(OUTCOMES.c.kind == kind)
        with self.reading() as connection:
            return connection.scalar(query) or 0

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """A transaction that may change the database: committed whole at its end, or not at all."""
        if not self._turn.acquire(timeout=sqlite.BUSY_SECONDS):
            raise LedgerUnusable(self.where, "database is locked")
        try:
            with self._named_errors(), self._engine.begin() as connection:
                yield connection
        finally:
            self._turn.release()

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that sees the database as it is now, and changes nothing."""
        with self._named_errors(), self._readers.begin() as connection:
            yield connection

    def _by_key(self, query: Any, keys: Iterable[str]) -> dict[str, Any]:
        """Of each key the last row that there is."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Any] = {}
        with self.reading() as connection:
            for start in range(0, len(wanted), _KEYS_AT_ONCE):
                some = ATTEMPTS.c.key.in_(wanted[start : start + _KEYS_AT_ONCE])
                rows = connection.execute(query.where(some)).mappings()
                found.update((row["key"], row) for row in rows)
        return {key: found[key] for key in wanted if key in found}

    @contextmanager
    def _named_errors(self) -> Generator[None]:
        try:
            yield
        except _UNUSABLE as error:
            raise unusable(Path(self.where), getattr(error, "orig", None) or error) from error
