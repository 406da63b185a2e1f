"""CSV: a header line, UTF-8, a missing value as nothing, an empty text as two quotes.

A text that a spreadsheet might run as a formula gets an apostrophe in front, and so does one that
begins with an apostrophe: where a text begins with one, take that off, and it is what it was. A
formula begins with = + - @ (of full width too), be it after blanks and control characters; a tab or
an end of a line in front is guarded whatever follows.

Excel takes a file for UTF-8 where it begins with a byte order mark; who writes the file puts it
there, where it is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from annotator.views.export.format import table_files

if TYPE_CHECKING:
    from typing import BinaryIO

GUARD = "'"
_FORMULA = r"^(['\t\r\n]|[\x00-\x20\x7f\x{feff}]*[=+\-@＝＋－＠])"
_ROWS = 1 << 16


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table."""
    # Encoded in memory first: Arrow calling back into Python would take Ctrl-C for its own error.
    for number, part in enumerate(_parts(table)):
        encoded = pa.BufferOutputStream()
        options = csv.WriteOptions(include_header=number == 0, quoting_style="needed")
        csv.write_csv(part, encoded, options)
        file.write(encoded.getvalue())


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, max(len(table), 1), _ROWS):
        part = table.slice(start, _ROWS)
        yield pa.table([_guarded(column) for column in part.columns], schema=part.schema)


def _guarded(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """A column whose texts no spreadsheet runs."""
    if not pa.types.is_string(column.type):
        return column
    begins = pc.match_substring_regex(column, _FORMULA)
    return pc.if_else(
        begins, pc.replace_substring_regex(column, "^", GUARD, max_replacements=1), column
    )


FORMAT = table_files("csv", write, bom=True)
