"""`annotator map`: every head of a model, into a catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annotator.cli.app import COUNT, FOLDER, app, model_options

if TYPE_CHECKING:
    from annotator.catalog.read import Catalog


def opening(options: dict[str, Any]) -> dict[str, Any]:
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
    from annotator.pipeline.map import map_model

    click.echo(catalog_line(map_model(model, out, **opening(options))))


def catalog_line(catalog: Catalog) -> str:
    """Where the catalog is and what it holds."""
    return f"{len(catalog)} heads of {catalog.manifest.model['id']} in {catalog.folder}"
