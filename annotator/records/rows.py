"""Several records at once, as a frame and in notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from annotator.records import html

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
ROWS_SHOWN = 20


class Rows(list[T]):
    """A list of records, or of records side by side, that a notebook shows as a table.

    Args:
        records: frozen dataclasses, or tuples of them.
        kinds: their class, or their classes.
    """

    def __init__(self, records: Iterable[T], *kinds: type[Any]) -> None:
        super().__init__(records)
        self.kinds = kinds

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return Rows(found, *self.kinds) if isinstance(at, slice) else found

    def frame(self) -> pd.DataFrame:
        """A row for each, with a column for each of its numbers and texts."""
        import pandas as pd

        return pd.DataFrame([_row(one) for one in self], columns=_columns(self.kinds))

    def _repr_html_(self) -> str:
        more = f"; the first {ROWS_SHOWN}" if len(self) > ROWS_SHOWN else ""
        cells = ([html.text(one) for one in _row(record).values()] for record in self[:ROWS_SHOWN])
        return html.table(f"{len(self):,} rows{more}", _columns(self.kinds), cells)


def _columns(kinds: Iterable[type[Any]]) -> list[str]:
    """The names of fields; a record within a record has its own in its place."""
    names: list[str] = []
    for kind in kinds:
        hints: dict[str, Any] = get_type_hints(kind)
        for name, of in hints.items():
            names += [name] if not is_dataclass(of) else _columns([of])  # pyright: ignore[reportArgumentType]
    return list(dict.fromkeys(names))


def _row(record: Any) -> dict[str, Any]:
    if isinstance(record, tuple):
        return {name: value for one in record for name, value in _row(one).items()}
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        row |= _row(value) if is_dataclass(value) else {field.name: value}
    return row
