"""Building a catalog: a shard of each table per group of layers, joined at the end.

A group is what the engine computes together: one layer, or a few narrow ones. It counts as finished
when its shards have their names, which they take only when complete; so a killed run resumes at the
first missing group, and no finished layer is computed again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from annotator.atomic_files import is_part, make_folder
from annotator.catalog.manifest import MANIFEST_FILE, Manifest
from annotator.catalog.schema import MAP_TABLES, to_tables
from annotator.catalog.shards import LayerShards
from annotator.catalog.table_files import write_table
from annotator.errors import CatalogForeign, CatalogUnwritable
from annotator.errors.catalogs import DELETE_IT
from annotator.locks import LOCK, alone
from annotator.records import HeadMap

MAP_SHARDS = "building"
MAP_AGAIN = f"{DELETE_IT} the same annotator map again"


class Builder:
    """A catalog while it is built, by one process at a time; use it as a context manager.

    Args:
        folder: where.
        manifest: what will be in it.
        groups: the layers of each shard.

    Raises (on entering):
        CatalogBusy: another process builds it.
        CatalogForeign: the folder holds other files.
        CatalogMismatch: it holds another model or other settings.
        CatalogUnwritable: it cannot be made.
    """

    def __init__(self, folder: Path, manifest: Manifest, groups: Sequence[tuple[int, ...]]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._shards = LayerShards(folder / MAP_SHARDS, MAP_TABLES, MAP_AGAIN, groups)
        self._opened = ExitStack()

    def __enter__(self) -> Builder:
        refuse_foreign(self.folder)
        make_folder(self.folder)
        with ExitStack() as opened:
            opened.enter_context(alone(self.folder))
            self._claim()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _claim(self) -> None:
        if (self.folder / MANIFEST_FILE).is_file():
            there = Manifest.read(self.folder)
            there.require_same(self.folder, self.manifest, finished=self.finished)
            return
        self.manifest.write(self.folder)

    @property
    def finished(self) -> bool:
        """Whether every table is complete."""
        return is_finished(self.folder)

    def missing(self) -> list[tuple[int, ...]]:
        """The groups that are not finished, ascending."""
        return [] if self.finished else self._shards.missing()

    def add(self, heads: Iterable[HeadMap], group: tuple[int, ...]) -> None:
        """Write one group's shards.

        Raises:
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        self._shards.add(to_tables(heads), group)

    def finish(self) -> None:
        """Join the shards and remove them.

        Raises:
            CatalogBroken: a shard cannot be read.
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        for name in () if self.finished else MAP_TABLES:
            write_table(self.folder / f"{name}.parquet", self._shards.whole(name))
        shutil.rmtree(self.folder / MAP_SHARDS, ignore_errors=True)


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds files but no catalog.

    Raises:
        CatalogForeign: it does.
        CatalogUnwritable: it is no folder, or cannot be read.
    """
    try:
        present = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise CatalogUnwritable(str(folder), error.strerror or str(error)) from error
    foreign = [name for name in present if name != LOCK and not is_part(name)]
    if MANIFEST_FILE not in present and foreign:
        raise CatalogForeign(str(folder), foreign[:3])


def is_finished(folder: Path) -> bool:
    """Whether a folder's tables are all complete."""
    return all((folder / f"{name}.parquet").is_file() for name in MAP_TABLES)
