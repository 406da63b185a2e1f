"""A Hugging Face dataset: a folder with a config per table, flat Parquet, and its card.

`datasets.load_dataset(folder, config)` reads it, offline too. The card is `card.md.jinja`; whatever
it says that comes from outside is escaped, for Markdown or for YAML.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotator.atomic_files import make_folder, whole_file
from annotator.catalog.describers import shorts
from annotator.catalog.manifest import Manifest
from annotator.errors import CatalogForeign
from annotator.judge.kinds import is_real
from annotator.records import RelationPairs, by_whom
from annotator.records.table import Table
from annotator.views.export import markdown, parquet
from annotator.views.export.columns import about, by_table, meaning
from annotator.views.export.format import NO_LICENSE, Contents, Format
from annotator.views.export.public_names import public_model
from annotator.views.export.result_tables import shown
from annotator.views.export.tables import IDENTITY, schemas

CARD = "README.md"
_MARK = "made with [annotator](#citation)"
_SUMMARIES = {
    "relations": (
        "Relations",
        "A head implements a relation where phi is above .15 and q at most .05, and suppresses it "
        "where its suppression score is.",
    ),
    "descriptions": ("Descriptions", "How many heads, by describer and status."),
    "studies": (
        "Judgments",
        "Answers by describer. Accepted: correct, be it too general or too specific; of the "
        "answers that see a pattern where one was described.",
    ),
}
"""Title and explanation of what is summed up here; experiments bring their own."""
_LONG = 30
"""A summary of more rows is folded away."""
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
Cells = Mapping[str, Sequence[Any]]


class _Done(str):
    """A text that is Markdown or YAML already."""

    __slots__ = ()


def file_of(table: str) -> str:
    """Where a table's file is in the folder."""
    return f"data/{table}.parquet"


def every_file() -> list[str]:
    """Every file that a dataset may have."""
    return [CARD, *map(file_of, schemas())]


def is_ours(folder: Path) -> bool:
    """Whether a folder has no card, or one that was written here."""
    try:
        return _MARK in (folder / CARD).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return True
    except OSError:
        return False


def write(folder: Path, contents: Contents) -> Iterator[Path]:
    """Write the dataset: the card, then a file for each table.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    catalog, tables = contents.catalog, contents.tables(summed=True)
    relations = catalog.relation_pairs() if "relations" in tables else ()
    results = [table for one in contents.results if one.sums for table in one.sums.tables]
    with whole_file(folder / CARD) as file:
        made_of = catalog.manifest, tables, relations, results
        said = card(*made_of, contents.license, without_ledger=catalog.ledger is None)
        file.write(said.encode())
    yield folder / CARD
    make_folder(folder / "data")
    for name, table in tables.items():
        with whole_file(folder / file_of(name)) as file:
            parquet.write(table, file)
        yield folder / file_of(name)


def _names(folder: Path) -> list[str]:
    if not is_ours(folder):
        reason = f"holds a {CARD} that is no dataset card of annotator's"
        raise CatalogForeign(str(folder), [CARD], reason)
    return every_file()


def card(
    manifest: Manifest,
    tables: Mapping[str, pa.Table],
    relations: Sequence[RelationPairs],
    results: Sequence[Table],
    license: str = NO_LICENSE,
    *,
    without_ledger: bool = False,
) -> str:
    """The dataset's card.

    Args:
        manifest: what was mapped, and how.
        tables: of `annotator.views.export.tables`.
        relations: those that were scored, valid or not.
        results: what experiments came to.
        license: as the hub identifies one.
        without_ledger: whether descriptions and judgments were left out.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        finalize=_escaped, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["yaml"] = _yaml
    source = files("annotator.views.export").joinpath("card.md.jinja")
    template = environment.from_string(source.read_text(encoding="utf-8"))
    said = _about(manifest, tables, relations, results)
    return template.render(**said, license=license, without_ledger=without_ledger) + "\n"


def _about(
    manifest: Manifest,
    tables: Mapping[str, pa.Table],
    relations: Sequence[RelationPairs],
    results: Sequence[Table],
) -> dict[str, Any]:
    """What the template says of a catalog."""
    model = public_model(manifest)
    valid = [one.name for one in relations if one.valid]
    names = dict.fromkeys(_by(tables["descriptions"]) if "descriptions" in tables else ())
    raters = len(tables["judgments"]["rater"].unique()) if "judgments" in tables else 0
    return {
        "title": f"Attention heads of {model}",
        "model": model,
        "heads": len(tables["heads"]),
        "size": _size(sum(map(len, tables.values()))),
        "facts": _facts(manifest),
        "tables": [_table(name, table) for name, table in tables.items()],
        "identity": _columns("heads", tables["heads"], IDENTITY),
        "summaries": [*_summaries(tables, relations), *map(_result, results)],
        "sources": manifest.settings["sources"],
        "targets": manifest.settings["targets"],
        "relations": len(valid) if "relations" in tables else None,
        "not_valid": ", ".join(one.name for one in relations if not one.valid),
        "describers": ", ".join(map(by_whom, names)) if names else None,
        "raters": ("one rater" if raters == 1 else f"{raters} raters") if raters else None,
        "experiments": any(name in tables for name in by_table()),
        "headless": _listed([n for n, own in schemas().items() if "id" not in own.names]),
        "version": manifest.versions["annotator"],
    }


