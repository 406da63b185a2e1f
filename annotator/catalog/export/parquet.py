"""Parquet: the table as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table."""
    pq.write_table(table, file, compression="zstd")
