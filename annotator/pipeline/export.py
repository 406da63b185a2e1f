"""`annotator export`: a catalog's tables as files that other tools read, a dataset, or a page."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from annotator.catalog.manifest import MANIFEST_FILE as MANIFEST
from annotator.catalog.read import Catalog
from annotator.errors import CatalogForeign, SettingInvalid
from annotator.paths import user_path
from annotator.pipeline.experiment_results import read_results
from annotator.pipeline.judge_report import study_report
from annotator.pipeline.ledger import open_to_show
from annotator.pipeline.progress import say, track
from annotator.views.export.folder import together
from annotator.views.export.format import NO_LICENSE, Contents
from annotator.views.export.registry import format_of

_LICENSE = r"[a-z0-9][a-z0-9.+-]{0,60}"
_WILDCARDS = re.compile(r"[*?\[]|::")
"""What fsspec does not take as it stands; `datasets` hands it every path."""


def export(
    catalog: Catalog | str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    license: str = NO_LICENSE,
    bom: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Write every table that a catalog has in one format, or its page.

    An older export of that format in the same folder is replaced, whole; other files stay. On a
    disk without locks descriptions and judgments are left out, and a line says so.

    Args:
        catalog: the catalog or its directory.
        to: "hf" (a Hugging Face dataset), "jsonl", "csv", "parquet" or "site".
        out: directory for the files; by default, within the catalog, `export/hf` and so on, or
            `site`.
        license: what a dataset is published under, as the hub identifies it.
        bom: whether CSV files begin with a byte order mark, by which Excel knows UTF-8.
        progress: whether a bar is shown.

    Returns:
        The files written, the one to open first.

    Raises:
        CatalogError: the catalog cannot be read, or the files cannot be written.
        SettingInvalid: a format that is not offered or has no such mark, or no licence's
            identifier.
    """
    form = format_of(to)
    if not re.fullmatch(_LICENSE, license.lower()):
        wanted = "a licence's identifier as the hub has it, such as cc-by-4.0 or apache-2.0"
        raise SettingInvalid("license", license, wanted)
    if bom and not form.bom:
        raise SettingInvalid("bom", bom, "left out: only CSV files begin with a byte order mark")
    opened = open_to_show(catalog)
    folder = opened.folder / form.folder if out is None else user_path(out)
    if (folder / MANIFEST).exists():
        raise CatalogForeign(str(folder), [MANIFEST], "holds a catalog, which files would replace")
    contents = Contents(
        opened,
        lambda summed: read_results(opened, summed=summed, progress=progress),
        lambda describer: study_report(opened, describer)[0],
        partial(track, show=progress),
        license.lower(),
        bom,
    )
    if form.dataset and _WILDCARDS.search(str(folder.absolute())):
        say(
            f"datasets.load_dataset takes * ? [ and :: in {folder} for wildcards, and may read "
            "another folder's rows without a word. Load it by a path without them, that of a link, "
            "say; pandas.read_parquet reads the file that it is given."
        )
    with together(folder, say, form.names) as part:
        names = [path.relative_to(part) for path in form.write(part, contents)]
    return [folder / name for name in names]
