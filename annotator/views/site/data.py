"""How the numbers and texts of the page are written down."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from annotator.atomic_files import whole_file

DIGITS = 4


def write_data(folder: Path, name: str, value: Any) -> Path:
    """Write one file of data: a call that the page's loader waits for.

    Only ASCII is written, so that no host's charset can change a token.

    Args:
        folder: the site's `data/`.
        name: what the page asks for, and the name of the file.
        value: what JSON can hold.

    Raises:
        CatalogUnwritable: the disk is full, or the path cannot be written.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=datetime.isoformat)
    path = folder / f"{name}.js"
    with whole_file(path) as file:
        file.write(f"annotatorData({json.dumps(name)},{text});\n".encode("ascii"))
    return path


def short(value: float | None) -> float | int | None:
    """A number with the digits that a page can show; None where there is none."""
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded


def shorts(values: Iterable[float | None]) -> list[float | int | None]:
    """Several of them."""
    return [short(value) for value in values]
