"""JSON Lines: an object a row, UTF-8, missing values as null, times in ISO 8601."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table."""
    for batch in table.to_batches(max_chunksize=8192):
        file.writelines(f"{_line(row)}\n".encode() for row in batch.to_pylist())


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False, default=datetime.isoformat)
