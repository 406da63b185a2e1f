"""`annotator export --to site` and `annotator view`: a catalog as a page, and the page served."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.export.folder import together
from annotator.catalog.export.public import pseudonyms
from annotator.catalog.export.tables import exported
from annotator.catalog.read import Catalog
from annotator.pipeline.progress import track
from annotator.pipeline.recorded import recorded
from annotator.pipeline.relations import relation_run
from annotator.pipeline.study import report

if TYPE_CHECKING:
    import pyarrow as pa

SITE = "site"
"""The folder of a catalog's page, within the catalog."""


def export_site(catalog: Catalog, folder: Path, *, progress: bool = True) -> list[Path]:
    """Write the page of a catalog, in place of one that was written there before.

    Args:
        catalog: a finished one.
        folder: where; files that are no page's stay as they are.
        progress: whether a bar is shown.

    Returns:
        The files written, the one to open first.

    Raises:
        CatalogForeign: the folder holds a page of somebody else's.
        CatalogError: the catalog cannot be read, or the files cannot be written.
    """
    from annotator.catalog.site.results import validation
    from annotator.catalog.site.write import PAGE, READ, names_of, write_site

    dims, before = catalog.manifest.dims, names_of(folder)
    sums = [one.sums for one in recorded(catalog, progress=progress) if one.sums]
    tables = exported(catalog, {}, READ)
    run = relation_run(catalog) if "relations" in tables else None
    results = {"validation": validation(sums), "study": _study(catalog)}
    with together(folder, before) as part:
        writing = write_site(
            part,
            catalog.manifest,
            tables,
            run,
            _similar(tables["mappings"], dims["n_heads"], dims["n_heads"] // dims["n_kv_heads"]),
            {name: result for name, result in results.items() if result},
            partial(track, label="Writing", total=dims["n_layers"], unit="layer", show=progress),
        )
        paths = [path.relative_to(part) for path in writing]
    return [folder / PAGE, *(folder / path for path in paths if str(path) != PAGE)]


def _similar(mappings: pa.Table, n_heads: int, group: int) -> Sequence[Sequence[tuple[int, float]]]:
    """The heads most similar to each, by their salient mappings."""
    from annotator.maps.similar import similar

    rows = mappings.select(["layer", "head", "source_id", "target_id"]).to_pandas()
    at = rows["layer"].astype(int) * n_heads + rows["head"].astype(int)
    sides = (rows.groupby(at)[name].unique() for name in ("source_id", "target_id"))
    sources, targets = ([ids.tolist() for ids in side] for side in sides)
    return similar(sources, targets, [head // group for head in range(len(sources))])


def _study(catalog: Catalog) -> list[dict[str, Any]]:
    """What people judged, of each describer's descriptions."""
    from annotator.catalog.site.results import study

    describers = catalog.describers()
    judged = dict.fromkeys(one.item.who for one in catalog.verdicts())
    names = [describers.full(who) for who in judged]
    return study({n: report(catalog.folder, n)[0] for n in names}, pseudonyms(catalog))
