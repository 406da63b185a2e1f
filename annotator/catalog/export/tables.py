"""The tables that every export has, whatever its format: one schema each.

Every table begins with whose it is (`model`, `revision`), a table of heads goes on with which head
(`id`, `layer`, `head`); then come the columns of the catalog's own table. A table without rows is
not exported: relations that were not scored, experiments that were not made, descriptions and
judgments that nobody gave.

Nothing in them is secret; see `annotator.catalog.export.public`. What people and language models
wrote is there word for word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotator.catalog import descriptions, judgments, relations, validation
from annotator.catalog.export.public import pseudonyms as pseudonyms
from annotator.catalog.export.public import public_model
from annotator.catalog.read import TELLING, Catalog
from annotator.catalog.recorded import Recorded
from annotator.catalog.schema import MAPS, SIGNATURES
from annotator.errors import CatalogBroken
from annotator.records import HeadId

_EXPERIMENTS = {"correlate": "correlate", "multi_token": "multi-token", "variants": "variants"}
"""Those that give a number to each head, as the catalog and as the command line name them."""
_MODEL = [pa.field("model", pa.string(), nullable=False), pa.field("revision", pa.string())]
_ID = pa.field("id", pa.string(), nullable=False)
_AT = ("layer", "head")


def _of_heads(*fields: pa.Field[Any]) -> pa.Schema:
    at = [field for name in _AT for field in fields if field.name == name]
    return pa.schema([*_MODEL, _ID, *at, *(field for field in fields if field.name not in _AT)])


def _of_experiments() -> pa.Schema:
    """Their columns together; those that not all have may be null."""
    every = [validation.EXPERIMENTS[name] for name in _EXPERIMENTS]
    names = dict.fromkeys(name for schema in every for name in schema.names)
    types = {field.name: field.type for schema in every for field in schema}
    keys = [name for name in names if not pa.types.is_floating(types[name])]
    fields = [
        pa.field(name, types[name], nullable=not all(name in schema.names for schema in every))
        for name in (*keys, *(name for name in names if name not in keys))
    ]
    return _of_heads(pa.field("experiment", pa.string(), nullable=False), *fields)


IDENTITY = (*(field.name for field in _MODEL), _ID.name, *_AT)
"""The columns that every table of heads begins with."""
SCHEMAS: dict[str, pa.Schema] = {
    "heads": _of_heads(*SIGNATURES, pa.field(TELLING, pa.float64(), nullable=False)),
    "mappings": _of_heads(*MAPS),
    **{name: _of_heads(*schema) for name, schema in relations.TABLES.items()},
    descriptions.NAME: _of_heads(*descriptions.SCHEMA),
    judgments.NAME: _of_heads(*judgments.TABLES[judgments.NAME]),
    judgments.VERDICTS: _of_heads(*judgments.TABLES[judgments.VERDICTS]),
    judgments.STUDIES: pa.schema([*_MODEL, *judgments.TABLES[judgments.STUDIES]]),
    "validation": _of_experiments(),
    "ablations": pa.schema([*_MODEL, *validation.ABLATE]),
}


def exported(
    catalog: Catalog, recorded: Recorded | None, wanted: Collection[str] = SCHEMAS
) -> dict[str, pa.Table]:
    """The tables of a catalog that have rows, in the order of SCHEMAS.

    Args:
        catalog: a finished one.
        recorded: what experiments gave; None: nothing of it is wanted.
        wanted: only tables of these names.

    Raises:
        CatalogBroken: a table cannot be read, lacks rows, or holds a number that is none.
        LedgerUnusable: the descriptions or judgments cannot be read.
    """
    found = {"heads": _heads(catalog), "mappings": _mappings(catalog)}
    there = {*catalog.tables()} & {*wanted}
    found |= {name: catalog.table(name) for name in relations.TABLES if name in there}
    found |= _said(catalog)
    found |= _measured(recorded or Recorded())
    names = [name for name in SCHEMAS if name in wanted and found.get(name)]
    return {name: _whole(catalog, name, found[name]) for name in names}


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
    names = (descriptions.NAME, *judgments.TABLES)
    said = {name: _renamed(catalog.table(name), "llm", llms) for name in names}
    judged = _renamed(said[judgments.NAME], "rater", raters)
    rows = judged.to_pylist()
    order = list(raters.values())
    by = ("layer", "head", "llm", "describer", "kind", "item")
    rows.sort(key=lambda row: (*(row[name] for name in by), order.index(row["rater"])))
    return said | {judgments.NAME: pa.Table.from_pylist(rows, schema=judged.schema)}


def _renamed(table: pa.Table, column: str, names: Mapping[str, str]) -> pa.Table:
    at = table.schema.get_field_index(column)
    values = [names[str(value)] for value in table[column].to_pylist()]
    return table.set_column(at, table.schema.field(at), pa.array(values, pa.string()))


def _measured(recorded: Recorded) -> dict[str, pa.Table]:
    """The rows of the experiments, one after the other."""
    rows: dict[str, list[pa.Table]] = {"validation": [], "ablations": []}
    for experiment, schema in validation.EXPERIMENTS.items():
        # One that was not made has its columns all the same: they are empty then.
        table = schema.empty_table()
        if experiment in recorded.tables:
            frame = recorded.tables[experiment]
            table = pa.Table.from_pandas(frame, schema, preserve_index=False)
        if experiment in _EXPERIMENTS:
            name = pa.repeat(pa.scalar(_EXPERIMENTS[experiment], pa.string()), len(table))
            rows["validation"].append(table.append_column("experiment", name))
        else:
            rows["ablations"].append(table)
    return {
        name: pa.concat_tables(parts, promote_options="default") for name, parts in rows.items()
    }


def _whole(catalog: Catalog, name: str, rows: pa.Table) -> pa.Table:
    """The rows with whose they are, as their schema has it."""
    manifest, schema = catalog.manifest, SCHEMAS[name]
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
