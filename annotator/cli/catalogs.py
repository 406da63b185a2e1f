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
    """Show one head: what was said of it, and its salient mappings.

    HEAD is layer and head from 0, as in L23H4. The model is not loaded.
    """
    from annotator.catalog.read import open_catalog
    from annotator.cli.text import print_head

    opened = open_catalog(catalog)
    shown = opened.head(head)
    print_head(shown, opened.manifest.model["id"], rows, opened.descriptions(shown.head))


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option("--sort", type=click.Choice([*Signatures.names(), "telling"]), help="Largest first.")
@click.option("--telling", is_flag=True, help="The most telling, one per KV group, in mappings.")
@click.option("--top", type=COUNT, help="Only so many.  [default: all; 8 with --telling]")
def heads(catalog: Path, sort: str | None, telling: bool, top: int | None) -> None:
    """List heads by a signature, or the most telling.

    The model is not loaded. Over a head's 30 most salient sources with 5 targets each:

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
    from annotator.cli.text import print_signatures, print_telling

    if telling and sort:
        raise click.UsageError("--telling has an order of its own; leave --sort out.")
    opened = open_catalog(catalog)
    if telling:
        print_telling(opened.telling(top or 8))
    else:
        print_signatures(opened.heads(sort, top))


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option("--to", required=True, type=click.Choice(["jsonl", "csv", "parquet"]), help="Format.")
@click.option("--out", type=FOLDER, help="Directory for the files.  [default: CATALOG/export]")
def export(catalog: Path, to: str, out: Path | None) -> None:
    """Write the tables as files that other tools read."""
    from annotator.pipeline.export import export as run

    for path in run(catalog, to, out):
        click.echo(path)
