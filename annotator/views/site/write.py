"""Writes the page and its data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.atomic_files import make_folder, whole_file
from annotator.catalog.relations_manifest import read_relations_run
from annotator.errors import CatalogForeign
from annotator.judge.aggregate import OUTCOME_WORDS, QUESTION_WORDS, SHARE_WORDS
from annotator.records import (
    ACCEPTED,
    CATEGORIES,
    EVIDENCE_SOURCES,
    EVIDENCE_TARGETS,
    FLAG,
    PRECISIONS,
    Q_LEVEL,
)
from annotator.views.export.columns import meaning
from annotator.views.export.format import Contents, Format
from annotator.views.export.public_names import pseudonyms
from annotator.views.export.tables import exported
from annotator.views.site.data import write_data
from annotator.views.site.layers import SCORE_NAMES, layer_data
from annotator.views.site.overview import (
    SHOWN_STATUSES,
    SIGNATURES,
    HeadColumns,
    accepted_columns,
    best_relations,
    describer_columns,
    describers,
    relation_columns,
    relation_list,
    signature_columns,
)
from annotator.views.site.results import study, validation
from annotator.views.site.search import token_index

if TYPE_CHECKING:
    import pandas as pd

    from annotator.catalog.read import Catalog

PAGE = "index.html"
_OURS = re.compile(r"(overview|search|results|(relation|describer|layer)-\d+)\.js")
DATA = "data"
READ = ("heads", "mappings", "relations", "descriptions", "judgments", "verdicts")
"""The exported tables that the page is made of."""
_WHOSE = ["model", "revision", "id"]  # the same in every row, or told by the others


def write(folder: Path, contents: Contents) -> Iterator[Path]:
    """Write the page, file by file, the one to open first.

    There is a file of data for each layer and relation, and a few more.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    for name, source in _own_files():
        make_folder((folder / name).parent)
        with whole_file(folder / name) as file:
            file.write(source.read_bytes())
        yield folder / name
    data, catalog = folder / DATA, contents.catalog
    make_folder(data)
    tables = exported(catalog, {}, READ)
    results, heads = _results(contents), HeadColumns(catalog.manifest)
    frames = {name: one.drop_columns(_WHOSE).to_pandas() for name, one in tables.items()}
    overview = _overview(heads, catalog, frames)
    overview["model"]["id"] = tables["heads"]["model"][0].as_py()
    overview["pages"] = [*(["relations"] if overview["relations"] else []), *sorted(results)]
    names = {
        "relations": [one["name"] for one in overview["relations"]],
        "describers": [one["describer"] for one in overview["describers"]],
    }
    yield write_data(data, "overview", overview)
    for at, name in enumerate(names["relations"]):
        yield write_data(data, f"relation-{at}", relation_columns(heads, frames["relations"], name))
    for at, name in enumerate(names["describers"]):
        said = describer_columns(heads, frames["descriptions"], name)
        yield write_data(data, f"describer-{at}", said)
    yield write_data(data, "search", token_index(heads, frames["mappings"]))
    if results:
        yield write_data(data, "results", _placed(results, names["describers"]))
    dims = catalog.manifest.dims
    similar = _similar(frames["mappings"], dims)
    layers = layer_data(heads, frames, names, similar)
    tracked = contents.track(layers, "Writing", dims["n_layers"], unit="layer")
    for layer, content in enumerate(tracked):
        yield write_data(data, f"layer-{layer}", content)


def names_of(folder: Path) -> list[str]:
    """The files of a page that was written before, as paths in its folder.

    Raises:
        CatalogForeign: there is a page that is not of a catalog.
    """
    data = [one.name for one in (folder / DATA).glob("*.js") if _OURS.fullmatch(one.name)]
    if (folder / PAGE).exists() and "overview.js" not in data:
        raise CatalogForeign(str(folder), [PAGE], "holds a page that is not annotator's")
    scripts = [f"app/{one.name}" for one in (folder / "app").glob("*.js")] if data else []
    return [*dict.fromkeys([*dict(_own_files()), *scripts]), *(f"{DATA}/{one}" for one in data)]


def _page() -> Traversable:
    """The page as it comes with the package."""
    return files("annotator.views.site").joinpath("page")


def _own_files(within: str = "") -> Iterator[tuple[str, Traversable]]:
    """The page's own files by their paths, as they come with the package."""
    folder = _page().joinpath(within)
    for one in sorted(folder.iterdir(), key=lambda one: (one.name != PAGE, one.name)):
        if one.is_dir():
            yield from _own_files(f"{within}{one.name}/")
        else:
            yield f"{within}{one.name}", one


def _overview(
    heads: HeadColumns, catalog: Catalog, frames: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    manifest, scores = catalog.manifest, frames.get("relations")
    run = None if scores is None else read_relations_run(catalog.folder)
    pairs = run.pairs if run else ()
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
        **_fixed(),
        "draws": run.settings["draws"] if run else None,
        "best": None if scores is None else best_relations(heads, scores, names),
        "without_ledger": catalog.ledger is None,
        "describers": told,
        "judged": []
        if verdicts is None or said is None
        else accepted_columns(heads, said, verdicts, told),
    }


def _fixed() -> dict[str, Any]:
    """What is the same for every catalog: names, words and bounds that the page does not repeat."""
    vendored = json.loads(_page().joinpath("vendor", "vendor.json").read_text("utf-8"))
    return {
        "flag": FLAG,
        "level": Q_LEVEL,
        "evidence": {"sources": EVIDENCE_SOURCES, "targets": EVIDENCE_TARGETS},
        "scores": SCORE_NAMES,
        "statuses": SHOWN_STATUSES,
        "categories": CATEGORIES,
        "accepted": ACCEPTED,
        "words": {
            "outcomes": OUTCOME_WORDS,
            "precisions": PRECISIONS,
            "questions": QUESTION_WORDS,
            "shares": {n: {"label": label, "of": of} for n, (label, of) in SHARE_WORDS.items()},
        },
        "libraries": [
            {
                **{name: one[name] for name in ("name", "version", "licence")},
                "file": next(name for name in one["files"] if name.endswith("license.txt")),
            }
            for one in vendored
        ],
    }


def _results(contents: Contents) -> dict[str, Any]:
    """What experiments and the study have given, where there is any of it."""
    catalog = contents.catalog
    judged = dict.fromkeys(one.item.who for one in catalog.verdicts())
    reports = {name: contents.report(name) for name in map(catalog.describers().full, judged)}
    results = {
        "validation": validation([one.sums for one in contents.results if one.sums]),
        "study": study(reports, pseudonyms(catalog)),
    }
    return {name: result for name, result in results.items() if result}


def _placed(results: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The same, describers by their places in the overview."""
    study = [
        {**one, "describer": names.index(one["describer"])} for one in results.get("study", ())
    ]
    return {"validation": results.get("validation", ()), "study": study}


def _similar(mappings: pd.DataFrame, dims: Mapping[str, int]) -> list[list[tuple[int, float]]]:
    """The heads most similar to each, by their salient mappings."""
    from annotator.maps.similar import similar

    group = dims["n_heads"] // dims["n_kv_heads"]
    at = mappings["layer"].astype(int) * dims["n_heads"] + mappings["head"].astype(int)
    sides = (mappings.groupby(at)[name].unique() for name in ("source_id", "target_id"))
    sources, targets = ([ids.tolist() for ids in side] for side in sides)
    return similar(sources, targets, [head // group for head in range(len(sources))])


FORMAT = Format("site", names_of, write, opened=True)
