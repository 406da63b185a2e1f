r"""JSON Lines: an object a row, UTF-8, missing values as null, times in ISO 8601, finite numbers.

The line ends that Unicode knows beside `\n` are written as `\u0085`, `\u2028` and `\u2029`: no
reader of lines breaks a row there.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from annotator.views.export.format import table_files

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa

_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table.

    Raises:
        ValueError: a number in it is not finite.
    """
    for batch in table.to_batches(max_chunksize=8192):
        file.writelines(f"{_line(row)}\n".encode() for row in batch.to_pylist())


def _line(row: dict[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, default=datetime.isoformat)
    return text.translate(_ENDS)


FORMAT = table_files("jsonl", write)
