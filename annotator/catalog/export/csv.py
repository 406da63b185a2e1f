"""CSV: a header line, texts quoted, UTF-8, missing values empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyarrow import csv

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table."""
    csv.write_csv(table, file, csv.WriteOptions(quoting_style="needed"))
