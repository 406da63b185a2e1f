"""`annotator export`: a catalog's tables as files that other tools read."""

from __future__ import annotations

from pathlib import Path

from annotator.catalog.export import FORMATS
from annotator.catalog.files import make_folder, whole_file
from annotator.catalog.manifest import FILE as MANIFEST
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import CatalogForeign, SettingInvalid
from annotator.paths import user_path


def export(catalog: Catalog | str | Path, to: str, out: str | Path | None = None) -> list[Path]:
    """Write every table that a catalog has in one format.

    Args:
        catalog: the catalog or its directory.
        to: "jsonl", "csv" or "parquet".
        out: directory for the files; by default `export/` within the catalog.

    Returns:
        The files written.

    Raises:
        CatalogError: the catalog cannot be read, or the files cannot be written.
        SettingInvalid: a format that is not offered.
    """
    if to not in FORMATS:
        raise SettingInvalid("to", to, "one of " + ", ".join(FORMATS))
    opened = catalog if isinstance(catalog, Catalog) else open_catalog(catalog)
    folder = opened.folder / "export" if out is None else user_path(out)
    if (folder / MANIFEST).exists():
        raise CatalogForeign(str(folder), [MANIFEST], "holds a catalog, which files would replace")
    make_folder(folder)
    files: list[Path] = []
    for name in opened.tables():
        path = folder / f"{name}.{to}"
        with whole_file(path) as file:
            FORMATS[to](opened.table(name), file)
        files.append(path)
    return files
