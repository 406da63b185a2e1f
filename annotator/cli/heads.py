"""`annotator heads`: a line for each head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.text import Text

from annotator.cli.app import CATALOG, COUNT, app
from annotator.cli.descriptions import in_short, one_voice
from annotator.cli.layout import (
    SCORE_COLUMNS,
    new_console,
    new_table,
    number_shown,
    score_cells,
    tokens_shown,
)
from annotator.records import (
    Description,
    HeadId,
    HeadMap,
    HeadSummary,
    RelationScore,
    Signatures,
)

TELLING_ROWS = 5
SAID_WIDTH = 24
"""Columns that are left for what is said of a head; with fewer it is left out."""


@app.command()
@CATALOG
@click.option("--sort", type=click.Choice([*Signatures.names(), "telling"]), help="Largest first.")
@click.option("--relation", metavar="NAME", help="By their score on it, largest first.")
@click.option("--telling", is_flag=True, help="The most telling, one per KV group, in mappings.")
@click.option("--top", type=COUNT, help="Only so many.  [default: all; 8 with --telling]")
def heads(
    catalog: Path, sort: str | None, relation: str | None, telling: bool, top: int | None
) -> None:
    """List heads by a signature or a relation, or the most telling.

    The model is not loaded. Where the terminal has room, what is said of a head
    stands beside its numbers. Over its 30 most salient sources with 5 targets each:

    \b
    copy      the first target equals the source
    stem      a target begins as the source does
    hub       rows with the most frequent target
    distinct  distinct targets
    script    targets in another script than the source
    fragment  whitespace, punctuation, partial bytes
    focus     sigma mass of the sources
    strength  how far the top logit stands out
    telling   strength * (1 - hub) * (1 - fragment)
    """
    from annotator.catalog.read import open_catalog
    from annotator.cli.relations import require_relation
    from annotator.pipeline.ledger import open_to_show

    if sum(map(bool, (telling, sort, relation))) > 1:
        raise click.UsageError("--telling, --sort and --relation are each an order; give one.")
    if telling:
        print_telling(open_catalog(catalog).telling(top or 8))
        return
    opened = open_to_show(catalog)
    if relation:
        valid = [one.name for one in opened.relation_pairs() if one.valid]
        require_relation(opened, relation, valid)
        scores = opened.relation_scores(relation=relation)
        scores.sort(key=lambda one: (-one.phi, one.head))
        print_scores(scores[:top], opened.descriptions())
    else:
        print_signatures(opened.heads(sort, top), opened.descriptions())


def print_telling(heads: Sequence[HeadMap]) -> None:
    """Heads with the first rows of their mappings."""
    console = new_console()
    console.print("The source tokens each head responds to most, and the tokens it then promotes;")
    console.print("read from the weights alone. ␣ is a space.\n")
    table = new_table(("head", "head"), ("source", ""), ("promotes", "targets"))
    for head in heads:
        for rank, mapping in enumerate(head.mappings[:TELLING_ROWS]):
            name = Text(str(head.head)) if rank == 0 else ""
            table.add_row(name, Text(mapping.source.text), tokens_shown(mapping.targets))
        table.add_section()
    console.print(table)


def print_signatures(heads: Sequence[HeadSummary], said: Sequence[Description] = ()) -> None:
    """A line of numbers for each head."""
    names = (*Signatures.names(), "telling")
    rows = {
        one.head: [number_shown(getattr(one.signatures, name)) for name in names] for one in heads
    }
    _print_heads([(name, "number") for name in names], rows, said)


def print_scores(scores: Sequence[RelationScore], said: Sequence[Description] = ()) -> None:
    """A line for each head and how it scores on one relation."""
    rows = {one.head: score_cells(one) for one in scores}
    _print_heads(SCORE_COLUMNS, rows, said)


def _print_heads(
    columns: Sequence[tuple[str, str]],
    rows: Mapping[HeadId, Sequence[str]],
    said: Sequence[Description],
) -> None:
    """A line for each head, with what is said of it where the terminal has room for that."""
    console = new_console()
    numbers = new_table(("head", "head"), *columns)
    for head, cells in rows.items():
        numbers.add_row(str(head), *cells)
    said = one_voice(said)
    room = console.width - console.measure(numbers).maximum - 2  # between columns
    if not said or room < SAID_WIDTH:
        console.print(numbers)
        return
    by_head = {one.head: in_short(one) for one in said}
    table = new_table(("head", "head"), *columns, (_cut(f"by {said[0].by}", room).plain, ""))
    for head, cells in rows.items():
        table.add_row(str(head), *cells, _cut(by_head.get(head, "-"), room))
    console.print(table)


def _cut(line: str, width: int) -> Text:
    text = Text(line)
    text.truncate(width, overflow="ellipsis")
    return text
