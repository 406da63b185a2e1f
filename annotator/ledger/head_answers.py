"""What describers said of heads, read by head: nothing here reads more than it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, tuple_

from annotator.errors import NameTaken
from annotator.ledger.attempt_results import SETTLED, STANDING, AttemptResult, recorded
from annotator.ledger.tables import ATTEMPTS, DESCRIBERS, HEADS, OUTCOMES, REQUESTS
from annotator.records import Describer, HeadId

_WHO = [DESCRIBERS.c[field.name] for field in fields(Describer)]
_HEADS_AT_ONCE = 400


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


def described(
    connection: Connection, heads: Iterable[HeadId] | None, superseded: bool
) -> list[HeadAnswer]:
    """Each head's answer by each describer, of their last request that has one.

    They are ordered by head and language model, then as they were first asked.

    Args:
        connection: within a transaction.
        heads: only these; None: all.
        superseded: whether those of earlier requests are there as well.
    """
    found: dict[tuple[HeadId, Describer, str], HeadAnswer] = {}
    last: dict[tuple[HeadId, Describer], str] = {}
    for query in _of_heads(_answers(), heads):
        for one in map(_answered, connection.execute(query).mappings()):
            found[one.head, one.who, one.key] = one
            last[one.head, one.who] = one.key
    places = {whose: place for place, whose in enumerate(last)}
    every = [
        replace(one, superseded=key != last[head, who]) for (head, who, key), one in found.items()
    ]
    every.sort(key=lambda one: (one.head, one.who.llm, places[one.head, one.who]))
    return [one for one in every if superseded or not one.superseded]


def describers(connection: Connection) -> list[Describer]:
    """Who has described heads, in the order of their first requests."""
    answered = select(HEADS.c.number).join(ATTEMPTS, HEADS.c.key == ATTEMPTS.c.key).join(OUTCOMES)
    answered = answered.where(HEADS.c.describer == DESCRIBERS.c.number, SETTLED)
    there = answered.correlate(DESCRIBERS).exists()
    rows = connection.execute(select(*_WHO).where(there).order_by(DESCRIBERS.c.number))
    return [Describer(*row) for row in rows]


def llms(connection: Connection) -> list[str]:
    """Every LLM that was to describe heads, in the order of the first requests."""
    rows = connection.scalars(select(DESCRIBERS.c.llm).order_by(DESCRIBERS.c.number))
    return list(dict.fromkeys(rows))


def number_of(connection: Connection, who: Describer) -> int:
    """A describer's number; one that is new is added.

    Raises:
        NameTaken: the name stands for another language model or prompt.
    """
    query = select(DESCRIBERS.c.number, *_WHO)
    if who.name:
        named = connection.execute(query.where(DESCRIBERS.c.name == who.name).limit(1)).first()
        if named is not None and Describer(named.llm, named.template, named.name) != who:
            raise NameTaken(who.name, named.llm)
    own = [column == value for column, value in zip(_WHO, asdict(who).values(), strict=True)]
    there = connection.execute(query.where(*own)).first()
    if there is not None:
        return int(there.number)
    made = connection.execute(insert(DESCRIBERS).values(asdict(who))).inserted_primary_key
    assert made is not None
    return int(made[0])


def add_requests(connection: Connection, requests: Sequence[tuple[HeadId, Describer, str]]) -> None:
    """The requests, by their keys, that describe heads from now on; one that does already stays.

    Raises:
        NameTaken: a describer's name stands for another language model or prompt.
    """
    who = dict.fromkeys(describer for _, describer, _ in requests)
    numbers = {one: number_of(connection, one) for one in who}
    last: dict[tuple[int, int, int], str] = {}
    theirs = select(HEADS).where(HEADS.c.describer.in_(numbers.values()))
    in_order = theirs.order_by(HEADS.c.number)
    for some in _of_heads(in_order, (head for head, _, _ in requests)):
        for row in connection.execute(some):
            last[row.layer, row.head, row.describer] = row.key
    names, new = ("layer", "head", "describer", "key"), list[dict[str, Any]]()
    for of, describer, key in requests:
        whose = of.layer, of.head, numbers[describer]
        if last.get(whose) != key:
            last[whose] = key
            new.append(dict(zip(names, (*whose, key), strict=True)))
    if new:
        connection.execute(insert(HEADS), new)


def _answers() -> Select[Any]:
    spent = [
        select(func.sum(OUTCOMES.c[name]))
        .join_from(ATTEMPTS, OUTCOMES)
        .where(ATTEMPTS.c.key == HEADS.c.key)
        .correlate(HEADS)
        .scalar_subquery()
        .label(f"spent_{name}")
        for name in ("tokens_in", "tokens_out")
    ]
    content = REQUESTS.c.content.label("request")
    query = select(HEADS.c.layer, HEADS.c.head, HEADS.c.key, *_WHO, content, *spent, OUTCOMES)
    query = query.join_from(HEADS, DESCRIBERS).join(REQUESTS, HEADS.c.key == REQUESTS.c.key)
    query = query.join(ATTEMPTS, HEADS.c.key == ATTEMPTS.c.key).join(OUTCOMES).where(SETTLED)
    return query.order_by(HEADS.c.number, *STANDING)


def _of_heads(query: Select[Any], heads: Iterable[HeadId] | None) -> Iterable[Select[Any]]:
    """The query, or one for so many heads at a time as a statement can name."""
    if heads is None:
        return [query]
    named = [(head.layer, head.head) for head in dict.fromkeys(heads)]
    starts = range(0, len(named), _HEADS_AT_ONCE)
    which = tuple_(HEADS.c.layer, HEADS.c.head)
    return [query.where(which.in_(named[start : start + _HEADS_AT_ONCE])) for start in starts]


def _answered(row: Mapping[Any, Any]) -> HeadAnswer:
    return HeadAnswer(
        head=HeadId(row["layer"], row["head"]),
        who=Describer(**{field.name: row[field.name] for field in fields(Describer)}),
        key=row["key"],
        request=row["request"],
        came=recorded(row),
        tokens_in=row["spent_tokens_in"],
        tokens_out=row["spent_tokens_out"],
        at=row["at"],
    )
