"""Where a catalog keeps what experiments gave: CATALOG/validation/EXPERIMENT/RELATION.parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from annotator.catalog.shards import Shards

if TYPE_CHECKING:
    from annotator.validate.experiment import Experiment

VALIDATION_FOLDER = "validation"
_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "float64": pa.float64(),
}
VALIDATE_AGAIN = "Delete that file and run the same annotator validate again"


def schema_of(experiment: Experiment) -> pa.Schema:
    """The columns of an experiment's rows."""
    kinds = {"relation": "string"} | {name: one.kind for name, one in experiment.fields.items()}
    return pa.schema([pa.field(name, _TYPES[kind], nullable=False) for name, kind in kinds.items()])


def shards_of(folder: Path, experiment: Experiment) -> Shards:
    """An experiment's shards in a catalog; a part is a relation."""
    return Shards(
        folder / VALIDATION_FOLDER, {experiment.name: schema_of(experiment)}, VALIDATE_AGAIN
    )