def _table(name: str, table: pa.Table) -> dict[str, Any]:
    known = {"name": _Done(name), "file": file_of(name), "rows": len(table), "about": about(name)}
    own = [column for column in table.schema.names if column not in IDENTITY]
    return {**known, "columns": _columns(name, table, own)}


def _columns(name: str, table: pa.Table, columns: Sequence[str]) -> str:
    types = [str(table.schema.field(column).type) for column in columns]
    meanings = [meaning(name, column) for column in columns]
    return _markdown({"column": columns, "type": types, "meaning": meanings})


def _facts(manifest: Manifest) -> str:
    named = {"id": public_model(manifest), **{k: v for k, v in manifest.model.items() if k != "id"}}
    kinds = {"size": manifest.dims, "setting": manifest.settings, "version": manifest.versions}
    groups = {"model": named, **kinds}
    facts = {f"{kind}: {name}": one for kind, of in groups.items() for name, one in of.items()}
    shown = [None if value is None else markdown.shown(value) for value in facts.values()]
    return _markdown({"what": [name.replace("_", " ") for name in facts], "value": shown})


def _summaries(
    tables: Mapping[str, pa.Table], relations: Sequence[RelationPairs]
) -> list[dict[str, Any]]:
    found: dict[str, pa.Table] = {}
    if "relations" in tables:
        found["relations"] = pa.table(dict(_relations(tables["relations"], relations)))
    for name, summed in (("descriptions", _said), ("studies", _judged)):
        if name in tables:
            found[name] = pa.table(dict(summed(tables[name])))
    return [_summary(*_SUMMARIES[name], table) for name, table in found.items()]


def _result(table: Table) -> dict[str, Any]:
    return _summary(table.title, table.about, shown(table))


def _summary(title: str, about: str, table: pa.Table) -> dict[str, Any]:
    folded = len(table) if len(table) > _LONG else None
    return {"title": title, "about": about, "folded": folded, "text": _markdown(table)}


def _relations(scores: pa.Table, relations: Sequence[RelationPairs]) -> Cells:
    valid = [one for one in relations if one.valid]
    counts = {
        verdict: Counter(scores.filter(scores[verdict])["relation"].to_pylist())
        for verdict in ("implements", "suppresses")
    }
    return {
        "relation": [one.name for one in valid],
        "category": [one.relation.category for one in valid],
        "in the paper": [one.relation.published for one in valid],
        "pairs": [len(one.ids) for one in valid],
        "k": [one.k for one in valid],
        "heads that implement it": [counts["implements"][one.name] for one in valid],
        "heads that suppress it": [counts["suppresses"][one.name] for one in valid],
    }


def _said(rows: pa.Table) -> Cells:
    """How many descriptions there are by describer and status; what is superseded is not told."""
    told = rows.filter(pc.invert(rows["superseded"]))
    pairs = zip(_by(told), told["status"].to_pylist(), strict=True)
    counts = Counter((by, str(status)) for by, status in pairs)
    names = list(dict.fromkeys(by for by, _ in counts))
    statuses = list(dict.fromkeys(status for _, status in counts))
    return {
        "by": names,
        **{status: [counts[by, status] for by in names] for status in statuses},
        "all": [sum(counts[by, status] for status in statuses) for by in names],
    }


def _judged(rows: pa.Table) -> Cells:
    """What judgments come to; raters answer on abstentions too, which nobody accepts."""
    kinds = [] if all(map(is_real, map(str, rows["kind"].to_pylist()))) else [("kind", "kind")]
    names = ("answers", "skipped", "see a pattern", "and it was described", "accepted")
    columns = ("answered", "skipped", "seen", "described", "accepted")
    shown = [*kinds, *zip(names, columns, strict=True)]
    return {"on": _by(rows), **{name: rows[column].to_pylist() for name, column in shown}}


def _by(rows: pa.Table) -> list[str]:
    """Of each row the describer, as people are shown it."""
    llms, names = (map(str, rows[name].to_pylist()) for name in ("llm", "describer"))
    pairs = list(zip(llms, names, strict=True))
    named = shorts(pairs)
    return [named[full] for _, full in pairs]


def _listed(names: Sequence[str]) -> str:
    return _Done(", ".join(f"`{name}`" for name in names))


def _size(rows: int) -> str:
    return _SIZES[min(max(len(str(rows)) - 3, 0), len(_SIZES) - 1)]


def _markdown(cells: Cells | pa.Table) -> str:
    table = cells if isinstance(cells, pa.Table) else pa.table(dict(cells))
    buffer = io.BytesIO()
    markdown.write(table, buffer)
    return _Done(buffer.getvalue().decode().rstrip())


def _escaped(value: object) -> str:
    return value if isinstance(value, _Done) else markdown.escaped(str(value))


def _yaml(value: str) -> str:
    """A text as YAML has it in quotes; a character that YAML cannot hold is replaced."""
    shown = "".join(char if char.isprintable() else "\ufffd" for char in value)
    return _Done(json.dumps(shown, ensure_ascii=False))


FORMAT = Format("export/hf", _names, write, dataset=True)
