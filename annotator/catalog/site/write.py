"""Writes the page and its data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.export.columns import meaning
from annotator.catalog.files import make_folder, whole_file
from annotator.catalog.site.data import write_data
from annotator.catalog.site.layers import layer_data
from annotator.catalog.site.overview import (
    CATEGORIES,
    SIGNATURES,
    STATUSES,
    Heads,
    accepted_columns,
    best_relations,
    describer_columns,
    describers,
    relation_columns,
    relation_list,
    signature_columns,
)
from annotator.catalog.site.search import token_index
from annotator.errors import CatalogForeign
from annotator.records import FLAG, LEVEL

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from annotator.catalog.manifest import Manifest
    from annotator.catalog.relation_run import RelationRun

PAGE = "index.html"
_OURS = re.compile(r"(overview|search|results|(relation|describer|layer)-\d+)\.js")
DATA = "data"
READ = ("heads", "mappings", "relations", "descriptions", "judgments", "verdicts")
"""The exported tables that the page is made of."""
_WHOSE = ["model", "revision", "id"]  # the same in every row, or told by the others


def write_site(
    folder: Path,
    manifest: Manifest,
    tables: Mapping[str, pa.Table],
    run: RelationRun | None,
    similar: Sequence[Sequence[tuple[int, float]]],
    results: Mapping[str, Any],
    watch: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Iterator[Path]:
    """Write it, file by file.

    Args:
        folder: an empty one.
        manifest: of the catalog.
        tables: those of READ, as every export has them.
        run: which relations were scored, and how; None: there are no scores.
        similar: of every head others and their cosines.
        results: of `annotator.catalog.site.results`: validation and study, where there are any.
        watch: passes the layers through, as they are written.

    Yields:
        Each file that was written; a file of data for each layer and relation, and a few more.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    for name, source in _own_files():
        make_folder((folder / name).parent)
        with whole_file(folder / name) as file:
            file.write(source.read_bytes())
        yield folder / name
    data = folder / DATA
    make_folder(data)
    heads = Heads(manifest)
    frames = {name: one.drop_columns(_WHOSE).to_pandas() for name, one in tables.items()}
    overview = _overview(heads, manifest, frames, run)
    overview["model"]["id"] = tables["heads"]["model"][0].as_py()
    overview["pages"] = [
        *(["relations"] if overview["relations"] else []),
        *(page for page in ("study", "validation") if results.get(page)),
    ]
    yield write_data(data, "overview", overview)
    for at, relation in enumerate(overview["relations"]):
        columns = relation_columns(heads, frames["relations"], relation["name"])
        yield write_data(data, f"relation-{at}", columns)
    for at, describer in enumerate(overview["describers"]):
        said = describer_columns(heads, frames["descriptions"], describer["describer"])
        yield write_data(data, f"describer-{at}", said)
    yield write_data(data, "search", token_index(heads, frames["mappings"]))
    names = {
        "relations": [one["name"] for one in overview["relations"]],
        "describers": [one["describer"] for one in overview["describers"]],
    }
    if results:
        yield write_data(data, "results", _results(results, names["describers"]))
    for layer, content in enumerate(watch(layer_data(heads, frames, names, similar))):
        yield write_data(data, f"layer-{layer}", content)


def names_of(folder: Path) -> list[str]:
    """The files of a page that was written before, as paths in its folder.

    Raises:
        CatalogForeign: there is a page that is not of a catalog.
    """
    data = [one.name for one in (folder / DATA).glob("*.js") if _OURS.fullmatch(one.name)]
    if (folder / PAGE).exists() and "overview.js" not in data:
        raise CatalogForeign(str(folder), [PAGE], "holds a page that is not annotator's")
    return [*dict(_own_files()), *(f"{DATA}/{name}" for name in data)]


def _own_files(within: str = "") -> Iterator[tuple[str, Traversable]]:
    """The page's own files by their paths, as they come with the package."""
    folder = files("annotator.catalog.site").joinpath("page", within)
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            yield from _own_files(f"{within}{one.name}/")
        else:
            yield f"{within}{one.name}", one


def _overview(
    heads: Heads,
    manifest: Manifest,
    frames: Mapping[str, pd.DataFrame],
    run: RelationRun | None,
) -> dict[str, Any]:
    scores, pairs = frames.get("relations"), run.pairs if run else ()
    listed = [] if scores is None else relation_list(pairs, scores)
    names = [one["name"] for one in listed]
    verdicts, said = frames.get("verdicts"), frames.get("descriptions")
    told = [] if said is None else describers(heads, said)
    return {
        "annotator": version("annotator"),
        "model": dict(manifest.model),
        "dims": dict(manifest.dims),
        "settings": dict(manifest.settings),
        "signatures": signature_columns(heads, frames["heads"]),
        "signature_help": {name: meaning("heads", name) for name in SIGNATURES},
        "relations": listed,
        "not_valid": [
            {"name": one.name, "reason": f"{len(one.ids)} of its pairs count, which is too few"}
            for one in pairs
            if not one.valid
        ],
        "flag": FLAG,
        "level": LEVEL,
        "draws": run.settings["draws"] if run else None,
        "best": None if scores is None else best_relations(heads, scores, names),
        "statuses": STATUSES,
        "categories": CATEGORIES,
        "describers": told,
        "judged": []
        if verdicts is None or said is None
        else accepted_columns(heads, said, verdicts, told),
    }


def _results(results: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    study = [
        {**one, "describer": names.index(one["describer"])} for one in results.get("study", ())
    ]
    return {"validation": results.get("validation", ()), "study": study}
