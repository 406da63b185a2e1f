"""`annotator relations`: all heads scored on relations. Rooms are imported when it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from annotator.cli.app import DEVICE, FOLDER, REVISION, app
from annotator.records import LEAST_DRAWS

Command = TypeVar("Command", bound=Callable[..., Any])

MODEL = click.option("--model", help="Where the catalog's model is now.  [default: where it was]")
TOKENIZER = click.option("--tokenizer", type=FOLDER, help="In place of the model's own.")


def opened_options(command: Command) -> Command:
    """The options of every command that opens a catalog's model again."""
    return MODEL(REVISION(TOKENIZER(DEVICE(command))))


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option(
    "--relations",
    type=FOLDER,
    help="A directory of NAME.json, or one such file, of pairs of your own.",
)
@click.option("--relation", metavar="NAME", help="Show this one, with a map of all heads.")
@click.option("--figures", type=FOLDER, help="Draw them into this directory (PNG and SVG).")
@click.option(
    "--draws",
    type=click.IntRange(min=LEAST_DRAWS),
    help=f"Re-pairings a score is compared with.  [default: {LEAST_DRAWS}]",
)
@click.option("--seed", type=click.IntRange(min=0), help="Of the re-pairings.  [default: 0]")
@opened_options
def relations(
    catalog: Path,
    relations: Path | None,
    relation: str | None,
    figures: Path | None,
    **options: Any,
) -> None:
    """Score every head on relations, and show the best.

    A relation is a list of pairs such as France and Paris; annotator brings twenty of the paper and
    six of its own. Scores are kept in the catalog: asked for again, they are shown at once, and no
    model is needed. Other --relations, --draws or --seed replace them.

    A run that was stopped goes on where it was: run the same command again.
    """
    from annotator.catalog.read import open_catalog
    from annotator.cli.scored import print_relation, print_relations, require_relation
    from annotator.pipeline.progress import track
    from annotator.pipeline.relations import asked_relations, score_relations

    opened = open_catalog(catalog)
    asked = asked_relations(opened, relations)
    if relation is not None:
        require_relation(opened, relation, [one.name for one in asked])
    if figures is not None:
        from annotator.catalog.figures.canvas import require_canvas

        require_canvas(figures)
    scored = score_relations(opened, asked, **options)
    if relation is None:
        print_relations(scored)
    else:
        print_relation(scored, relation)
    if figures is not None:
        from annotator.catalog.figures.relations import draw

        dims, pairs = scored.manifest.dims, scored.relation_pairs()
        drawing = draw(scored.relation_scores(), dims, figures, pairs)
        total = 2 + sum(one.valid for one in pairs)
        files = [file for both in track(drawing, "Drawing", total, unit="figure") for file in both]
        click.echo(f"{len(files)} files in {figures}")
