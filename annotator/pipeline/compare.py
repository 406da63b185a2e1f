"""`annotator validate compare`: the relation heads of several models side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import SettingInvalid
from annotator.paths import user_path
from annotator.pipeline.progress import say
from annotator.pipeline.run_experiment import ExperimentRunner
from annotator.pipeline.validate import write_all

if TYPE_CHECKING:
    from annotator.validate.compare_models import Comparison


def compare(
    catalogs: Sequence[Catalog | str | Path],
    relations: Sequence[str] | None = None,
    *,
    seed: int = 0,
    out: str | Path | None = None,
    bom: bool = False,
) -> tuple[Comparison, list[Path]]:
    """Set the relation heads of several models side by side; no model is opened.

    Args:
        catalogs: with relation scores, or their directories.
        relations: only these; None: all that are valid for every one of them.
        seed: of resamples and random assignments.
        out: directory for tables and figures; None: none is written.
        bom: whether CSV files begin with a byte order mark, by which Excel knows UTF-8.

    Returns:
        What the models share, and the files that were written.

    Raises:
        SettingInvalid: a catalog is named twice.
        NoRelations: a catalog has no scores, or not of these; or they share no valid relation.
        CatalogError: a catalog cannot be read.
    """
    from annotator.validate.compare_models import compare as side_by_side
    from annotator.validate.kv_groups import Scored
    from annotator.views.comparison_tables import comparison_tables
    from annotator.views.figures.comparison import draw_comparison

    opened = list(map(open_catalog, catalogs))
    folders = [str(catalog.folder) for catalog in opened]
    if len({catalog.folder.resolve() for catalog in opened}) < len(opened):
        raise SettingInvalid("catalogs", folders, "each of them once")
    models: list[Scored] = []
    words: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    for name, catalog in zip(_names(opened), opened, strict=True):
        wanted = {one.name: one for one in ExperimentRunner(catalog).wanted(relations)}
        scores = [one for one in catalog.relation_scores() if one.relation in wanted]
        models.append(Scored(name, catalog.manifest.dims, scores))
        for one in wanted.values():
            words.setdefault(one.name, set()).add(one.relation.pairs)
    found = side_by_side(models, seed=seed)
    if other := [name for name in found.relations if len(words[name]) > 1]:
        say(f"Not of the same pairs in all of the catalogs: {', '.join(other)}.")
    if out is None:
        return found, []
    tables = comparison_tables(found)
    return found, write_all(user_path(out), tables, partial(draw_comparison, found), bom=bom)


def _names(catalogs: Sequence[Catalog]) -> list[str]:
    """What the models are called; the catalog's folder too, where two are called the same."""
    ids = [catalog.manifest.model["id"] for catalog in catalogs]
    times = Counter(ids)
    return [
        f"{id} ({catalog.folder})" if times[id] > 1 else id
        for id, catalog in zip(ids, catalogs, strict=True)
    ]
