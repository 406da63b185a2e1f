"""What people judged of a catalog's descriptions: read from its ledger, which is where it stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from annotator.catalog.descriptions import LEDGER, in_utf8
from annotator.records import Item, Judgment

NAME = "judgments"
SCHEMA = pa.schema(
    [
        pa.field("layer", pa.int16(), nullable=False),
        pa.field("head", pa.int16(), nullable=False),
        pa.field("llm", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("rater", pa.string(), nullable=False),
        pa.field("pattern", pa.bool_()),
        pa.field("precision", pa.string()),
        pa.field("category", pa.string()),
        pa.field("comment", pa.string(), nullable=False),
        pa.field("skipped", pa.bool_(), nullable=False),
        pa.field("seconds", pa.float64()),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
"""A row per rater and description judged, the last answer; see `annotator.records.Judgment`."""


def read_judgments(folder: Path) -> list[tuple[Item, Judgment]]:
    """The last answer of each rater on each item, by head, language model and rater.

    An answer on an item of two language models, who say the same of a head, is there for each.

    Args:
        folder: the catalog's directory.

    Raises:
        LedgerUnusable: its ledger cannot be read.
    """
    if not (folder / LEDGER).is_file():
        return []
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    with Ledger(folder / LEDGER, read_only=True) as ledger:
        judgments = Judgments(ledger)
        items, last = judgments.shown(), judgments.last()
    by_item: dict[str, list[Judgment]] = {}
    for judgment in last:
        by_item.setdefault(judgment.item, []).append(judgment)
    items.sort(key=lambda item: (item.head, item.llm))
    return [(item, judgment) for item in items for judgment in by_item.get(item.id, [])]


def to_table(judged: Iterable[tuple[Item, Judgment]]) -> pa.Table:
    """The rows of some judgments."""
    return pa.Table.from_pylist([in_utf8(_row(*one)) for one in judged], schema=SCHEMA)


def _row(item: Item, judgment: Judgment) -> dict[str, Any]:
    of = {"layer": item.head.layer, "head": item.head.head, "llm": item.llm, "status": item.status}
    at = datetime.fromtimestamp(judgment.at, UTC)
    return {**asdict(judgment), **of, "skipped": judgment.skipped, "at": at}
