"""Copies of what `make` has made, to work on."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from annotator.catalog.descriptions import LEDGER

HERE = Path(__file__).parent


def first(into: Path) -> Path:
    """The catalog in which nobody has described a head twice."""
    return shutil.copytree(HERE / "catalog", into)


def again(into: Path) -> Path:
    """The same, later: a language model was asked again with another prompt."""
    catalog = first(into)
    (catalog / LEDGER).write_bytes(gzip.decompress((HERE / "again.db.gz").read_bytes()))
    return catalog


def version_2(into: Path) -> Path:
    """That ledger as the annotator of 2026-11-27 left it, which had brought it to version 2."""
    into.write_bytes(gzip.decompress((HERE / "version_2.db.gz").read_bytes()))
    return into
