"""Commands that test relation scores in inference, and set models side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from annotator.cli.app import FOLDER, app
from annotator.cli.relations import opened_options

Command = TypeVar("Command", bound=Callable[..., Any])

CATALOG = click.argument("catalog", type=FOLDER)
OUT = click.option(
    "--out",
    type=FOLDER,
    help="Directory for tables and figures.  [default: CATALOG/validation; with --relation none]",
)
SEED = click.option("--seed", default=0, show_default=True, help="Of everything that is drawn.")
RELATIONS = click.option(
    "--relation", "relations", multiple=True, help="Only this one; may be repeated."
)


def experiment(command: Command) -> Command:
    """The options of every command that runs the model."""
    return CATALOG(RELATIONS(opened_options(OUT(command))))


@app.group()
def validate() -> None:
    """Test relation scores with the model in inference.

    `annotator relations` comes first: the experiments take its scores and its pairs. Each writes
    its tables (CSV, Markdown, LaTeX) and figures (PNG, SVG) into the catalog's validation folder,
    `compare` only where --out says.
    """


@validate.command()
@experiment
@click.option(
    "--variants", is_flag=True, help="Also compare four variants of the static score with it."
)
def correlate(catalog: Path, **options: Any) -> None:
    """Correlate static scores with what heads write in prompts.

    For each relation: Pearson's r over all heads and four templates, with the attention of the
    prompt and with all of it on the source. One forward pass of a prompt serves all heads.

    A run that was stopped goes on at its first unfinished relation: run the same command again.
    """
    from annotator.cli.validated import print_correlate
    from annotator.pipeline.validate import correlate as run

    print_correlate(run(catalog, **options))


@validate.command("multi-token")
@experiment
def multi_token(catalog: Path, **options: Any) -> None:
    """Do the same for sources of several tokens.

    Static scores are those of the relation's single-token sources.
    """
    from annotator.cli.validated import print_multi_token
    from annotator.pipeline.validate import multi_token as run

    print_multi_token(run(catalog, **options))


@validate.command()
@experiment
@SEED
def ablate(catalog: Path, **options: Any) -> None:
    """Silence a relation's heads and see whether the model still knows it.

    The heads of highest score are silenced one after the other, at the last position of a prompt
    that asks for the target; beside them as many random heads, and the same heads on prompts of
    other relations.
    """
    from annotator.cli.validated import print_ablate
    from annotator.pipeline.validate import ablate as run

    print_ablate(run(catalog, **options))


@validate.command()
@click.argument("catalogs", type=FOLDER, nargs=-1, required=True)
@RELATIONS
@SEED
@click.option("--out", type=FOLDER, help="Directory for tables and figures.  [default: none]")
def compare(catalogs: tuple[Path, ...], **options: Any) -> None:
    """Set the relation heads of several models side by side.

    By depth, per head, shared between relations, and alike within groups that share a value head.
    The models are not loaded.
    """
    from annotator.cli.validated import print_compare
    from annotator.pipeline.comparing import compare as run

    print_compare(*run(catalogs, **options))
