"""What came of an attempt: what the ledger is given, and what of it is an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import case, select

from annotator.ledger.tables import ATTEMPTS, OUTCOMES

LOST, FAILED, MAYBE_PAID = "lost", "failed", "maybe_paid"
UNSETTLED = (LOST, FAILED, MAYBE_PAID)
"""Kinds of outcome that are no answer of a model: such a request is asked again."""
_OF, _ENDS = ATTEMPTS.alias(), OUTCOMES.alias()
_ENDED = select(_OF.c.key).join_from(_OF, _ENDS).where(_ENDS.c.final, _OF.c.key == ATTEMPTS.c.key)
SETTLED = OUTCOMES.c.kind.not_in(UNSETTLED) & _ENDED.correlate(ATTEMPTS).exists()
"""An answer of a request that has ended."""
STANDING = (OUTCOMES.c.final, case((OUTCOMES.c.final, -OUTCOMES.c.at), else_=ATTEMPTS.c.number))
"""Of several, the last in this order is the request's: the final one, of two the first recorded."""
_BYTES_BESIDE = 256  # of a chat's form around the messages


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
class Attempt:
    """A sending of a request.

    Attributes:
        parameters: what it changed of the request's settings.
        came: all that came of it: nothing yet; or lost, with the answer that came late after it.
    """

    parameters: Mapping[str, Any]
    came: tuple[AttemptResult, ...] = ()


def tokens_at_most(content: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[int, int]:
    """What a sending may have cost of which no answer came; docs/definitions.md, "Upper price".

    Args:
        content: the request's.
        parameters: what this sending changed.

    Returns:
        Tokens in, each a byte of the messages as JSON at least, and out, the limit; 0 of a request
        that has no limit, for then it is no language model that is asked.
    """
    limit = {**content.get("sampling", {}), **parameters}.get("max_tokens")
    if limit is None:
        return 0, 0
    shown = json.dumps([content.get(name) for name in ("system", "prompt", "schema")])
    return len(shown) + _BYTES_BESIDE, limit


def recorded(row: Any) -> AttemptResult:
    """Of a row of the outcomes."""
    return AttemptResult(**{field.name: row[field.name] for field in fields(AttemptResult)})
