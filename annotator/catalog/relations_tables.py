"""The relation tables of a catalog: their schemas, rows to records and back, and reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from annotator.catalog.manifest import Manifest
from annotator.catalog.relations_manifest import RELATIONS_AGAIN, RelationRun
from annotator.catalog.table_files import read_table
from annotator.errors import CatalogBroken
from annotator.records import HeadId, RelationPairs, RelationScore

if TYPE_CHECKING:
    from annotator.maps.relations import LayerScores

SCORES = "relations"
CURVES = "relation_curves"

_FIELDS = tuple(field.name for field in fields(RelationScore) if field.name != "head")
_VERDICTS = ("flagged", "implements", "suppresses")
_TYPES: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("layer", "head", "kv_head", "k"), pa.int16()),
    "sources": pa.int32(),
    "relation": pa.string(),
    **dict.fromkeys(("phi", "p", "q"), pa.float64()),
    **dict.fromkeys(("suppression", "suppression_p", "suppression_q"), pa.float64()),
    **dict.fromkeys(_VERDICTS, pa.bool_()),
}


def _schema(*columns: str) -> pa.Schema:
    return pa.schema([pa.field(name, _TYPES[name], nullable=False) for name in columns])


_CURVE = _schema("layer", "head", "relation", "k", "phi", "suppression")
RELATION_TABLES = {
    SCORES: _schema("layer", "head", "kv_head", *_FIELDS, *_VERDICTS),
    CURVES: _CURVE,
}
"""A row per head and valid relation; and for each of these a row for every k up to k_max."""
_LATER = {"q", "suppression_q", *_VERDICTS}
SHARDS = {
    SCORES: _schema(*(name for name in RELATION_TABLES[SCORES].names if name not in _LATER)),
    CURVES: _CURVE,
}
"""The same while they are built: q needs all heads."""


def to_shards(
    layers: Iterable[LayerScores], relations: Sequence[RelationPairs], kv_group: int
) -> dict[str, pa.Table]:
    """The rows of some layers, by table.

    Args:
        layers: their scores, with p.
        relations: the ones that are scored.
        kv_group: query heads that share a value head.
    """
    layers = list(layers)
    rows = {
        SCORES: [row for one in layers for row in _score_rows(one, relations, kv_group)],
        CURVES: [row for one in layers for row in _curve_rows(one, relations)],
    }
    return {name: pa.Table.from_pylist(rows[name], schema=SHARDS[name]) for name in SHARDS}


def _score_rows(
    scores: LayerScores, relations: Sequence[RelationPairs], kv_group: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for pairs in relations:
        ranks = scores.relations[pairs.name]
        assert ranks.p is not None
        assert ranks.suppression_p is not None
        columns = {
            "phi": ranks.phi()[:, pairs.k - 1].tolist(),
            "p": ranks.p.tolist(),
            "suppression": ranks.suppression()[:, pairs.k - 1].tolist(),
            "suppression_p": ranks.suppression_p.tolist(),
        }
        fixed = {"relation": pairs.name, "k": pairs.k, "sources": len(ranks.source_ids)}
        for head, values in enumerate(zip(*columns.values(), strict=True)):
            at = {"layer": scores.layer, "head": head, "kv_head": head // kv_group}
            rows.append({**at, **fixed, **dict(zip(columns, values, strict=True))})
    return sorted(rows, key=lambda row: row["head"])


def _curve_rows(scores: LayerScores, relations: Sequence[RelationPairs]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for pairs in relations:
        ranks = scores.relations[pairs.name]
        both = zip(ranks.phi().tolist(), ranks.suppression().tolist(), strict=True)
        for head, (phi, suppression) in enumerate(both):
            at = {"layer": scores.layer, "head": head, "relation": pairs.name}
            for k, (up, down) in enumerate(zip(phi, suppression, strict=True), start=1):
                rows.append({**at, "k": k, "phi": up, "suppression": down})
    return sorted(rows, key=lambda row: row["head"])


def with_q(shards: pa.Table) -> pa.Table:
    """All heads' scores with their q, over heads, relations and both signs, and what follows."""
    from scipy.stats import false_discovery_control

    rows = shards.to_pylist()
    q = false_discovery_control([row[p] for p in ("p", "suppression_p") for row in rows]).tolist()
    for row, up, down in zip(rows, q[: len(rows)], q[len(rows) :], strict=True):
        row |= {"q": up, "suppression_q": down}
        score = _score(row)
        row |= {verdict: getattr(score, verdict) for verdict in _VERDICTS}
    return pa.Table.from_pylist(rows, schema=RELATION_TABLES[SCORES])


def read_scores(
    folder: Path, head: HeadId | None = None, relation: str | None = None
) -> list[RelationScore]:
    """Scores by layer and head, and by relation as they were given.

    Args:
        folder: the catalog's directory.
        head: only of this one; None: of all.
        relation: only on this one; None: on all.

    Raises:
        NoRelations: the catalog has none.
        CatalogBroken: they cannot be read.
    """
    table = read_relation_table(folder, SCORES)
    if head is not None:
        table = table.filter((pc.field("layer") == head.layer) & (pc.field("head") == head.head))
    if relation is not None:
        table = table.filter(pc.field("relation") == relation)
    return list(map(_score, table.to_pylist()))


def read_relation_table(folder: Path, name: str) -> pa.Table:
    """One of the relation tables.

    Raises:
        NoRelations: the catalog has none.
        CatalogBroken: it cannot be read, or lacks rows.
    """
    run, dims = RelationRun.read(folder), Manifest.read(folder).dims
    path = folder / f"{name}.parquet"
    table = read_table(path, RELATION_TABLES[name], remedy=RELATIONS_AGAIN)
    expected = dims["n_layers"] * dims["n_heads"] * len(run.valid)
    if name == CURVES:
        expected *= run.settings["k_max"]
    if len(table) != expected:
        raise CatalogBroken(str(path), f"it has {len(table)} rows, not {expected}", RELATIONS_AGAIN)
    return table


def _score(row: dict[str, Any]) -> RelationScore:
    head = HeadId(row["layer"], row["head"])
    return RelationScore(head, **{name: row[name] for name in _FIELDS})
