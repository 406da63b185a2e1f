"""Where a catalog keeps what experiments gave: CATALOG/validation/EXPERIMENT/RELATION.parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from annotator.catalog.shards import Shards
from annotator.errors.catalogs import DELETE_IT
from annotator.paths import file_name

if TYPE_CHECKING:
    from annotator.validate.experiment import Experiment

VALIDATION_FOLDER = "validation"
_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "float64": pa.float64(),
}
VALIDATE_AGAIN = f"{DELETE_IT} the same annotator validate again"


def schema_of(experiment: Experiment) -> pa.Schema:
    """The columns of an experiment's rows."""
    kinds = {"relation": "string"} | {name: one.kind for name, one in experiment.fields.items()}
    return pa.schema([pa.field(name, _TYPES[kind], nullable=False) for name, kind in kinds.items()])


class RelationShards(Shards):
    """Shards whose parts are relations, whatever these are called."""

    def path(self, table: str, part: str) -> Path:
        """Where a relation's shard is, or would be."""
        return super().path(table, file_name(part))


def shards_of(folder: Path, experiment: Experiment) -> RelationShards:
    """An experiment's shards in a catalog."""
    schemas = {experiment.name: schema_of(experiment)}
    return RelationShards(folder / VALIDATION_FOLDER, schemas, VALIDATE_AGAIN)
