"""Rows go in once: of all that can forbid one, only the expected duplicate is passed over."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select, tuple_

from annotator.ledger.attempt_results import LOST, AttemptResult, recorded
from annotator.ledger.tables import OUTCOMES

_VALUES_AT_ONCE = 900  # of a statement; older SQLite takes 999


def insert_new(
    connection: Connection, table: Table, by: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> int:
    """Insert rows unless there is one of their key; how many were inserted.

    Args:
        connection: within a transaction that may write, which nobody else does then.
        table: where.
        by: the columns of the key, which are never null. Whatever else forbids a row is an error.
        rows: all of the columns of each; of two with one key, the first counts.
    """
    columns = [table.c[name] for name in by]
    new: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:
        new.setdefault(tuple(row[name] for name in by), row)
    keys, step = list(new), _VALUES_AT_ONCE // len(columns)
    for start in range(0, len(keys), step):
        same = tuple_(*columns).in_(keys[start : start + step])
        for there in connection.execute(select(*columns).where(same)):
            new.pop(tuple(there), None)
    if new:
        connection.execute(insert(table), list(new.values()))
    return len(new)


def record(connection: Connection, attempt: int, came: AttemptResult) -> None:
    """What came of an attempt, once; an answer also beside the row that wrote the attempt off.

    Raises:
        ValueError: something else came of it before.
    """
    if not insert_outcome(connection, attempt, came):
        own = OUTCOMES.c.attempt == attempt, ~OUTCOMES.c.written_off
        there = connection.execute(select(OUTCOMES).where(*own)).mappings().one_or_none()
        if there is None or recorded(there) != came:
            raise ValueError(f"attempt {attempt} has its outcome already")


def insert_outcome(connection: Connection, attempt: int, came: AttemptResult) -> bool:
    """Insert what came of an attempt: an answer, be it beside the row that wrote the attempt off.

    Returns:
        Whether it was inserted; not where there is an answer already, or a row that is the same.
    """
    written_off = came.kind == LOST
    row = {**vars(came), "content": dict(came.content), "attempt": attempt, "at": time.time()}
    row["written_off"] = written_off
    by = ["attempt"] if written_off else ["attempt", "written_off"]
    return insert_new(connection, OUTCOMES, by, [row]) == 1
