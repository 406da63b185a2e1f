"""The group that commands join, and the options they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = click.Path(path_type=Path)
COUNT = click.IntRange(min=1)
CATALOG = click.argument("catalog", type=FOLDER)

BOM = click.option(
    "--bom",
    is_flag=True,
    help="Begin CSV files with a byte order mark, by which Excel knows UTF-8.",
)
REVISION = click.option("--revision", help="Branch, tag or commit on the hub.")
DTYPE = click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Arithmetic.",
)
DEVICE = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")

MODEL_OPTIONS = (
    REVISION,
    click.option(
        "--tokenizer",
        type=FOLDER,
        help="A tokenizer.json, or a folder with one, in place of the model's own.",
    ),
    click.option(
        "--vocab",
        "vocabulary",
        type=click.Choice(["all", "usable"]),
        default="all",
        show_default=True,
        help="Rows of the embedding that count, as sources, targets and competitors alike: all, "
        "or those that are not special, unused or padding.",
    ),
    click.option(
        "--source-form",
        type=click.Choice(["mlp-after-layer-0", "mlp", "embedding"]),
        default="mlp-after-layer-0",
        show_default=True,
        help="Source representation: the first MLP's output but the bare embedding in layer 0, "
        "that output in every layer, or the bare embedding in every layer.",
    ),
    DTYPE,
    DEVICE,
)


def model_options(command: Command) -> Command:
    """The options of every command that opens a model."""
    for option in reversed(MODEL_OPTIONS):
        command = option(command)
    return command


def heads_named(_: click.Context, __: click.Parameter, heads: str | None) -> list[str] | None:
    """The names in L23H4,L5H0; None where the option was not given."""
    return None if heads is None else [name.strip() for name in heads.split(",")]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="annotator")
def app() -> None:
    """Map every attention head of a language model from its weights alone.

    Start with `annotator quickstart`: it maps a small real model that comes as a package.
    """
