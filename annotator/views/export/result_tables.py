"""Tables of results: numbers for programs, and the same for readers.

CSV holds every number to its last digit, an interval as two columns; Markdown, LaTeX, notebooks and
the page hold three decimals, an interval in one column.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.atomic_files import make_folder, whole_file
from annotator.records import html
from annotator.records.table import (
    INTERVAL,
    NUMBER,
    PAIRED,
    REASON,
    TEXT,
    WHOLE,
    YES,
    Column,
    Table,
)
from annotator.views.export import csv, latex, markdown

if TYPE_CHECKING:
    from typing import BinaryIO

_TYPES = {
    TEXT: pa.string(),
    REASON: pa.string(),
    WHOLE: pa.int64(),
    NUMBER: pa.float64(),
    YES: pa.bool_(),
}
NamedColumn = tuple[str, pa.DataType, Sequence[Any]]


def numbers(table: Table) -> pa.Table:
    """For programs."""
    return _table([named for column in table.columns for named in _numbers(column)])


def shown(table: Table) -> pa.Table:
    """For readers; column names may come twice."""
    return _table([named for column in table.columns for named in _shown(column)])


def to_html(table: Table, caption: str) -> str:
    """What readers are shown, for notebooks."""
    found = shown(table)
    columns = [map(markdown.shown, column.to_pylist()) for column in found.columns]
    cells = ([html.text(cell) for cell in row] for row in zip(*columns, strict=True))
    return html.table(html.text(caption), found.column_names, cells)


def write_result(folder: Path, table: Table, *, bom: bool = False) -> list[Path]:
    """Write NAME.csv, NAME.md and NAME.tex, each whole or not at all.

    Args:
        folder: where.
        table: what is written.
        bom: whether the CSV file begins with a byte order mark.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    files: list[tuple[str, pa.Table, Callable[[pa.Table, BinaryIO], None]]] = [
        ("csv", numbers(table), csv.write),
        ("md", shown(table), markdown.write),
        ("tex", shown(table), latex.write),
    ]
    make_folder(folder)
    for suffix, content, write in files:
        with whole_file(folder / f"{table.name}.{suffix}") as file:
            if bom and suffix == "csv":
                file.write(BOM_UTF8)
            write(content, file)
    return [folder / f"{table.name}.{suffix}" for suffix, *_ in files]


def _numbers(column: Column) -> Iterator[NamedColumn]:
    name, values = column.name, column.values
    if name is None:
        return
    if column.kind not in (INTERVAL, PAIRED):
        yield name, _TYPES[column.kind], values
        return
    parts = {"": 0, "_low": 1, "_high": 2} if column.kind == PAIRED else {"_low": 0, "_high": 1}
    for suffix, at in parts.items():
        yield f"{name}{suffix}", pa.float64(), [None if v is None else v[at] for v in values]


def _shown(column: Column) -> Iterator[NamedColumn]:
    label, values = column.label, column.values
    if label is None or (column.kind == REASON and not any(values)):
        return
    if column.kind in _SHOWN:
        yield label, pa.string(), list(map(_SHOWN[column.kind], values))
    else:
        yield label, _TYPES[column.kind], values


def interval_shown(ends: Sequence[float] | None) -> str | None:
    """The ends of an interval as a reader wants them."""
    return None if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _paired_shown(paired: Sequence[float] | None) -> str | None:
    """A difference and its interval, with signs."""
    if paired is None:
        return None
    difference, low, high = paired
    return f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"


_SHOWN: Mapping[str, Callable[[Any], str | None]] = {
    REASON: lambda reason: reason or "",
    INTERVAL: interval_shown,
    PAIRED: _paired_shown,
}


def _table(columns: Sequence[NamedColumn]) -> pa.Table:
    schema = pa.schema([pa.field(name, kind) for name, kind, _ in columns])
    arrays = [pa.array(values, type=kind) for _, kind, values in columns]
    return pa.Table.from_arrays(arrays, schema=schema)
