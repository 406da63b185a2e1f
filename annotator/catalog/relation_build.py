"""Relation scores while they are computed: a shard of each table per group of layers, joined last.

What replaces older scores is built beside them, and they go only when it is finished. Then
`relations.json` is taken away first and written last, so that no mixture is ever read. A killed
run resumes at the first missing group.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from annotator.catalog.files import make_folder, read_table, write_table
from annotator.catalog.lock import alone
from annotator.catalog.manifest import Manifest
from annotator.catalog.relation_run import FILE, REMEDY, RelationRun
from annotator.catalog.relations import SCORES, SHARDS, to_shards, with_q
from annotator.errors import CatalogBroken, NoRelations

if TYPE_CHECKING:
    from annotator.maps.relations import LayerScores

# Not in the folder of the map's shards, which a finished `annotator map` takes away.
BUILDING = "building-relations"


@contextmanager
def building(
    folder: Path, run: RelationRun, groups: Sequence[tuple[int, ...]]
) -> Generator[RelationBuilder]:
    """Relation scores to add to, by one process at a time.

    Args:
        folder: the catalog's directory.
        run: what is scored, and how; shards of another are of no use and go.
        groups: the layers of each shard.

    Raises:
        CatalogBusy: another process writes the catalog.
        CatalogUnwritable: it cannot be written.
    """
    with alone(folder):
        yield RelationBuilder(folder, run, groups)


class RelationBuilder:
    """See `building`."""

    def __init__(self, folder: Path, run: RelationRun, groups: Sequence[tuple[int, ...]]) -> None:
        self.folder = folder
        self.run = run
        self.groups = groups
        self.shards = folder / BUILDING
        try:
            same = RelationRun.read(self.shards) == run
        except (NoRelations, CatalogBroken):
            same = False
        if not same:
            shutil.rmtree(self.shards, ignore_errors=True)
            make_folder(self.shards)
            run.write(self.shards)

    def missing(self) -> list[tuple[int, ...]]:
        """The groups that are not finished, ascending."""
        return [g for g in self.groups if not all(self._shard(t, g).is_file() for t in SHARDS)]

    def add(self, layers: Iterable[LayerScores], group: tuple[int, ...]) -> None:
        """Write one group's shards.

        Raises:
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        dims = Manifest.read(self.folder).dims
        tables = to_shards(layers, self.run.valid, dims["n_heads"] // dims["n_kv_heads"])
        for name, table in tables.items():
            write_table(self._shard(name, group), table)

    def finish(self) -> None:
        """Find q, put the whole tables in the place of older ones, and remove the shards.

        Raises:
            CatalogBroken: a shard cannot be read.
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        tables = {name: self._joined(name) for name in SHARDS}
        tables[SCORES] = with_q(tables[SCORES])
        (self.folder / FILE).unlink(missing_ok=True)
        for name, table in tables.items():
            write_table(self.folder / f"{name}.parquet", table)
        self.run.write(self.folder)
        shutil.rmtree(self.shards, ignore_errors=True)

    def _joined(self, name: str) -> pa.Table:
        paths = [self._shard(name, group) for group in self.groups]
        try:
            return pa.concat_tables([read_table(path, SHARDS[name]) for path in paths])
        except CatalogBroken as broken:
            raise CatalogBroken(broken.path, broken.reason, REMEDY) from broken

    def _shard(self, table: str, group: tuple[int, ...]) -> Path:
        return self.shards / table / f"L{min(group):03d}.parquet"
