"""Building a catalog: a shard of each table per finished layer, joined at the end.

A layer counts as finished when all of its shards have their names, which they take only when
complete; so a killed run resumes at the first missing layer and repeats none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from annotator.catalog.files import join_tables, make_folder, write_table
from annotator.catalog.manifest import FILE, Manifest
from annotator.catalog.schema import TABLES, to_tables
from annotator.errors import CatalogBusy, CatalogForeign, CatalogUnwritable
from annotator.records import HeadMap

LOCK = ".lock"
BUILDING = "building"


class Builder:
    """A catalog while it is built, by one process at a time; use it as a context manager.

    Args:
        folder: where.
        manifest: what will be in it.

    Raises (on entering):
        CatalogBusy: another process builds it.
        CatalogForeign: the folder holds other files.
        CatalogMismatch: it holds another model or other settings.
        CatalogUnwritable: it cannot be made.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._lock = FileLock(folder / LOCK)

    def __enter__(self) -> Builder:
        make_folder(self.folder)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise CatalogBusy(str(self.folder)) from error
        except OSError as error:
            raise CatalogUnwritable(str(self.folder), error.strerror or str(error)) from error
        try:
            self._claim()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _claim(self) -> None:
        if (self.folder / FILE).is_file():
            there = Manifest.read(self.folder)
            there.require_same(self.folder, self.manifest, finished=self.finished)
            return
        ours = {LOCK, f"{FILE}.part"}
        foreign = sorted(path.name for path in self.folder.iterdir() if path.name not in ours)
        if foreign:
            raise CatalogForeign(str(self.folder), foreign[:3])
        self.manifest.write(self.folder)

    @property
    def finished(self) -> bool:
        """Whether every table is complete."""
        return is_finished(self.folder)

    def missing(self) -> list[int]:
        """The layers that are not finished, ascending."""
        if self.finished:
            return []
        layers = range(self.manifest.dims["n_layers"])
        return [n for n in layers if not all(self._shard(name, n).is_file() for name in TABLES)]

    def add(self, heads: Iterable[HeadMap], layer: int) -> None:
        """Write one layer's shards.

        Raises:
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        for name, table in to_tables(heads).items():
            make_folder(self._shard(name, layer).parent)
            write_table(self._shard(name, layer), table)

    def finish(self) -> None:
        """Join the shards and remove them.

        Raises:
            CatalogBroken: a shard cannot be read.
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        layers = range(self.manifest.dims["n_layers"])
        if not self.finished:
            for name, schema in TABLES.items():
                shards = [self._shard(name, layer) for layer in layers]
                join_tables(shards, self.folder / f"{name}.parquet", schema)
        shutil.rmtree(self.folder / BUILDING, ignore_errors=True)

    def _shard(self, table: str, layer: int) -> Path:
        return self.folder / BUILDING / table / f"L{layer:03d}.parquet"


def is_finished(folder: Path) -> bool:
    """Whether a folder's tables are all complete."""
    return all((folder / f"{name}.parquet").is_file() for name in TABLES)
