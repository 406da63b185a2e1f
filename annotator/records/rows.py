"""Several records at once, as a frame and in notebooks."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from annotator.records import html

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
ROWS_SHOWN = 20


class Rows(list[T]):
    """A list of records, or of records side by side, that a notebook shows as a table."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return Rows(found) if isinstance(at, slice) else found

    def frame(self) -> pd.DataFrame:
        """A row for each, with a column for each of its numbers and texts."""
        import pandas as pd

        return pd.DataFrame([_row(one) for one in self])

    def _repr_html_(self) -> str:
        rows = [_row(one) for one in self[:ROWS_SHOWN]]
        more = f"; the first {ROWS_SHOWN}" if len(self) > ROWS_SHOWN else ""
        caption = f"{len(self):,} rows{more}"
        columns = list(rows[0]) if rows else []
        return html.table(caption, columns, ([html.text(v) for v in row.values()] for row in rows))


def _row(record: Any) -> dict[str, Any]:
    """A record's fields; a record within it has its own in its place."""
    if isinstance(record, tuple):
        return {name: value for one in record for name, value in _row(one).items()}
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        row |= _row(value) if is_dataclass(value) else {field.name: value}
    return row
