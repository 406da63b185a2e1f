"""The only code that asks the database: what is asked, sent and answered."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select
from sqlalchemy import exc as errors

from annotator.errors import LedgerUnusable, NameTaken
from annotator.ledger.attempt_results import (
    LOST,
    SETTLED,
    AttemptResult,
    HeadAnswer,
    answered,
    recorded,
)
from annotator.ledger.location import open_engine
from annotator.ledger.process_owner import at_work, enter, leave
from annotator.ledger.sqlite import READ_ONLY
from annotator.ledger.tables import ATTEMPTS, CLAIMS, HEADS, OUTCOMES, REQUESTS
from annotator.records import Describer, HeadId

CLAIM_SECONDS = 1800.0
_LOST = AttemptResult(LOST, {}, final=False)
_KEYS_AT_ONCE = 500
_UNUSABLE = (errors.DBAPIError, errors.TimeoutError, sqlite3.Error)


class Ledger:
    """Requests, attempts and outcomes of one catalog. Threads may share it; close it at the end.

    Args:
        where: the database file, made where it is missing.
        read_only: only to read a file that is there, even where nothing can be written.

    Raises (as every method does):
        LedgerUnusable: it cannot be opened, read or written. What it holds stays as it was.
    """

    def __init__(self, where: Path | str, *, read_only: bool = False) -> None:
        self.where = str(where)
        self._turn = threading.Lock()  # writers of one process queue here; SQLite lets them poll
        with self._named_errors(), ExitStack() as opened:
            self._engine = open_engine(Path(where).absolute(), read_only, opened)
            self._opened = opened.pop_all()
        self._readers = self._engine.execution_options(**{READ_ONLY: True})
        self.owner = enter()

    def close(self) -> None:
        """Close every connection; what is in flight or claimed here may be taken up by others."""
        leave(self.owner)
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
        requests = list(requests)
        with self.writing() as connection:
            for template in {content.get("template") or "" for *_, content in requests}:
                _require_free(connection, Describer(llm, template, name))
            for head, key, content in requests:
                who = Describer(llm, content.get("template") or "", name)
                insert_new(
                    connection, REQUESTS, ["key"], key=key, content=dict(content), at=time.time()
                )
                of_head = {"layer": head.layer, "head": head.head, **asdict(who)}
                same = [HEADS.c[name] == value for name, value in of_head.items()]
                last = select(HEADS.c.key).where(*same).order_by(HEADS.c.number.desc()).limit(1)
                if connection.scalar(last) != key:
                    connection.execute(insert(HEADS).values(**of_head, key=key))

    def answers(self, keys: Iterable[str]) -> dict[str, AttemptResult]:
        """Of each request its answer, where it has one; of several, the last."""
        wanted = list(dict.fromkeys(keys))
        query = select(ATTEMPTS.c.key, OUTCOMES).join_from(ATTEMPTS, OUTCOMES)
        query = query.where(SETTLED).order_by(ATTEMPTS.c.number)
        found: dict[str, AttemptResult] = {}
        with self.reading() as connection:
            for start in range(0, len(wanted), _KEYS_AT_ONCE):
                some = ATTEMPTS.c.key.in_(wanted[start : start + _KEYS_AT_ONCE])
                rows = connection.execute(query.where(some)).mappings()
                found.update((row["key"], recorded(row)) for row in rows)
        return {key: found[key] for key in wanted if key in found}

    def described(self, *, superseded: bool = False) -> list[HeadAnswer]:
        """Each head's answer by each describer, of their last request that has one.

        They are ordered by head and language model, then as they were first asked.

        Args:
            superseded: whether those of earlier requests are there as well.
        """
        spent = select(
            ATTEMPTS.c.key,
            func.sum(OUTCOMES.c.tokens_in).label("spent_in"),
            func.sum(OUTCOMES.c.tokens_out).label("spent_out"),
        )
        spent = spent.join_from(ATTEMPTS, OUTCOMES).group_by(ATTEMPTS.c.key).subquery()
        content = REQUESTS.c.content.label("request")
        query = select(HEADS, content, spent.c.spent_in, spent.c.spent_out, OUTCOMES)
        query = query.join_from(HEADS, REQUESTS).join(ATTEMPTS, HEADS.c.key == ATTEMPTS.c.key)
        query = query.join(OUTCOMES).join(spent, spent.c.key == HEADS.c.key).where(SETTLED)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(HEADS.c.number, ATTEMPTS.c.number)).mappings()
            found: dict[tuple[HeadId, Describer, str], HeadAnswer] = {}
            last: dict[tuple[HeadId, Describer], str] = {}
            for one in map(answered, rows):
                found[one.head, one.who, one.key] = one
                last[one.head, one.who] = one.key
        places = {whose: place for place, whose in enumerate(last)}
        every = [
            replace(one, superseded=key != last[head, who])
            for (head, who, key), one in found.items()
        ]
        every.sort(key=lambda one: (one.head, one.who.llm, places[one.head, one.who]))
        return [one for one in every if superseded or not one.superseded]

    def describers(self) -> list[Describer]:
        """Who has described heads, in the order of their first requests."""
        columns = [HEADS.c[field.name] for field in fields(Describer)]
        query = select(*columns).join(ATTEMPTS, HEADS.c.key == ATTEMPTS.c.key).join(OUTCOMES)
        query = query.where(SETTLED).group_by(*columns).order_by(func.min(HEADS.c.number))
        with self.reading() as connection:
            return [Describer(*row) for row in connection.execute(query)]

    def llms(self) -> list[str]:
        """Every LLM that was to describe heads, in the order of the first requests."""
        query = select(HEADS.c.llm).group_by(HEADS.c.llm).order_by(func.min(HEADS.c.number))
        with self.reading() as connection:
            return list(connection.scalars(query))

    def begin(self, key: str, parameters: Mapping[str, Any]) -> int:
        """Write down that a request is about to be sent; only then may it be.

        Returns:
            The attempt, for `record`.

        Raises:
            ValueError: no such request was added.
        """
        last = select(func.max(ATTEMPTS.c.number)).where(ATTEMPTS.c.key == key)
        row = {"key": key, "parameters": dict(parameters), "owner": self.owner, "at": time.time()}
        with self.writing() as connection:
            if connection.scalar(select(REQUESTS.c.key).where(REQUESTS.c.key == key)) is None:
                raise ValueError(f"no request {key} was added")
            number = (connection.scalar(last) or 0) + 1
            made = connection.execute(insert(ATTEMPTS).values(**row, number=number))
        assert made.inserted_primary_key is not None
        return int(made.inserted_primary_key[0])

    def record(self, attempt: int, came: AttemptResult) -> None:
        """Write down what came back; from here on it stays, and an answer is never asked for again.

        Raises:
            ValueError: the attempt was not begun, or what came of it is recorded already.
        """
        begun = select(ATTEMPTS.c.id).where(ATTEMPTS.c.id == attempt)
        with self.writing() as connection:
            there = connection.scalar(begun) is not None
            if not (there and _insert_outcome(connection, attempt, came)):
                raise ValueError(f"attempt {attempt} was not begun, or has its outcome already")

    def claim(self, key: str) -> bool:
        """Whether this ledger may ask for it now: it has no answer, and nobody else is at it."""
        there = select(OUTCOMES.c.attempt).join_from(ATTEMPTS, OUTCOMES)
        there = there.where(ATTEMPTS.c.key == key, SETTLED).limit(1)
        with self.writing() as connection:
            if connection.scalar(there) is not None:
                return False
            held = connection.execute(select(CLAIMS).where(CLAIMS.c.key == key)).one_or_none()
            if held is not None:
                if held.owner != self.owner and at_work(held.owner, held.until):
                    return False
                left = CLAIMS.c.key == key, CLAIMS.c.owner == held.owner
                connection.execute(delete(CLAIMS).where(*left))
            until = time.time() + CLAIM_SECONDS
            return insert_new(connection, CLAIMS, ["key"], key=key, owner=self.owner, until=until)

    def release(self, key: str) -> None:
        """Let go of a claim."""
        own = CLAIMS.c.key == key, CLAIMS.c.owner == self.owner
        with self.writing() as connection:
            connection.execute(delete(CLAIMS).where(*own))

    def sweep(self) -> int:
        """Mark as lost what was in flight where nobody is at work any more; it will be asked again.

        Returns:
            How many attempts were lost.
        """
        query = select(ATTEMPTS.c.id, ATTEMPTS.c.owner, ATTEMPTS.c.at)
        query = query.outerjoin(OUTCOMES).where(OUTCOMES.c.attempt.is_(None))
        with self.writing() as connection:
            rows = connection.execute(query).all()
            gone = [row.id for row in rows if not at_work(row.owner, row.at + CLAIM_SECONDS)]
            return sum(_insert_outcome(connection, attempt, _LOST) for attempt in gone)

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
        with self._turn, self._named_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that sees the database as it is now, and changes nothing."""
        with self._named_errors(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def _named_errors(self) -> Generator[None]:
        try:
            yield
        except _UNUSABLE as error:
            lines = str(getattr(error, "orig", None) or error).splitlines()
            raise LedgerUnusable(self.where, next(iter(lines), type(error).__name__)) from error


def _require_free(connection: Connection, who: Describer) -> None:
    """A describer's name stands for one language model and one prompt."""
    columns = [HEADS.c[field.name] for field in fields(Describer)]
    named = select(*columns).where(HEADS.c.name == who.name).limit(1)
    row = connection.execute(named).first() if who.name else None
    if row is not None and Describer(*row) != who:
        raise NameTaken(who.name, row.llm)


def insert_new(connection: Connection, table: Table, by: Sequence[str], **row: Any) -> bool:
    """Insert a row unless there is one of its key; whether it was inserted.

    Args:
        connection: within a transaction.
        table: where.
        by: the columns of the key. Whatever else forbids the row is an error.
        row: all of its columns.
    """
    same = [table.c[name] == row[name] for name in by]
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(row))
    except errors.IntegrityError:
        if connection.execute(select(table.c[by[0]]).where(*same)).first() is None:
            raise
        return False
    return True


def _insert_outcome(connection: Connection, attempt: int, came: AttemptResult) -> bool:
    row = {**vars(came), "content": dict(came.content), "attempt": attempt, "at": time.time()}
    return insert_new(connection, OUTCOMES, ["attempt"], **row)
