"""The tables that every export has, whatever its format: one schema each.

Every table begins with whose it is (`model`, `revision`), a table of heads goes on with which head
(`id`, `layer`, `head`); then come the columns of the catalog's own table. A table without rows is
not exported: relations that were not scored, experiments that were not made, descriptions and
judgments that nobody gave.

Nothing in them is secret; see `annotator.views.export.public_names`. What people and language
models wrote is there word for word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from annotator.catalog import descriptions, judgments
from annotator.catalog import relations_tables as relations
from annotator.catalog.experiment_shards import schema_of
from annotator.catalog.read import TELLING, Catalog
from annotator.catalog.schema import MAPS_SCHEMA, SIGNATURES_SCHEMA
from annotator.errors import CatalogBroken
from annotator.records import HeadId
from annotator.views.export.columns import COLUMN, by_table
from annotator.views.export.public_names import pseudonyms as pseudonyms
from annotator.views.export.public_names import public_model

if TYPE_CHECKING:
    import pandas as pd

    from annotator.validate.experiment import Experiment

_MODEL = [pa.field("model", pa.string(), nullable=False), pa.field("revision", pa.string())]
_ID = pa.field("id", pa.string(), nullable=False)
_AT = ("layer", "head")


def _of_heads(*fields: pa.Field[Any]) -> pa.Schema:
    at = [field for name in _AT for field in fields if field.name == name]
    return pa.schema([*_MODEL, _ID, *at, *(field for field in fields if field.name not in _AT)])


IDENTITY = (*(field.name for field in _MODEL), _ID.name, *_AT)
"""The columns that every table of heads begins with."""
_OWN: dict[str, pa.Schema] = {
    "heads": _of_heads(*SIGNATURES_SCHEMA, pa.field(TELLING, pa.float64(), nullable=False)),
    "mappings": _of_heads(*MAPS_SCHEMA),
    **{name: _of_heads(*schema) for name, schema in relations.RELATION_TABLES.items()},
    descriptions.DESCRIPTIONS: _of_heads(*descriptions.DESCRIPTIONS_SCHEMA),
    judgments.JUDGMENTS_NAME: _of_heads(*judgments.JUDGMENT_TABLES[judgments.JUDGMENTS_NAME]),
    judgments.VERDICTS: _of_heads(*judgments.JUDGMENT_TABLES[judgments.VERDICTS]),
    judgments.STUDIES: pa.schema([*_MODEL, *judgments.JUDGMENT_TABLES[judgments.STUDIES]]),
}


def schemas() -> dict[str, pa.Schema]:
    """Every table that an export may have: the catalog's, then those of the experiments."""
    return {**_OWN, **{name: _measured_schema(own) for name, own in by_table().items()}}


def _measured_schema(rows: Sequence[Experiment]) -> pa.Schema:
    """The columns of experiments that share a table; those that not all have may be null."""
    every = [schema_of(one) for one in rows]
    names = dict.fromkeys(name for schema in every for name in schema.names)
    types = {field.name: field.type for schema in every for field in schema}
    keys = [name for name in names if not pa.types.is_floating(types[name])]
    shared = [pa.field(COLUMN, pa.string(), nullable=False)] if rows[0].exported.shared else []
    fields = [
        pa.field(name, types[name], nullable=not all(name in schema.names for schema in every))
        for name in (*keys, *(name for name in names if name not in keys))
    ]
    if {*_AT} <= {*names}:
        return _of_heads(*shared, *fields)
    return pa.schema([*_MODEL, *shared, *fields])


def exported(
    catalog: Catalog,
    measured: Mapping[str, pd.DataFrame],
    wanted: Collection[str] | None = None,
) -> dict[str, pa.Table]:
    """The tables of a catalog that have rows, in the order of `schemas`.

    Args:
        catalog: a finished one.
        measured: the rows of experiments, by name.
        wanted: only tables of these names; None: all.

    Raises:
        CatalogBroken: a table cannot be read, lacks rows, or holds a number that is none.
        LedgerUnusable: the descriptions or judgments cannot be read.
    """
    every = schemas()
    wanted = every if wanted is None else wanted
    found = {"heads": _heads(catalog), "mappings": _mappings(catalog)}
    there = {*catalog.tables()} & {*wanted}
    found |= {name: catalog.table(name) for name in relations.RELATION_TABLES if name in there}
    found |= _said(catalog)
    found |= _measured(measured)
    names = [name for name in every if name in wanted and found.get(name)]
    return {name: _whole(catalog, name, every[name], found[name]) for name in names}


