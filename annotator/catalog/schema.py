"""The flat, fixed schemas of a catalog's tables, and records to rows and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
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

    Raises:
        ValueError: they are not, or are in another order.
    """
    summaries, runs = to_summaries(signatures), list(_runs(maps, "layer", "head"))
    layers, heads = (maps[name].to_numpy() for name in ("layer", "head"))
    there = [(layers[start], heads[start]) for start, _ in runs]
    if there != [(one.head.layer, one.head.head) for one in summaries]:
        raise ValueError("the heads of the two tables, or their order, differ")
    return _heads(maps, summaries, runs)


def _heads(
    maps: pa.Table, summaries: list[HeadSummary], runs: list[tuple[int, int]]
) -> Iterator[HeadMap]:
    for summary, (start, end) in zip(summaries, runs, strict=True):
        mappings = tuple(_mappings(maps.slice(start, end - start)))
        yield HeadMap(summary.head, summary.kv_head, mappings, summary.signatures)


def _mappings(rows: pa.Table) -> Iterator[SalientMapping]:
    """The records of one head's rows: of each source the promoted targets, then the suppressed."""
    names = ("source_id", "source", "sigma", "side", "target_id", "target", "logit")
    columns: list[list[Any]] = [rows[name].to_pylist() for name in names]
    ids, texts, sigmas, sides, target_ids, target_texts, logits = columns
    targets = tuple(map(Target, map(Token, target_ids, target_texts), logits))
    for start, end in _runs(rows, "source_rank"):
        middle = start + sides[start:end].count("top")
        sigma = math.nan if sigmas[start] is None else sigmas[start]
        source = Token(ids[start], texts[start])
        yield SalientMapping(source, sigma, targets[start:middle], targets[middle:end])


def _runs(table: pa.Table, *names: str) -> Iterator[tuple[int, int]]:
    """Where the rows begin and end that follow one another and have the same in these columns."""
    if not table.num_rows:
        return iter(())
    columns = [table[name].to_numpy() for name in names]
    changed = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return pairwise([0, *(np.flatnonzero(changed) + 1).tolist(), table.num_rows])
