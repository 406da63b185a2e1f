"""Parts of tables, each written as soon as it is computed: what a killed run does not do again.

A part has a shard of every table, FOLDER/TABLE/PART.parquet. A shard takes its name only when it is
complete. Where it carries the settings it was made with, one with other settings counts as none;
else whoever writes into the folder sees to it that all of its shards belong together. What is
counted rather than measured of each head is no column: it stands in the shard's facts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotator.catalog.table_files import read_table, unreadable, write_table
from annotator.errors import CatalogBroken

SHARD_FORMAT = 1
_KEY = b"annotator"


class Shards:
    """The shards in a folder.

    Args:
        folder: where they are.
        schemas: of the tables, by name.
        remedy: what to do about a broken one.
    """

    def __init__(self, folder: Path, schemas: Mapping[str, pa.Schema], remedy: str) -> None:
        self.folder, self.schemas, self.remedy = folder, schemas, remedy

    def path(self, table: str, part: str) -> Path:
        """Where a shard is, or would be."""
        return self.folder / table / f"{part}.parquet"

    def has(self, part: str, settings: Mapping[str, Any] | None = None) -> bool:
        """Whether every table has its shard of a part, made with these settings.

        Raises:
            CatalogBroken: one does not say what it was made with.
        """
        made = None if settings is None else digest_of(settings)
        return all(
            self.path(table, part).is_file()
            and (made is None or self.about(table, part)["digest"] == made)
            for table in self.schemas
        )

    def write(
        self,
        part: str,
        tables: Mapping[str, pa.Table],
        settings: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a part's shards, each whole or not at all, in place of those that are there.

        Args:
            part: its name.
            tables: its rows, by table.
            settings: all that enters the numbers, as JSON has it.
            facts: what is true of the whole part; with settings only.

        Raises:
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        for name, rows in tables.items():
            table = rows.cast(self.schemas[name])
            if settings is not None:
                digest, known = digest_of(settings), facts or {}
                about = {"digest": digest, "settings": settings, "facts": known}
                text = json.dumps(about, ensure_ascii=False, allow_nan=False)
                table = table.replace_schema_metadata({_KEY: text.encode()})
            write_table(self.path(name, part), table)

    def read(self, table: str, part: str) -> pa.Table:
        """A shard's rows.

        Raises:
            CatalogBroken: it cannot be read.
        """
        found = read_table(self.path(table, part), self.schemas[table], remedy=self.remedy)
        return found.replace_schema_metadata(None)

    def joined(self, table: str, parts: Sequence[str]) -> pa.Table:
        """The rows of several parts, one after the other.

        Raises:
            CatalogBroken: one cannot be read.
        """
        found = [self.read(table, part) for part in parts]
        return pa.concat_tables(found) if found else self.schemas[table].empty_table()

    def about(self, table: str, part: str) -> dict[str, Any]:
        """What a shard says of itself: its digest, settings and facts.

        Raises:
            CatalogBroken: it says nothing of the kind.
        """
        return self._about(self.path(table, part))

    def _about(self, path: Path) -> dict[str, Any]:
        try:
            about = json.loads((pq.read_schema(path.absolute()).metadata or {})[_KEY])
            return {name: about[name] for name in ("digest", "settings", "facts")}
        except KeyError as error:
            raise self._broken(path, "it does not say what it was made with") from error
        except (OSError, TypeError, ValueError, pa.ArrowException) as error:
            raise unreadable(path, error, self.remedy) from error

    def settings(self, table: str) -> list[Mapping[str, Any]]:
        """What each of a table's shards was made with.

        Raises:
            CatalogBroken: one does not say so.
        """
        paths = sorted((self.folder / table).glob("*.parquet"))
        return [self._about(path)["settings"] for path in paths]

    def _broken(self, path: Path, reason: str) -> CatalogBroken:
        return CatalogBroken(str(path), reason, self.remedy)


class LayerShards(Shards):
    """Shards of layers that are computed together, a part for each group.

    Args:
        folder: where they are; it is of one run, whose manifest stands in it or above it.
        schemas: of the tables, by name.
        remedy: what to do about a broken one.
        groups: the layers of each part.
    """

    def __init__(
        self,
        folder: Path,
        schemas: Mapping[str, pa.Schema],
        remedy: str,
        groups: Sequence[tuple[int, ...]],
    ) -> None:
        super().__init__(folder, schemas, remedy)
        self.groups = groups

    def missing(self) -> list[tuple[int, ...]]:
        """The groups that are not finished, ascending."""
        return [group for group in self.groups if not self.has(_part(group))]

    def add(self, tables: Mapping[str, pa.Table], group: tuple[int, ...]) -> None:
        """Write one group's shards.

        Raises:
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        self.write(_part(group), tables)

    def whole(self, table: str) -> pa.Table:
        """All groups' rows.

        Raises:
            CatalogBroken: a shard cannot be read.
        """
        return self.joined(table, list(map(_part, self.groups)))


def digest_of(settings: Mapping[str, Any]) -> str:
    """A digest of what a shard was made with: SHA-256 of its canonical JSON."""
    canonical = json.dumps(
        [SHARD_FORMAT, settings], sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    return sha256(canonical.encode()).hexdigest()


def _part(layers: Sequence[int]) -> str:
    """L012, or L012-015."""
    return "L" + "-".join(f"{layer:03d}" for layer in sorted({min(layers), max(layers)}))
