"""Every format of a table, a file each and a line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa

FORMATS = {
    "jsonl": "annotator.catalog.export.jsonl",
    "csv": "annotator.catalog.export.csv",
    "parquet": "annotator.catalog.export.parquet",
}
"""By the ending of its files the module that has `write(table, file)`."""


def writer(name: str) -> Callable[[pa.Table, BinaryIO], None]:
    """What writes a format.

    Raises:
        KeyError: there is no such format.
    """
    return import_module(FORMATS[name]).write
