"""Reading a finished catalog; the model is never needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from annotator.catalog import descriptions, judgments
from annotator.catalog import relations_tables as relations
from annotator.catalog.build import is_finished
from annotator.catalog.manifest import Manifest
from annotator.catalog.relations_manifest import RELATIONS_FILE as RELATIONS
from annotator.catalog.relations_manifest import RelationRun
from annotator.catalog.schema import MAP_TABLES, to_heads, to_summaries
from annotator.catalog.table_files import read_head_rows, read_table
from annotator.errors import CatalogMissing, SettingInvalid
from annotator.paths import user_path
from annotator.records import (
    Description,
    HeadId,
    HeadMap,
    HeadSummary,
    Item,
    Judgment,
    RelationPairs,
    RelationScore,
    Rows,
    Signatures,
    html,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from annotator.catalog.describers import Describers
    from annotator.judge.verdicts import Verdict

TELLING = "telling"
_TELLING_HTML = 5
_FILES = {"mappings" if file == "maps" else file: file for file in MAP_TABLES}
"""Of each table of the map its file; that name is taken too, as it was before."""
TABLE_NAMES = (
    *_FILES,
    descriptions.DESCRIPTIONS,
    *judgments.JUDGMENT_TABLES,
    *relations.RELATION_TABLES,
)
SORTABLE = (*Signatures.names(), TELLING)


class Catalog:
    """A finished catalog.

    Args:
        folder: its directory.
        ledger: whether descriptions and judgments are read.

    Attributes:
        manifest: what was mapped, and how.
        ledger: the file that descriptions and judgments are in; None: they are left out.

    Raises:
        CatalogMissing: there is none, or it is not finished.
        CatalogBroken: its manifest cannot be read.
    """

    def __init__(self, folder: Path, *, ledger: bool = True) -> None:
        self.folder = folder
        self.ledger = folder / descriptions.LEDGER if ledger else None
        self.manifest = Manifest.read(folder)
        if not is_finished(folder):
            raise CatalogMissing(str(folder), "it is not finished")

    def head(self, head: HeadId | str) -> HeadMap:
        """One head's salient mappings.

        Raises:
            HeadInvalid: not a head's name, or not a head of this model.
            CatalogBroken: a table cannot be read.
        """
        if isinstance(head, str):
            head = HeadId.parse(head)
        head.within(self.manifest.dims["n_layers"], self.manifest.dims["n_heads"])
        its = (pc.field("layer") == head.layer) & (pc.field("head") == head.head)
        return next(to_heads(*(self._of_heads(name, 1, its) for name in ("maps", "signatures"))))

    def maps(self, sources: int | None = None) -> Iterator[HeadMap]:
        """Every head's salient mappings, by layer and head, each made when it is asked for.

        Args:
            sources: of each head only so many, most salient first; None: all.

        Raises:
            SettingInvalid: no such number of sources.
            CatalogBroken: a table cannot be read.
        """
        if sources is not None and sources < 1:
            raise SettingInvalid("sources", sources, "at least 1")
        first = None if sources is None else pc.field("source_rank") < sources
        maps = self._of_heads("maps", len(self), first)
        return to_heads(maps, self._of_heads("signatures", len(self)))

    def heads(self, sort: str | None = None, top: int | None = None) -> Rows[HeadSummary]:
        """Every head's signatures; their mappings are not read.

        Args:
            sort: a signature, largest first, or "telling"; None: by layer and head.
            top: only so many.

        Raises:
            SettingInvalid: no such signature, or no such number of heads.
            CatalogBroken: a table cannot be read.
        """
        if sort not in (None, *SORTABLE):
            raise SettingInvalid("sort", sort, "one of " + ", ".join(SORTABLE))
        if top is not None and top < 1:
            raise SettingInvalid("top", top, "at least 1")
        heads = to_summaries(self._of_heads("signatures", len(self)))
        if sort is not None:
            heads.sort(key=lambda h: (-getattr(h.signatures, sort), h.head))
        return Rows(heads[:top], HeadSummary)

    def telling(self, top: int = 8) -> list[HeadMap]:
        """The most telling heads, one for each KV group.

        Heads that share values often tell the same; the best of each group stands for it.

        Raises:
            SettingInvalid: no such number of heads.
            CatalogBroken: a table cannot be read.
        """
        if top < 1:
            raise SettingInvalid("top", top, "at least 1")
        best: dict[tuple[int, int], HeadId] = {}
        for summary in self.heads(sort=TELLING):
            best.setdefault((summary.head.layer, summary.kv_head), summary.head)
        return [self.head(head) for head in list(best.values())[:top]]

    def table(self, name: str) -> pa.Table:
        """A whole table: one of TABLE_NAMES.

        Raises:
            SettingInvalid: no such table.
            NoRelations: a table of relation scores, and there are none.
            CatalogBroken: it cannot be read.
            LedgerUnusable: the descriptions or judgments cannot be read.
        """
        name = _FILES.get(name, name)
        if name == descriptions.DESCRIPTIONS:
            return descriptions.to_table(self.descriptions(superseded=True))
        if name in judgments.JUDGMENT_TABLES:
            return judgments.read_judged(self.ledger).table(name)
        if name in relations.RELATION_TABLES:
            return relations.read_relation_table(self.folder, name)
        if name not in MAP_TABLES:
            raise SettingInvalid("table", name, "one of " + ", ".join(TABLE_NAMES))
        return read_table(self._path(name), MAP_TABLES[name])

    def tables(self) -> list[str]:
        """The names of the tables that are there; those of relation scores are made later."""
        scored = (self.folder / RELATIONS).is_file()
        return [name for name in TABLE_NAMES if scored or name not in relations.RELATION_TABLES]

    def relation_pairs(self) -> tuple[RelationPairs, ...]:
        """The relations that were scored, and those that are not valid for the model.

        Raises:
            NoRelations: there are no scores.
            CatalogBroken: they cannot be read.
        """
        return RelationRun.read(self.folder).pairs

    def relation_scores(
        self, head: HeadId | str | None = None, relation: str | None = None
    ) -> Rows[RelationScore]:
        """How every head scores on every valid relation, by layer and head.

        Args:
            head: only of this one.
            relation: only on this one; none where it was not scored.

        Raises:
            HeadInvalid: not a head's name.
            NoRelations: there are no scores.
            CatalogBroken: they cannot be read.
        """
        return Rows(relations.read_scores(self.folder, _parsed(head), relation), RelationScore)

    def descriptions(
        self, head: HeadId | str | None = None, llm: str | None = None, *, superseded: bool = False
    ) -> Rows[Description]:
        """What is said of the heads, by head, language model and prompt.

        Args:
            head: only of this one.
            llm: only by this describer: any name of theirs, or an unambiguous part of one.
            superseded: whether what a describer has said before is there as well, where people
                have judged it.

        Raises:
            HeadInvalid: not a head's name.
            DescriberUnknown: nobody is called so, or several are.
            LedgerUnusable: the ledger, where they are, cannot be read.
        """
        of = _parsed(head)
        heads = None if of is None else [of]
        read = descriptions.read_descriptions
        return Rows(read(self.ledger, llm, heads=heads, superseded=superseded), Description)

    def judgments(self) -> Rows[tuple[Item, Judgment]]:
        """What people judged of the descriptions, by head, language model and rater.

        Returns:
            The last answer of each rater on each item, with the item.

        Raises:
            LedgerUnusable: the ledger, where they are, cannot be read.
        """
        pairs = ((one.item, given) for one in self.verdicts() for given in one.judgments)
        return Rows(pairs, Item, Judgment)

    def verdicts(self, head: HeadId | str | None = None) -> list[Verdict]:
        """What the judgments of each item come to, by head and language model.

        Args:
            head: only of this one.

        Raises:
            HeadInvalid: not a head's name.
            LedgerUnusable: the ledger, where they are, cannot be read.
        """
        of = _parsed(head)
        found = judgments.read_judged(self.ledger).verdicts()
        return [one for one in found if of in (None, one.item.head)]

    def describers(self) -> Describers:
        """Who has described heads, and what they are called.

        Raises:
            LedgerUnusable: the ledger, where they are, cannot be read.
        """
        return judgments.read_judged(self.ledger).describers

    def frame(self, name: str = "signatures") -> pd.DataFrame:
        """A whole table as a pandas frame."""
        return self.table(name).to_pandas()

    def __iter__(self) -> Iterator[HeadMap]:
        return self.maps()

    def __len__(self) -> int:
        return self.manifest.dims["n_layers"] * self.manifest.dims["n_heads"]

    def __repr__(self) -> str:
        return f"<Catalog {self.manifest.model['id']}: {len(self)} heads, {self.folder}>"

    def _repr_html_(self) -> str:
        """What it holds and its most telling heads, for notebooks."""
        of, dims = self.manifest.model, self.manifest.dims
        tables = ", ".join(self.tables())
        size = f"{len(self):,} heads, {dims['n_layers']} layers of {dims['n_heads']}"
        caption = (
            f"<b>{html.text(of['id'])}</b>: {size}; in {html.text(self.folder)}<br>"
            f"Tables, as pandas frames with <code>catalog.frame(name)</code>: {tables}<br>"
            "The most telling heads, one for each KV group, on their most salient source:"
        )
        rows = [
            [
                html.text(head.head),
                html.code(one.source.text),
                html.codes((t.token.text, t.logit) for t in one.targets),
            ]
            for head in self.telling(_TELLING_HTML)
            for one in head.mappings[:1]
        ]
        return html.table(caption, ("head", "source", "promotes"), rows)

    def _of_heads(self, name: str, count: int, where: pc.Expression | None = None) -> pa.Table:
        return read_head_rows(self._path(name), MAP_TABLES[name], count, where)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"


def _parsed(head: HeadId | str | None) -> HeadId | None:
    return HeadId.parse(head) if isinstance(head, str) else head


def open_catalog(catalog: Catalog | str | Path) -> Catalog:
    """Open a finished catalog; one that is open already is given back.

    Raises:
        CatalogMissing: there is none, or it is not finished.
        CatalogBroken: its manifest cannot be read.
    """
    return catalog if isinstance(catalog, Catalog) else Catalog(user_path(catalog))
