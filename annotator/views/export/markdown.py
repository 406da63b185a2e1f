"""Markdown: a table as GitHub reads it, numbers right and to three decimals, missing as –."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from typing import BinaryIO

MISSING = "–"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#!|~&$])")


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table."""
    rules = ["---:" if is_number(column.type) else ":---" for column in table.columns]
    names = [escaped(name) for name in table.column_names]
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    lines = [names, rules, *([escaped(shown(value)) for value in row] for row in rows)]
    file.writelines(f"| {' | '.join(line)} |\n".encode() for line in lines)


def shown(value: Any) -> str:
    """A value as a reader wants it."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column holds numbers."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def escaped(text: str) -> str:
    """A text that no reader takes for markup, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.splitlines()))
