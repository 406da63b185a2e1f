"""What people judged of a catalog's descriptions: read from its ledger, which is where it stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.catalog.describers import Describers, read_describers
from annotator.catalog.descriptions import in_utf8
from annotator.judge.verdicts import COUNTS, MEASURES, row, standings, verdicts
from annotator.records import Describer, Item, Judgment

if TYPE_CHECKING:
    from annotator.judge.verdicts import Standing, Verdict

JUDGMENTS_NAME, VERDICTS, STUDIES = "judgments", "verdicts", "studies"
_HEAD = [pa.field(name, pa.int16(), nullable=False) for name in ("layer", "head")]
_WHOSE = [pa.field(name, pa.string(), nullable=False) for name in ("llm", "describer", "kind")]
_SEEN = [
    pa.field(name, pa.string(), nullable=False) for name in ("status", "item", "key", "template")
]
_NUMBERS = [
    *(pa.field(name, pa.int32(), nullable=False) for name in COUNTS),
    *(pa.field(name, pa.float64()) for name in MEASURES),
]
JUDGMENT_TABLES = {
    JUDGMENTS_NAME: pa.schema(
        [
            *_HEAD,
            *_WHOSE,
            *_SEEN,
            pa.field("rater", pa.string(), nullable=False),
            pa.field("pattern", pa.bool_()),
            pa.field("precision", pa.string()),
            pa.field("category", pa.string()),
            pa.field("comment", pa.string(), nullable=False),
            pa.field("skipped", pa.bool_(), nullable=False),
            pa.field("seconds", pa.float64()),
            pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        ]
    ),
    VERDICTS: pa.schema([*_HEAD, *_WHOSE, *_SEEN, *_NUMBERS]),
    STUDIES: pa.schema([*_WHOSE, pa.field("items", pa.int32(), nullable=False), *_NUMBERS]),
}
"""A row per rater and description judged, the last answer, see `annotator.records.Judgment`; a row
per description judged, and per describer, see `annotator.judge.verdicts`."""


@dataclass(frozen=True)
class LedgerJudgments:
    """What a ledger has of people.

    Attributes:
        describers: who wrote what they judged.
        items: what they were shown, by head and language model; an item of two describers, who
            say the same of a head, is there twice.
        last: the last answer of each rater on each item.
        categories: by request the language model's own category, where it gave one.
    """

    describers: Describers
    items: Sequence[Item] = ()
    last: Sequence[Judgment] = ()
    categories: Mapping[str, str] = field(default_factory=dict[str, str])

    def verdicts(self) -> list[Verdict]:
        """What the answers on each item come to, by head and language model."""
        return verdicts(self.items, self.last, self.categories)

    def standings(self) -> list[Standing]:
        """What the answers on each describer's items come to, kind by kind."""
        return standings(self.items, self.last, self.categories)

    def table(self, name: str) -> pa.Table:
        """One of JUDGMENT_TABLES."""
        made = {JUDGMENTS_NAME: self._judgments, VERDICTS: self._verdicts, STUDIES: self._studies}
        return pa.Table.from_pylist(list(map(in_utf8, made[name]())), schema=JUDGMENT_TABLES[name])

    def _judgments(self) -> Iterator[dict[str, Any]]:
        for verdict in self.verdicts():
            of = self._item(verdict.item)
            for one in verdict.judgments:
                at = datetime.fromtimestamp(one.at, UTC)
                yield {**asdict(one), **of, "skipped": one.skipped, "at": at}

    def _verdicts(self) -> Iterator[dict[str, Any]]:
        for one in self.verdicts():
            yield {**self._item(one.item), **row(one.summary)}

    def _studies(self) -> Iterator[dict[str, Any]]:
        for one in self.standings():
            whose = {**self._whose(one.who), "kind": one.kind, "items": one.items}
            yield {**whose, **row(one.summary)}

    def _item(self, item: Item) -> dict[str, Any]:
        at = {"layer": item.head.layer, "head": item.head.head, "item": item.id}
        own = {name: getattr(item, name) for name in ("kind", "status", "key", "template")}
        return {**at, **own, **self._whose(item.who)}

    def _whose(self, who: Describer) -> dict[str, str]:
        return {"llm": who.llm, "describer": self.describers.full(who)}


def read_judged(file: Path | None) -> LedgerJudgments:
    """What the ledger of a catalog has of people.

    Args:
        file: the ledger; there may be none.

    Raises:
        LedgerUnusable: it cannot be read.
    """
    if file is None or not file.is_file():
        return LedgerJudgments(Describers((), ()))
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    with Ledger(file, read_only=True) as ledger:
        judgments = Judgments(ledger)
        items = sorted(judgments.shown(), key=lambda item: (item.head, item.llm))
        return LedgerJudgments(
            read_describers(ledger), items, judgments.last(), judgments.categories(items)
        )
