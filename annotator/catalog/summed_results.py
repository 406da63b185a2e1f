"""What an experiment's shards come to, kept beside them: intervals take seconds to resample.

CATALOG/validation/EXPERIMENT/summed.json says of which bytes it is the sum; where shards or the
experiment have changed, it counts for nothing and is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.atomic_files import whole_file
from annotator.errors import CatalogUnwritable
from annotator.json_file import read_json
from annotator.records.figure import Figure
from annotator.records.table import Table

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import TypeAdapter

    from annotator.validate.experiment import Experiment

SUMS_FILE = "summed.json"
SUMS_FORMAT = 1


@dataclass(frozen=True)
class Sums:
    """Tables, and those figures that the page draws."""

    tables: Sequence[Table]
    figures: Sequence[Figure]


@dataclass(frozen=True)
class ExperimentResult:
    """What one experiment gave.

    Attributes:
        experiment: which.
        rows: of all relations that have them.
        sums: what they come to; None where nobody wants to know.
    """

    experiment: Experiment
    rows: pd.DataFrame
    sums: Sums | None = None


def digest_of_shards(paths: Sequence[Path], about: Mapping[str, Any]) -> str:
    """A digest of the bytes of shards, and of all else that enters their sum.

    Raises:
        OSError: one cannot be read.
    """
    parts = [sha256(path.read_bytes()).hexdigest() for path in paths]
    known = [SUMS_FORMAT, version("annotator"), parts, about]
    return sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def read_sums(folder: Path, digest: str) -> Sums | None:
    """The sums of an experiment's folder, if they are of these shards.

    Whatever else is there, a file half written say, is as good as none.
    """
    try:
        content = read_json(folder / SUMS_FILE)
        return _adapter().validate_python(content["sums"]) if content["of"] == digest else None
    except (ValueError, KeyError, TypeError):
        return None


def keep_sums(folder: Path, digest: str, sums: Sums) -> None:
    """Keep them, where anything can be written: they are only there to save time."""
    content = {"of": digest, "sums": _adapter().dump_python(sums, mode="json")}
    try:
        with whole_file(folder / SUMS_FILE) as file:
            file.write(json.dumps(content, allow_nan=False).encode())
    except CatalogUnwritable:
        return


def _adapter() -> TypeAdapter[Sums]:
    from pydantic import TypeAdapter

    return TypeAdapter(Sums)
