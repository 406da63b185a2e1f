"""The flat, fixed schemas of a catalog's tables, and records to rows and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import pyarrow as pa

from annotator.records import (
    HeadId,
    HeadMap,
    HeadSummary,
    SalientMapping,
    Signatures,
    Target,
    Token,
)

MAPS_SCHEMA = pa.schema(
    [
        pa.field("layer", pa.int16(), nullable=False),
        pa.field("head", pa.int16(), nullable=False),
        pa.field("source_rank", pa.int32(), nullable=False),
        pa.field("source_id", pa.int32(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("sigma", pa.float32()),  # null: a row of zero norm or of non-finite values
        pa.field("side", pa.string(), nullable=False),  # top or bottom
        pa.field("target_rank", pa.int32(), nullable=False),
        pa.field("target_id", pa.int32(), nullable=False),
        pa.field("target", pa.string(), nullable=False),
        pa.field("logit", pa.float32(), nullable=False),
    ]
)
SIGNATURES_SCHEMA = pa.schema(
    [
        pa.field("layer", pa.int16(), nullable=False),
        pa.field("head", pa.int16(), nullable=False),
        pa.field("kv_head", pa.int16(), nullable=False),
        *(pa.field(name, pa.float32(), nullable=False) for name in Signatures.names()),
    ]
)
MAP_TABLES = {"maps": MAPS_SCHEMA, "signatures": SIGNATURES_SCHEMA}


def to_tables(heads: Iterable[HeadMap]) -> dict[str, pa.Table]:
    """The rows of some heads, by table."""
    heads = list(heads)
    rows = {
        "maps": [row for head in heads for row in _map_rows(head)],
        "signatures": [_signature_row(head) for head in heads],
    }
    return {name: pa.Table.from_pylist(rows[name], schema=MAP_TABLES[name]) for name in MAP_TABLES}


def _map_rows(head: HeadMap) -> Iterator[dict[str, Any]]:
    for source_rank, mapping in enumerate(head.mappings):
        for side, targets in (("top", mapping.targets), ("bottom", mapping.suppressed)):
            for target_rank, target in enumerate(targets):
                yield {
                    "layer": head.head.layer,
                    "head": head.head.head,
                    "source_rank": source_rank,
                    "source_id": mapping.source.id,
                    "source": mapping.source.text,
                    "sigma": None if math.isnan(mapping.sigma) else mapping.sigma,
                    "side": side,
                    "target_rank": target_rank,
                    "target_id": target.token.id,
                    "target": target.token.text,
                    "logit": target.logit,
                }


def _signature_row(head: HeadMap) -> dict[str, Any]:
    numbers = {name: getattr(head.signatures, name) for name in Signatures.names()}
    return {
        "layer": head.head.layer,
        "head": head.head.head,
        "kv_head": head.kv_head,
        **numbers,
    }


def to_summaries(signatures: pa.Table) -> list[HeadSummary]:
    """The records of the signatures table, in its order."""
    return [
        HeadSummary(
            HeadId(row["layer"], row["head"]),
            row["kv_head"],
            Signatures(**{name: row[name] for name in Signatures.names()}),
        )
        for row in signatures.to_pylist()
    ]


def to_heads(maps: pa.Table, signatures: pa.Table) -> Iterator[HeadMap]:
    """The records of the heads in both tables, in the tables' order.

    Args:
        maps: rows of the maps table, each head's together.
        signatures: the same heads' rows of the signatures table.
    """
    by_head = groupby(maps.to_pylist(), key=lambda row: (row["layer"], row["head"]))
    for (_, rows), summary in zip(by_head, to_summaries(signatures), strict=True):
        by_source = groupby(rows, key=lambda row: row["source_rank"])
        mappings = tuple(_mapping(list(group)) for _, group in by_source)
        yield HeadMap(summary.head, summary.kv_head, mappings, summary.signatures)


def _mapping(rows: list[dict[str, Any]]) -> SalientMapping:
    def side(name: str) -> tuple[Target, ...]:
        return tuple(
            Target(Token(row["target_id"], row["target"]), row["logit"])
            for row in rows
            if row["side"] == name
        )

    first = rows[0]
    return SalientMapping(
        source=Token(first["source_id"], first["source"]),
        sigma=math.nan if first["sigma"] is None else first["sigma"],
        targets=side("top"),
        suppressed=side("bottom"),
    )
