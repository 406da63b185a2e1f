"""Who is at a request now: a lease that is renewed, and what is written off where nobody is.

Whether an owner is at work is told by its process where that can be seen, and otherwise by the
lease alone: see `annotator.ledger.process_owner`.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, and_, delete, select, update

from annotator.ledger.attempt_results import LOST, SETTLED, AttemptResult, tokens_at_most
from annotator.ledger.inserting import insert_outcome
from annotator.ledger.process_owner import at_work
from annotator.ledger.sqlite import insert_or_replace
from annotator.ledger.tables import ATTEMPTS, CLAIMS, OUTCOMES, REQUESTS

LEASE_SECONDS = 1800.0
"""How long an owner that cannot be seen counts as at work; clocks may differ by nearly as much."""
RENEW_SECONDS = 60.0


class ClaimLost(Exception):
    """Another process has taken the request over: nothing more is to be sent here."""


def require(connection: Connection, key: str, owner: str, *, is_claimed: bool) -> None:
    """Nothing, unless somebody else is at a request, or has been since it was claimed.

    Raises:
        ClaimLost: so it is.
    """
    held = _claim_on(connection, key)
    lost = is_claimed and (held is None or held.owner != owner)
    if lost or _is_of_another(held, owner):
        raise ClaimLost(key)


def is_in_flight_elsewhere(connection: Connection, key: str, owner: str) -> bool:
    """Whether somebody else has begun an attempt of which nothing came yet, as far as one sees."""
    others = ATTEMPTS.c.key == key, ATTEMPTS.c.owner != owner, OUTCOMES.c.attempt.is_(None)
    query = select(ATTEMPTS.c.id).outerjoin(OUTCOMES, OUTCOMES.c.attempt == ATTEMPTS.c.id)
    return connection.execute(query.where(*others)).first() is not None


def take(connection: Connection, key: str, owner: str) -> bool:
    """Claim a request that has no answer and that nobody else is at; whether it is one's own."""
    there = select(OUTCOMES.c.attempt).join_from(ATTEMPTS, OUTCOMES)
    there = there.where(ATTEMPTS.c.key == key, SETTLED).limit(1)
    if connection.scalar(there) is not None or _is_of_another(_claim_on(connection, key), owner):
        return False
    own = {"owner": owner, "until": time.time() + LEASE_SECONDS}
    connection.execute(insert_or_replace(CLAIMS).values(key=key, **own))
    return True


def renew(connection: Connection, owner: str) -> None:
    """Begin the lease of all of an owner's claims anew."""
    until = time.time() + LEASE_SECONDS
    connection.execute(update(CLAIMS).where(CLAIMS.c.owner == owner).values(until=until))


def release(connection: Connection, key: str, owner: str) -> None:
    """Let go of a claim, if it is one's own."""
    connection.execute(delete(CLAIMS).where(CLAIMS.c.key == key, CLAIMS.c.owner == owner))


def write_off(connection: Connection) -> int:
    """Mark as lost what was in flight where nobody is at work any more; how many attempts."""
    gone = [row for row in _in_flight(connection) if not at_work(row.owner, _until(row))]
    for row in gone:
        spent = tokens_at_most(row.content, row.parameters)
        insert_outcome(connection, row.id, AttemptResult(LOST, {}, "", *spent, final=False))
    return len(gone)


def _claim_on(connection: Connection, key: str) -> Any:
    return connection.execute(select(CLAIMS).where(CLAIMS.c.key == key)).one_or_none()


def _is_of_another(held: Any, owner: str) -> bool:
    return held is not None and held.owner != owner and at_work(held.owner, held.until)


def _in_flight(connection: Connection) -> Any:
    """Attempts of which nothing came yet, each with the end of its owner's lease, if it has one."""
    own = and_(CLAIMS.c.key == ATTEMPTS.c.key, CLAIMS.c.owner == ATTEMPTS.c.owner)
    query = select(ATTEMPTS, REQUESTS.c.content, CLAIMS.c.until).join_from(ATTEMPTS, REQUESTS)
    query = query.outerjoin(OUTCOMES, OUTCOMES.c.attempt == ATTEMPTS.c.id).outerjoin(CLAIMS, own)
    return connection.execute(query.where(OUTCOMES.c.attempt.is_(None))).all()


def _until(row: Any) -> float:
    return row.at + LEASE_SECONDS if row.until is None else row.until
