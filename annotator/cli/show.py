"""`annotator show`: all there is of one head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from annotator.cli.app import CATALOG, COUNT, app
from annotator.cli.descriptions import print_said
from annotator.cli.layout import (
    SCORE_COLUMNS,
    new_console,
    new_table,
    number_shown,
    packed,
    score_cells,
    tokens_shown,
)
from annotator.records import EVIDENCE_SOURCES, HeadMap, RelationScore, Signatures

if TYPE_CHECKING:
    from annotator.catalog.read import Catalog


@app.command()
@CATALOG
@click.argument("head")
@click.option(
    "--rows", default=30, show_default=True, type=COUNT, help="Sources, most salient first."
)
def show(catalog: Path, head: str, rows: int) -> None:
    """Show one head: its relations, what was said of it, and its salient mappings.

    HEAD is layer and head from 0, as in L23H4. The model is not loaded.
    """
    from annotator.pipeline.ledger import open_to_show

    opened = open_to_show(catalog)
    print_head(opened, opened.head(head), rows)


def print_head(catalog: Catalog, head: HeadMap, rows: int) -> None:
    """One head: its relations, what was said and judged of it, and its mappings."""
    # All is read before anything is printed: a ledger that is broken is one message.
    scores = catalog.relation_scores(head.head) if "relations" in catalog.tables() else None
    said = catalog.descriptions(head.head)
    judged = catalog.verdicts(head.head)
    console = new_console()
    kv = f"KV head {head.kv_head}{_shared(catalog, head)}"
    console.print(Text(f"{head.head} of {catalog.manifest.model['id']}  ({kv})", style="bold"))
    names = (*Signatures.names(), "telling")
    numbers = [f"{name} {number_shown(getattr(head.signatures, name))}" for name in names]
    console.print(packed(numbers, console.width))
    console.print()
    if scores is not None:
        _print_relations(console, scores)
    for one in said:
        of_it = [v for v in judged if (v.item.who, v.item.key) == (one.who, one.key)]
        print_said(console, one, of_it)
    console.print(_mappings(head, rows))


def _shared(catalog: Catalog, head: HeadMap) -> str:
    """The heads that read the same values, where there are others."""
    dims = catalog.manifest.dims
    size = dims["n_heads"] // dims.get("n_kv_heads", dims["n_heads"])
    if size == 1:
        return ""
    layer, first = head.head.layer, head.kv_head * size
    to = "and" if size == 2 else "to"
    return f", shared by L{layer}H{first} {to} L{layer}H{first + size - 1}"


def _print_relations(console: Console, scores: Sequence[RelationScore]) -> None:
    """Those that it implements or suppresses, or the one it comes nearest to."""
    implemented = [one for one in scores if one.implements or one.suppresses]
    best = max(scores, key=lambda one: max(one.phi, one.suppression), default=None)
    if not implemented:
        near = "none scores above 0"
        if best is not None and (score := max(best.phi, best.suppression)) > 0:
            sign = "" if best.phi == score else ", suppressed"
            near = f"nearest is {best.relation} {score:.2f}{sign}"
        console.print(
            Text(f"Of {len(scores)} relations it implements or suppresses none; {near}.\n")
        )
        return
    table = new_table(("relation", ""), *SCORE_COLUMNS)
    for one in sorted(implemented, key=lambda one: -max(one.phi, one.suppression)):
        table.add_row(Text(one.relation), *score_cells(one))
    console.print(table)
    console.print()


def _mappings(head: HeadMap, rows: int) -> Table:
    suppressed = any(mapping.suppressed for mapping in head.mappings)
    columns = [("", "number"), ("source", ""), ("sigma", "number"), ("promotes", "targets")]
    table = new_table(*columns, *([("suppresses", "targets")] if suppressed else []))
    for rank, mapping in enumerate(head.mappings[:rows]):
        cells = [
            str(rank + 1),
            Text(mapping.source.text),
            number_shown(mapping.sigma),
            tokens_shown(mapping.targets),
        ]
        table.add_row(*cells, *([tokens_shown(mapping.suppressed)] if suppressed else []))
        if rank + 1 == EVIDENCE_SOURCES < min(rows, len(head.mappings)):
            table.add_section()
    return table
