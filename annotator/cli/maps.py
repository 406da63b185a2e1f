"""Commands that map a model, or ask it something. Rooms are imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from annotator.cli.app import COUNT, FOLDER, app, model_options


def _opening(options: dict[str, Any]) -> dict[str, Any]:
    """What opens the model; and as settings all other options."""
    from annotator.maps.settings import MapSettings

    opening = {name: options.pop(name) for name in ("revision", "tokenizer", "device")}
    return {**opening, "settings": MapSettings(**options)}


@app.command("map")
@click.argument("model")
@click.option("--out", required=True, type=FOLDER, help="The catalog's directory.")
@click.option(
    "--sources",
    default=45,
    show_default=True,
    type=COUNT,
    help="Salient sources kept per head; the first 30 are the published evidence.",
)
@click.option(
    "--targets", default=5, show_default=True, type=COUNT, help="Targets kept per source."
)
@click.option("--suppress", is_flag=True, help="Keep each source's smallest targets too.")
@model_options
def map_command(model: str, out: Path, **options: Any) -> None:
    """Map every head of a model into a catalog.

    MODEL is a folder with safetensors, a .gguf file, or a Hugging Face hub id.

    A run that was stopped goes on where it was: run the same command again.
    """
    from annotator.cli.text import catalog_line
    from annotator.pipeline.mapping import map_model

    click.echo(catalog_line(map_model(model, out, **_opening(options))))


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
    from annotator.cli.text import print_row
    from annotator.pipeline.ask import row as ask

    print_row(ask(model, head, source, k=k, **_opening(options)))


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
    from annotator.cli.text import print_hits
    from annotator.pipeline.ask import find as ask

    hits = ask(model, source, target, **_opening(options))
    print_hits(hits[:top], len(hits))
