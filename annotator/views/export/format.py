"""What a format of exports has to say of itself, and what every one is made of."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from annotator.atomic_files import whole_file
from annotator.views.export.tables import exported, schemas

if TYPE_CHECKING:
    import pyarrow as pa

    from annotator.catalog.read import Catalog
    from annotator.catalog.summed_results import ExperimentResult
    from annotator.judge.report import Report

NO_LICENSE = "unknown"


@dataclass(frozen=True)
class Contents:
    """What there is to export.

    Attributes:
        catalog: a finished one.
        read_results: reads what experiments gave; told whether the tables of results are wanted,
            and not the rows alone.
        report: sums up the judgments of one describer's descriptions.
        track: passes items through under a progress bar; see `annotator.pipeline.progress`.
        license: what a dataset is published under, as the hub identifies it.
        bom: whether files begin with a byte order mark, in a format where they may.
    """

    catalog: Catalog
    read_results: Callable[[bool], list[ExperimentResult]]
    report: Callable[[str], Report]
    track: Callable[..., Iterable[Any]]
    license: str = NO_LICENSE
    bom: bool = False

    @cached_property
    def results(self) -> list[ExperimentResult]:
        """What experiments gave, with the tables of results."""
        return self.read_results(True)

    def tables(self, *, summed: bool = False) -> dict[str, pa.Table]:
        """Every table that has rows; see `annotator.views.export.tables`.

        Args:
            summed: whether `results` are wanted anyway.
        """
        found = self.results if summed else self.read_results(False)
        return exported(self.catalog, {one.experiment.name: one.rows for one in found})


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        folder: where in a catalog its files are unless another folder is named.
        names: every file that it may have, as paths in a folder that may hold some already.
        write: writes them into an empty folder; yields each, that to be opened first as the first.
        dataset: whether the Hugging Face hub takes it.
        opened: whether a user opens its first file, and need not hear of the others.
        bom: whether its files may begin with a byte order mark.

    Raises (as `names` does):
        CatalogForeign: the folder holds files of somebody else's that would be replaced.
    """

    folder: str
    names: Callable[[Path], Iterable[str]]
    write: Callable[[Path, Contents], Iterable[Path]]
    dataset: bool = False
    opened: bool = False
    bom: bool = False


def table_files(
    name: str, write: Callable[[pa.Table, BinaryIO], None], *, bom: bool = False
) -> Format:
    """A format that has a file for each table.

    Args:
        name: what --to calls it, and the ending of its files.
        write: writes one table.
        bom: whether they may begin with a byte order mark.
    """

    def names(_: Path) -> list[str]:
        return [f"{table}.{name}" for table in schemas()]

    return Format(f"export/{name}", names, partial(_write_files, name, write), bom=bom)


def _write_files(
    name: str, write: Callable[[pa.Table, BinaryIO], None], folder: Path, contents: Contents
) -> Iterator[Path]:
    for table, rows in contents.tables().items():
        with whole_file(folder / f"{table}.{name}") as file:
            if contents.bom:
                file.write(BOM_UTF8)
            write(rows, file)
        yield folder / f"{table}.{name}"
