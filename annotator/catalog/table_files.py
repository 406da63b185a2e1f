"""Tables as Parquet files: written whole or not at all, and a broken one named when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from annotator.atomic_files import make_folder, whole_file
from annotator.errors import CatalogBroken
from annotator.errors.catalogs import DELETE_IT

# Checksums: a flipped bit is an error that names the file, not a number that is a little off.
_ROWS = 1 << 14  # a row group; a head's rows are found by their group's statistics
_PARQUET: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file, whole or not at all; its folder is made where there is none.

    Raises:
        CatalogUnwritable: the disk is full, or the path cannot be written.
    """
    # Encoded in memory first: Arrow calling back into Python would meet Ctrl-C in the middle of a
    # file, and report it as an error of its own.
    encoded = pa.BufferOutputStream()
    pq.write_table(table, encoded, row_group_size=_ROWS, **_PARQUET)
    make_folder(path.parent)
    with whole_file(path) as file:
        file.write(encoded.getvalue())


def unreadable(path: Path, error: Exception, remedy: str) -> CatalogBroken:
    """What a file comes to that cannot be read; one that cannot be opened is not at fault."""
    try:
        path.open("rb").close()
    except FileNotFoundError:
        again = remedy.replace(DELETE_IT, "Run")
        return CatalogBroken(str(path), "there is no such file", again)
    except OSError as system:  # Arrow names no reason of the system's
        return CatalogBroken.unreadable(str(path), system.strerror or str(system))
    return CatalogBroken(str(path), str(error).splitlines()[0].rstrip("."), remedy)


def read_table(
    path: Path,
    schema: pa.Schema,
    where: pc.Expression | None = None,
    remedy: str = CatalogBroken.remedy,
) -> pa.Table:
    """Read a Parquet file that must have this schema.

    Args:
        path: the file.
        schema: its columns.
        where: only these rows; None: all.
        remedy: what to do about a broken one.

    Raises:
        CatalogBroken: it cannot be read, or has another schema.
    """
    try:
        table = pq.read_table(path.absolute(), filters=where, page_checksum_verification=True)
        table.validate(full=True)
        same = table.schema.equals(schema)
    except pa.ArrowCancelled as stopped:  # Arrow's name for Ctrl-C
        raise KeyboardInterrupt from stopped
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unreadable(path, error, remedy) from error
    if not same:
        names = ", ".join(table.schema.names)
        raise CatalogBroken(str(path), f"its columns are {names}", remedy)
    return table


def read_head_rows(
    path: Path, schema: pa.Schema, count: int, where: pc.Expression | None = None
) -> pa.Table:
    """Read a table, or some rows of it, that has rows of so many heads.

    Raises:
        CatalogBroken: it cannot be read, has another schema, or lacks some.
    """
    table = read_table(path, schema, where)
    present = table.group_by(["layer", "head"]).aggregate([]).num_rows
    if present != count:
        raise CatalogBroken(str(path), f"it has rows of {present} heads, not {count}")
    return table
