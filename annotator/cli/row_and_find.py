"""`annotator row` and `annotator find`: questions put to a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.text import Text

from annotator.cli.app import COUNT, app, model_options
from annotator.cli.layout import (
    new_console,
    new_table,
    number_shown,
)
from annotator.cli.map import opening
from annotator.records import (
    Hit,
    RowView,
)


@app.command()
@click.argument("model")
@click.argument("head")
@click.argument("source")
@click.option("-k", default=10, show_default=True, type=COUNT, help="Targets at either end.")
@model_options
def row(model: str, head: str, source: str, k: int, **options: Any) -> None:
    """What a head does with one source token.

    Its row's top and bottom targets, and how salient the source is for the head.

    MODEL is a folder with safetensors, a .gguf file, or a Hugging Face hub id. SOURCE is a text
    that is one token, or '#123' for an id. Mind the leading space:

    \b
    annotator row MODEL L23H4 ' France'
    """
    from annotator.pipeline.row_and_find import row as ask

    print_row(ask(model, head, source, k=k, **opening(options)))


@app.command()
@click.argument("model")
@click.argument("source")
@click.argument("target")
@click.option("--top", default=20, show_default=True, type=COUNT, help="Only so many heads.")
@model_options
def find(model: str, source: str, target: str, top: int, **options: Any) -> None:
    """Which heads map one token to another.

    All heads by the target's rank in the source's row.

    MODEL is a folder with safetensors, a .gguf file, or a Hugging Face hub id. SOURCE and TARGET
    are texts that are one token, or '#123' for an id. Mind the leading space:

    \b
    annotator find MODEL ' France' ' Paris'
    """
    from annotator.pipeline.row_and_find import find as ask

    hits = ask(model, source, target, **opening(options))
    print_hits(hits[:top], len(hits))


def print_row(view: RowView) -> None:
    """One row of a head's map."""
    console = new_console()
    console.print(Text(f"{view.head} on {view.source.text}", style="bold"))
    console.print(f"sigma {number_shown(view.sigma)}; {view.sigma_rank:,} sources are more salient")
    console.print()
    table = new_table(
        ("promotes", ""), ("logit", "number"), ("suppresses", ""), ("logit", "number")
    )
    for up, down in zip(view.top, view.bottom, strict=True):
        table.add_row(
            Text(up.token.text),
            number_shown(up.logit),
            Text(down.token.text),
            number_shown(down.logit),
        )
    console.print(table)


def print_hits(hits: Sequence[Hit], of: int) -> None:
    """Heads by the rank of a target."""
    console = new_console()
    table = new_table(("head", "head"), ("rank", "number"), ("logit", "number"))
    for hit in hits:
        table.add_row(str(hit.head), str(hit.rank), number_shown(hit.logit))
    console.print(table)
    console.print(f"{len(hits)} of {of} heads; rank 0: no target has a larger logit")
