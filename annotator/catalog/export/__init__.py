"""One file per format, the same verb in each: `write(table, file)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from annotator.catalog.export import csv, jsonl, parquet

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa

FORMATS: dict[str, Callable[[pa.Table, BinaryIO], None]] = {
    "jsonl": jsonl.write,
    "csv": csv.write,
    "parquet": parquet.write,
}
