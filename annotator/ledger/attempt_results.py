"""What the ledger gives and takes: what came of an attempt, and what a head's answer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import select

from annotator.ledger.tables import ATTEMPTS, OUTCOMES
from annotator.records import Describer, HeadId

LOST, FAILED, MAYBE_PAID = "lost", "failed", "maybe_paid"
UNSETTLED = (LOST, FAILED, MAYBE_PAID)
"""Kinds of outcome that are no answer of a model: such a request is asked again."""
_OF, _ENDS = ATTEMPTS.alias(), OUTCOMES.alias()
_ENDED = select(_OF.c.key).join_from(_OF, _ENDS).where(_ENDS.c.final)
SETTLED = OUTCOMES.c.kind.not_in(UNSETTLED) & ATTEMPTS.c.key.in_(_ENDED)
"""An answer of a request that has ended; of several, the last is the request's."""


@dataclass(frozen=True)
class AttemptResult:
    """What came back of one attempt.

    Attributes:
        kind: which outcome, see `annotator.describe.outcome`; or "lost", at a kill.
        content: the outcome's fields, JSON values all.
        reply: the model's own words, or "".
        tokens_in: prompt tokens, as the provider counts them.
        tokens_out: completion tokens.
        seconds: from sending to the last byte.
        final: whether the request ends with it, be it with what was answered before. False: it is
            asked once more, with other settings or after a failure.
    """

    kind: str
    content: Mapping[str, Any]
    reply: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    final: bool = True


@dataclass(frozen=True)
class HeadAnswer:
    """A head's answer by a describer.

    Attributes:
        head: the head.
        who: the describer.
        key: the request's.
        request: the request's content.
        came: the answer.
        tokens_in: prompt tokens of all attempts of the request.
        tokens_out: completion tokens of all attempts of the request.
        at: when it was recorded, seconds since 1970.
        superseded: whether the describer has answered a later request on the head.
    """

    head: HeadId
    who: Describer
    key: str
    request: Mapping[str, Any]
    came: AttemptResult
    tokens_in: int
    tokens_out: int
    at: float
    superseded: bool = False


def recorded(row: Any) -> AttemptResult:
    """Of a row of the outcomes."""
    return AttemptResult(**{field.name: row[field.name] for field in fields(AttemptResult)})


def answered(row: Any) -> HeadAnswer:
    """Of a row of the outcomes with its head, request and what was spent on it."""
    return HeadAnswer(
        head=HeadId(row["layer"], row["head"]),
        who=describer(row),
        key=row["key"],
        request=row["request"],
        came=recorded(row),
        tokens_in=row["spent_in"],
        tokens_out=row["spent_out"],
        at=row["at"],
    )


def describer(row: Any) -> Describer:
    """Of a row of the heads or items."""
    return Describer(**{field.name: row[field.name] for field in fields(Describer)})
