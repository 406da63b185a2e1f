"""`annotator export`: a catalog's tables as files that other tools read, a dataset, or a page."""

from __future__ import annotations

import re
from pathlib import Path

from annotator.catalog.export import hf
from annotator.catalog.export.folder import together
from annotator.catalog.export.formats import FORMATS, writer
from annotator.catalog.export.tables import exported, schemas
from annotator.catalog.files import whole_file
from annotator.catalog.manifest import FILE as MANIFEST
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import CatalogForeign, SettingInvalid
from annotator.paths import user_path
from annotator.pipeline.recorded import recorded, rows_of

HF, SITE = "hf", "site"


def export(
    catalog: Catalog | str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    license: str = hf.NO_LICENSE,
    progress: bool = True,
) -> list[Path]:
    """Write every table that a catalog has in one format, or its page.

    An older export of that format in the same folder is replaced, whole; other files stay.

    Args:
        catalog: the catalog or its directory.
        to: "hf" (a Hugging Face dataset), "jsonl", "csv", "parquet" or "site".
        out: directory for the files; by default, within the catalog, `export/hf` and so on, or
            `site`.
        license: what a dataset is published under, as the hub identifies it.
        progress: whether a bar is shown.

    Returns:
        The files written.

    Raises:
        CatalogError: the catalog cannot be read, or the files cannot be written.
        SettingInvalid: a format that is not offered, or no licence's identifier.
    """
    if to not in (HF, *FORMATS, SITE):
        raise SettingInvalid("to", to, "one of " + ", ".join((HF, *FORMATS, SITE)))
    if not re.fullmatch(hf.LICENSE, license.lower()):
        wanted = "a licence's identifier as the hub has it, such as cc-by-4.0 or apache-2.0"
        raise SettingInvalid("license", license, wanted)
    opened = catalog if isinstance(catalog, Catalog) else open_catalog(catalog)
    own = opened.folder / (SITE if to == SITE else f"export/{to}")
    folder = own if out is None else user_path(out)
    if (folder / MANIFEST).exists():
        raise CatalogForeign(str(folder), [MANIFEST], "holds a catalog, which files would replace")
    if to == SITE:
        from annotator.pipeline.site import export_site

        return export_site(opened, folder, progress=progress)
    if to == HF:
        return _dataset(opened, folder, license.lower(), progress)
    tables = exported(opened, rows_of(recorded(opened, summed=False, progress=progress)))
    write = writer(to)
    with together(folder, [f"{name}.{to}" for name in schemas()]) as part:
        for name, table in tables.items():
            with whole_file(part / f"{name}.{to}") as file:
                write(table, file)
    return [folder / f"{name}.{to}" for name in tables]


def _dataset(catalog: Catalog, folder: Path, license: str, progress: bool) -> list[Path]:
    if not hf.is_ours(folder):
        reason = f"holds a {hf.CARD} that is no dataset card of annotator's"
        raise CatalogForeign(str(folder), [hf.CARD], reason)
    found = recorded(catalog, progress=progress)
    tables = exported(catalog, rows_of(found))
    relations = catalog.relation_pairs() if "relations" in tables else ()
    results = [table for one in found if one.sums for table in one.sums.tables]
    with together(folder, hf.every_file()) as part:
        written = hf.write(part, catalog.manifest, tables, relations, results, license)
        names = [path.relative_to(part) for path in written]
    return [folder / name for name in names]
