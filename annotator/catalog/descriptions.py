"""What language models said of a catalog's heads: read from its ledger, which is where it stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.catalog.describers import Describers, read_describers
from annotator.errors import DescriberUnknown
from annotator.records import BASELINE, Describer, Description, HeadId

if TYPE_CHECKING:
    from annotator.ledger.head_answers import HeadAnswer

DESCRIPTIONS = "descriptions"
LEDGER = "ledger.db"
DESCRIPTIONS_SCHEMA = pa.schema(
    [
        pa.field("layer", pa.int16(), nullable=False),
        pa.field("head", pa.int16(), nullable=False),
        pa.field("llm", pa.string(), nullable=False),
        pa.field("describer", pa.string(), nullable=False),
        pa.field("baseline", pa.bool_(), nullable=False),  # no language model
        pa.field("status", pa.string(), nullable=False),
        pa.field("inputs", pa.string()),
        pa.field("pattern", pa.string()),
        pa.field("category", pa.string()),
        pa.field("reasoning", pa.string()),
        pa.field("problem", pa.string()),
        pa.field("template", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("tokens_in", pa.int64(), nullable=False),
        pa.field("tokens_out", pa.int64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("superseded", pa.bool_(), nullable=False),
    ]
)
"""A row per head and describer that has answered; see `annotator.records.Description`."""


def read_descriptions(
    file: Path | None,
    by: str | None = None,
    *,
    heads: Sequence[HeadId] | None = None,
    superseded: bool = False,
) -> list[Description]:
    """The last answer of each describer on each head, by head, language model and prompt.

    Args:
        file: the ledger; there may be none.
        by: only this describer's: any name of theirs, or an unambiguous part of one.
        heads: only of these; nothing of others is read.
        superseded: whether earlier ones that people have judged are there as well.

    Raises:
        DescriberUnknown: nobody is called so, or several are.
        LedgerUnusable: its ledger cannot be read.
    """
    if file is None or not file.is_file():
        if by is not None:
            raise DescriberUnknown(by, [])
        return []
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    with Ledger(file, read_only=True) as ledger:
        describers = read_describers(ledger)
        who = None if by is None else describers.find(by)
        answers = ledger.described(heads, superseded=superseded)
        judged = Judgments(ledger).judged() if superseded else set[tuple[str, Describer]]()
    return [
        _description(one, describers)
        for one in answers
        if who in (None, one.who) and (not one.superseded or (one.key, one.who) in judged)
    ]


def to_table(descriptions: Iterable[Description]) -> pa.Table:
    """The rows of some descriptions."""
    return pa.Table.from_pylist(
        [in_utf8(_row(one)) for one in descriptions], schema=DESCRIPTIONS_SCHEMA
    )


def in_utf8(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose texts UTF-8 can write: half a character, which JSON can name, becomes U+FFFD."""
    return {
        name: value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(value, str)
        else value
        for name, value in row.items()
    }


def _row(description: Description) -> dict[str, Any]:
    at = datetime.fromtimestamp(description.at, UTC)
    head = {"layer": description.head.layer, "head": description.head.head}
    baseline = description.llm == BASELINE
    return {**asdict(description), **head, "baseline": baseline, "at": at}


def _description(answered: HeadAnswer, describers: Describers) -> Description:
    from annotator.describe.outcome import outcome_of, problem_of

    came = answered.came
    outcome = outcome_of(came.kind, dict(came.content))
    said = ("inputs", "pattern", "category", "reasoning")
    same = ("head", "key", "tokens_in", "tokens_out", "at", "superseded")
    return Description(
        status=outcome.kind,
        **{name: getattr(outcome, name, None) for name in said},
        problem=problem_of(outcome),
        seconds=came.seconds,
        describer=describers.full(answered.who),
        shown=describers.short(answered.who),
        **{name: getattr(answered, name) for name in same},
        **asdict(answered.who),
    )
