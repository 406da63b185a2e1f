"""Rows go in once: of all that can forbid one, only the expected duplicate is passed over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from annotator.ledger.attempt_results import LOST, AttemptResult, recorded
from annotator.ledger.tables import OUTCOMES


def insert_new(connection: Connection, table: Table, by: Sequence[str], **row: Any) -> bool:
    """Insert a row unless there is one of its key; whether it was inserted.

    Args:
        connection: within a transaction that may write, which nobody else does then.
        table: where.
        by: the columns of the key. Whatever else forbids the row is an error.
        row: all of its columns.
    """
    same = [table.c[name] == row[name] for name in by]
    if connection.execute(select(table.c[by[0]]).where(*same).limit(1)).first() is not None:
        return False
    connection.execute(insert(table).values(row))
    return True


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
    row = {**vars(came), "content": dict(came.content), "attempt": attempt, "at": time.time()}
    written_off = came.kind == LOST
    by = ["attempt"] if written_off else ["attempt", "written_off"]
    return insert_new(connection, OUTCOMES, by, written_off=written_off, **row)
