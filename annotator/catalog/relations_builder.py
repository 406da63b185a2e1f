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

from annotator.atomic_files import make_folder, sync_folder
from annotator.catalog.manifest import Manifest
from annotator.catalog.relations_manifest import RELATIONS_AGAIN, RELATIONS_FILE, RelationRun
from annotator.catalog.relations_tables import SCORES, SHARDS, to_shards, with_q
from annotator.catalog.shards import LayerShards
from annotator.catalog.table_files import write_table
from annotator.errors import CatalogBroken, NoRelations
from annotator.locks import alone

if TYPE_CHECKING:
    from annotator.maps.relations import LayerScores

# Not in the folder of the map's shards, which a finished `annotator map` takes away.
RELATION_SHARDS = "building-relations"


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
        self._shards = LayerShards(folder / RELATION_SHARDS, SHARDS, RELATIONS_AGAIN, groups)
        try:
            same = RelationRun.read(self._shards.folder) == run
        except (NoRelations, CatalogBroken):
            same = False
        if not same:
            shutil.rmtree(self._shards.folder, ignore_errors=True)
            make_folder(self._shards.folder)
            run.write(self._shards.folder)

    def missing(self) -> list[tuple[int, ...]]:
        """The groups that are not finished, ascending."""
        return self._shards.missing()

    def add(self, layers: Iterable[LayerScores], group: tuple[int, ...]) -> None:
        """Write one group's shards.

        Raises:
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        dims = Manifest.read(self.folder).dims
        kv_group = dims["n_heads"] // dims["n_kv_heads"]
        self._shards.add(to_shards(layers, self.run.valid, kv_group), group)

    def finish(self) -> None:
        """Find q, put the whole tables in the place of older ones, and remove the shards.

        Raises:
            CatalogBroken: a shard cannot be read.
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        tables = {name: self._shards.whole(name) for name in SHARDS}
        tables[SCORES] = with_q(tables[SCORES])
        (self.folder / RELATIONS_FILE).unlink(missing_ok=True)
        sync_folder(self.folder)
        for name, table in tables.items():
            write_table(self.folder / f"{name}.parquet", table)
        self.run.write(self.folder)
        shutil.rmtree(self._shards.folder, ignore_errors=True)
