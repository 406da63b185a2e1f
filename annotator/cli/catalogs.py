"""Commands that read a catalog; the model is not loaded. Rooms are imported when one runs."""

from __future__ import annotations

from pathlib import Path

import click

from annotator.cli.app import COUNT, FOLDER, app
from annotator.records import Signatures


@app.command()
@click.argument("catalog", type=FOLDER)
@click.argument("head")
@click.option(
    "--rows", default=30, show_default=True, type=COUNT, help="Sources, most salient first."
)
def show(catalog: Path, head: str, rows: int) -> None:
    """Show one head: its relations, what was said of it, and its salient mappings.

    HEAD is layer and head from 0, as in L23H4. The model is not loaded.
    """
    from annotator.catalog.read import open_catalog
    from annotator.cli.head import print_head

    opened = open_catalog(catalog)
    print_head(opened, opened.head(head), rows)


@app.command()
@click.argument("catalog", type=FOLDER)
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
    from annotator.cli.scored import require_relation
    from annotator.cli.text import print_scores, print_signatures, print_telling

    if sum(map(bool, (telling, sort, relation))) > 1:
        raise click.UsageError("--telling, --sort and --relation are each an order; give one.")
    opened = open_catalog(catalog)
    if telling:
        print_telling(opened.telling(top or 8))
    elif relation:
        valid = [one.name for one in opened.relation_pairs() if one.valid]
        require_relation(opened, relation, valid)
        scores = opened.relation_scores(relation=relation)
        scores.sort(key=lambda one: (-one.phi, one.head))
        print_scores(scores[:top], opened.descriptions())
    else:
        print_signatures(opened.heads(sort, top), opened.descriptions())
