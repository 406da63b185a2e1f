"""What the experiments in inference gave: one shard per relation, in CATALOG/validation/EXPERIMENT.

A shard takes its name only when it is complete and carries the settings it was made with, so that
a killed run resumes at the first relation that is missing, and one with other settings starts over.
What is counted rather than measured of each head (pairs, prompts, what was dropped and why) is no
column: it stands in the shard's facts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from annotator.catalog.files import read_table, write_table
from annotator.errors import CatalogBroken, SettingInvalid

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

FOLDER = "validation"
FORMAT = 1
_KEY = b"annotator"
_REMEDY = "Delete that file and run the same annotator validate again"


def _schema(keys: Mapping[str, pa.DataType], numbers: Mapping[str, pa.DataType]) -> pa.Schema:
    types = {"relation": pa.string(), **keys, **numbers}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()])


_HEAD = {"layer": pa.int16(), "head": pa.int16()}
_STATIC = {"static": pa.float64()}
_SCORES = {**_STATIC, "without": pa.float64(), "with_context": pa.float64()}

CORRELATE = _schema({**_HEAD, "template": pa.int16()}, _SCORES)
"""A row per head and template, from 0; the static score is the same in all of a head's rows."""

MULTI_TOKEN = _schema({"form": pa.string(), **_HEAD}, _SCORES)
"""A row per form of the source ("paper" or "natural") and head; the third template."""

ABLATE = _schema(
    {"kind": pa.string(), "other": pa.string(), "step": pa.int32()},
    {"heads": pa.string(), "correct": pa.int32(), "prompts": pa.int32()},
)
"""A row per measured accuracy, `correct` of `prompts` after `step` heads were silenced.

kind: own (all steps from 0, `other` empty), random (`other` is the draw's number, from 0) or
control (`other` is the relation whose prompts were asked; its step 0 is that one's base accuracy).
heads: those silenced since the row before of the same kind and other, spaces between.
"""

VARIANTS = _schema({"variant": pa.string(), **_HEAD}, _STATIC)
"""A row per variant of the static score and head."""

EXPERIMENTS: dict[str, pa.Schema] = {
    "correlate": CORRELATE,
    "multi_token": MULTI_TOKEN,
    "ablate": ABLATE,
    "variants": VARIANTS,
}


@dataclass(frozen=True)
class Shard:
    """One relation's rows of an experiment.

    Attributes:
        table: of the experiment's schema; no rows where the experiment could not be made.
        facts: what is true of the whole relation, as JSON has it; see `annotator.validate.report`.
    """

    table: pa.Table
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


def score_rows(
    experiment: str,
    scores: Mapping[str, Float[Tensor, "n_layers n_heads"]],
    **keys: str | int,
) -> pa.Table:
    """The rows of one relation and template, form or variant.

    Args:
        experiment: correlate, multi_token or variants.
        scores: for each column of numbers (static, without, with_context) all heads' scores.
        keys: the columns that are the same in all of these rows: relation, and template, form or
            variant.

    Raises:
        SettingInvalid: no such experiment.
    """
    schema = _known(experiment)
    size = next(iter(scores.values())).shape
    columns: dict[str, Any] = {name: [value] * size.numel() for name, value in keys.items()}
    columns["layer"], columns["head"] = (at.ravel() for at in np.indices(size))
    columns |= {name: values.double().cpu().numpy().ravel() for name, values in scores.items()}
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def digest_of(settings: Mapping[str, Any]) -> str:
    """A digest of what a shard was made with: SHA-256 of its canonical JSON."""
    canonical = json.dumps([FORMAT, settings], sort_keys=True, ensure_ascii=False, allow_nan=False)
    return sha256(canonical.encode()).hexdigest()


def write_shard(
    folder: Path, experiment: str, relation: str, shard: Shard, settings: Mapping[str, Any]
) -> None:
    """Write a shard, whole or not at all, in place of the one that is there.

    Args:
        folder: the catalog.
        experiment: one of EXPERIMENTS.
        relation: its name.
        shard: what is written.
        settings: all that enters the numbers, as JSON has it: the pairs' ids, k, dtype and so on.

    Raises:
        SettingInvalid: no such experiment, or a relation's name that is no file's name.
        CatalogUnwritable: the disk is full, or the path cannot be written.
    """
    path = _path(folder, experiment, relation)
    about = {"digest": digest_of(settings), "settings": settings, "facts": shard.facts}
    encoded = json.dumps(about, ensure_ascii=False, allow_nan=False).encode()
    table = shard.table.cast(EXPERIMENTS[experiment])
    write_table(path, table.replace_schema_metadata({_KEY: encoded}))


def read_shard(
    folder: Path, experiment: str, relation: str, settings: Mapping[str, Any]
) -> Shard | None:
    """Read a shard that was made with these settings; None where there is none.

    Raises:
        SettingInvalid: no such experiment, or a relation's name that is no file's name.
        CatalogBroken: it cannot be read.
    """
    path = _path(folder, experiment, relation)
    if not path.is_file():
        return None
    about = _about(path)
    if about["digest"] != digest_of(settings):
        return None
    try:
        table = read_table(path, EXPERIMENTS[experiment])
    except CatalogBroken as broken:
        raise CatalogBroken(broken.path, broken.reason, _REMEDY) from broken
    return Shard(table.replace_schema_metadata(None), about["facts"])


def made_with(folder: Path, experiment: str) -> list[Mapping[str, Any]]:
    """The settings of all shards of an experiment, by the name of the file.

    Raises:
        SettingInvalid: no such experiment.
        CatalogBroken: a shard cannot be read.
    """
    _known(experiment)
    shards = sorted((folder / FOLDER / experiment).glob("*.parquet"))
    return [_about(path)["settings"] for path in shards]


def joined(
    folder: Path, experiment: str, settings: Mapping[str, Mapping[str, Any]]
) -> tuple[pa.Table, dict[str, Mapping[str, Any]]]:
    """The rows of several relations, as one table.

    Args:
        folder: the catalog.
        experiment: one of EXPERIMENTS.
        settings: what each relation's shard was made with, by relation.

    Returns:
        The rows, in the order of the relations; and the facts of those that are there.

    Raises:
        SettingInvalid: no such experiment, or a relation's name that is no file's name.
        CatalogBroken: a shard cannot be read.
    """
    read = {name: read_shard(folder, experiment, name, own) for name, own in settings.items()}
    there = {name: shard for name, shard in read.items() if shard is not None}
    empty = _known(experiment).empty_table()
    rows = pa.concat_tables([empty, *(shard.table for shard in there.values())])
    return rows, {name: shard.facts for name, shard in there.items()}


def _known(experiment: str) -> pa.Schema:
    if experiment not in EXPERIMENTS:
        raise SettingInvalid("experiment", experiment, "one of " + ", ".join(EXPERIMENTS))
    return EXPERIMENTS[experiment]


def _path(folder: Path, experiment: str, relation: str) -> Path:
    _known(experiment)
    if not relation or set(relation) & set("/\\\0"):
        raise SettingInvalid("relation", relation, "a name that a file can have")
    return folder / FOLDER / experiment / f"{relation}.parquet"


def _about(path: Path) -> dict[str, Any]:
    """What a shard says of itself."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        about = json.loads(metadata[_KEY])
        return {name: about[name] for name in ("digest", "settings", "facts")}
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        said = str(error).splitlines()[0]
        reason = "it does not say what it was made with" if isinstance(error, KeyError) else said
        raise CatalogBroken(str(path), reason, _REMEDY) from error