def _heads(catalog: Catalog) -> pa.Table:
    heads = catalog.heads()
    _require_all(catalog, "signatures", len(heads))
    table = catalog.table("signatures")
    telling = {head.head: head.signatures.telling for head in heads}
    at = zip(*(table[name].to_pylist() for name in _AT), strict=True)
    values = [telling[HeadId(*one)] for one in at]
    return table.append_column(TELLING, pa.array(values, pa.float64()))


def _mappings(catalog: Catalog) -> pa.Table:
    table = catalog.table("maps")
    _require_all(catalog, "maps", table.group_by(list(_AT)).aggregate([]).num_rows)
    return table


def _require_all(catalog: Catalog, name: str, heads: int) -> None:
    if heads != len(catalog):
        problem = f"it has rows of {heads} heads, not {len(catalog)}"
        raise CatalogBroken(str(catalog.folder / f"{name}.parquet"), problem)


def _said(catalog: Catalog) -> dict[str, pa.Table]:
    """Descriptions and judgments; the latter by head, language model and rater."""
    describers, raters = catalog.describers(), pseudonyms(catalog)
    llms = {who.llm: describers.llm(who) for who in describers.there}
    names = (descriptions.DESCRIPTIONS, *judgments.JUDGMENT_TABLES)
    said = {name: _renamed(catalog.table(name), "llm", llms) for name in names}
    judged = _renamed(said[judgments.JUDGMENTS_NAME], "rater", raters)
    rows = judged.to_pylist()
    order = list(raters.values())
    by = ("layer", "head", "llm", "describer", "kind", "item")
    rows.sort(key=lambda row: (*(row[name] for name in by), order.index(row["rater"])))
    return said | {judgments.JUDGMENTS_NAME: pa.Table.from_pylist(rows, schema=judged.schema)}


def _renamed(table: pa.Table, column: str, names: Mapping[str, str]) -> pa.Table:
    at = table.schema.get_field_index(column)
    values = [names[str(value)] for value in table[column].to_pylist()]
    return table.set_column(at, table.schema.field(at), pa.array(values, pa.string()))


def _measured(frames: Mapping[str, pd.DataFrame]) -> dict[str, pa.Table]:
    """The rows of experiments, those that share a table one after the other."""
    found: dict[str, pa.Table] = {}
    for name, sharing in by_table().items():
        parts: list[pa.Table] = []
        for one in sharing:
            # One that was not made has its columns all the same: they are empty then.
            schema = schema_of(one)
            rows = schema.empty_table()
            if one.name in frames:
                rows = pa.Table.from_pandas(frames[one.name], schema, preserve_index=False)
            named = pa.repeat(pa.scalar(one.command, pa.string()), len(rows))
            parts.append(rows.append_column(COLUMN, named))
        found[name] = pa.concat_tables(parts, promote_options="default")
    return found


def _whole(catalog: Catalog, name: str, schema: pa.Schema, rows: pa.Table) -> pa.Table:
    """The rows with whose they are, as their schema has it."""
    manifest = catalog.manifest
    model, revision = public_model(manifest), manifest.model.get("revision")
    columns: dict[str, Any] = {one: rows[one] for one in rows.column_names}
    columns["model"] = pa.repeat(model, len(rows))
    columns["revision"] = pa.repeat(pa.scalar(revision, pa.string()), len(rows))
    if _ID.name in schema.names:
        of = f"{model}@{revision or manifest.model['weight_digest'][:12]}"
        # A table of curves may have millions of rows: their ids are put together in Arrow.
        layers, heads = (pc.cast(rows[one], pa.string()) for one in _AT)
        parts: list[Any] = [f"{of}/L", layers, "H", heads, ""]
        columns[_ID.name] = pc.binary_join_element_wise(*parts)
    for field in schema:
        if pa.types.is_floating(field.type) and not _finite(columns[field.name]):
            raise CatalogBroken(str(catalog.folder), f"{field.name} in {name} is not finite")
    return pa.table([columns[one] for one in schema.names], schema=schema)


def _finite(column: Any) -> bool:
    return bool(pc.all(pc.is_finite(column), min_count=0).as_py())
