"""JSON Lines: an object a row, UTF-8, missing values as null."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table."""
    for batch in table.to_batches(max_chunksize=8192):
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in batch.to_pylist())
        file.writelines(f"{line}\n".encode() for line in lines)
