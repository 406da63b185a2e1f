"""catalog.json: what was mapped, how, with which versions. It decides whether a run may resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotator.atomic_files import whole_file
from annotator.catalog.manifest_format import ManifestFormat
from annotator.errors import CatalogBroken, CatalogMismatch, CatalogMissing

MANIFEST_FILE = "catalog.json"
_REMEDY = "Use the annotator that made it, or map into another folder: choose another --out"
MANIFEST_FORMAT = ManifestFormat(1, _REMEDY)


@dataclass(frozen=True)
class Manifest:
    """What a catalog holds.

    Attributes:
        model: id, revision, format, family, weight_digest, tokenizer_digest.
        dims: axis sizes by name.
        settings: every setting that enters the map.
        versions: of annotator and torch.
        format: of the catalog's files.
    """

    model: Mapping[str, Any]
    dims: Mapping[str, int]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    format: int = MANIFEST_FORMAT.number

    def write(self, folder: Path) -> None:
        """Write it; the same manifest always gives the same bytes.

        Raises:
            CatalogUnwritable: the disk is full, or the path cannot be written.
        """
        with whole_file(folder / MANIFEST_FILE) as file:
            file.write((json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a folder's manifest.

        Raises:
            CatalogMissing: there is none.
            CatalogBroken: it cannot be read.
        """
        path = folder / MANIFEST_FILE
        if not path.is_file():
            raise CatalogMissing(str(folder), f"there is no {MANIFEST_FILE}")
        content = MANIFEST_FORMAT.read(path)
        try:
            manifest = cls(**content)
            if not ("id" in manifest.model and {"n_layers", "n_heads"} <= set(manifest.dims)):
                raise ValueError("it does not say which model, or of what size")
        except (ValueError, TypeError) as error:
            raise CatalogBroken(str(path), str(error), _REMEDY) from error
        return manifest

    def require_same(self, folder: Path, asked: Manifest, *, finished: bool) -> None:
        """Refuse to go on with a catalog of another model or with other settings.

        The model's id may differ (a folder moved, a hub id and its download): its weights decide.
        Versions may differ once a catalog is finished; half of it made by each would not be one.

        Raises:
            CatalogMismatch: naming every field that differs.
        """
        there, wanted = self._fields(finished), asked._fields(finished)
        differences = {
            key: (there.get(key), wanted.get(key))
            for key in {**there, **wanted}
            if there.get(key) != wanted.get(key)
        }
        if "model.weight_digest" in differences:
            differences = {"model.id": (self.model["id"], asked.model["id"]), **differences}
        if differences:
            raise CatalogMismatch(str(folder), differences)

    def _fields(self, finished: bool) -> dict[str, Any]:
        flat = {
            f"{group}.{key}": value
            for group, values in asdict(self).items()
            if isinstance(values, dict)
            for key, value in values.items()  # pyright: ignore[reportUnknownVariableType]
            if not (finished and group == "versions")
        }
        for named_only in ("model.id", "model.revision", "model.format"):
            flat.pop(named_only, None)
        return {"format": self.format, **flat}
