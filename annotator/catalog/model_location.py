"""Where the model of a catalog was, so that a later command finds it without being told.

A note for this machine, in a hidden file: the catalog itself is the same wherever its model was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from annotator.atomic_files import whole_file
from annotator.json_file import JsonInvalid, read_json
from annotator.paths import user_path

LOCATION_FILE = ".model"


def remember(
    folder: Path, model: object, revision: str | None = None, tokenizer: object = None
) -> None:
    """Note where a model was, if it has a place: one in memory has none.

    Args:
        folder: the catalog's directory.
        model: as it was named, a path or a hub id.
        revision: the hub's commit; None: it is a path.
        tokenizer: as it was named, in place of the model's own.

    Raises:
        CatalogUnwritable: the disk is full, or the path cannot be written.
    """
    if not isinstance(model, str | Path):
        return
    place = _absolute(model) if revision is None else str(model)
    named = _absolute(tokenizer) if isinstance(tokenizer, str | Path) else None
    note = {"model": place, "revision": revision, "tokenizer": named}
    if recall(folder) != note:
        with whole_file(folder / LOCATION_FILE) as file:
            file.write((json.dumps(note, ensure_ascii=False) + "\n").encode())


def recall(folder: Path) -> Mapping[str, str | None]:
    """What was noted: model, revision, tokenizer; nothing where there is no note to be read."""
    try:
        return read_json(folder / LOCATION_FILE, dict[str, str | None])
    except JsonInvalid:
        return {}


def _absolute(path: str | Path) -> str:
    return str(user_path(path).absolute())
