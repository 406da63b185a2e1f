"""Parquet: the table as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from annotator.views.export.format import table_files

if TYPE_CHECKING:
    from typing import BinaryIO


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table."""
    # Encoded in memory first: Arrow calling back into Python would take Ctrl-C for its own error.
    encoded = pa.BufferOutputStream()
    pq.write_table(table, encoded, compression="zstd", write_page_checksum=True)
    file.write(encoded.getvalue())


FORMAT = table_files("parquet", write)
