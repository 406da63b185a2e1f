"""`annotator relations`: all heads scored on relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.columns import Columns
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from annotator.cli.app import CATALOG, DEVICE, FOLDER, REVISION, Command, app
from annotator.cli.heatmap import BLOCKS, NO_SCORE, Cell, heads_in_a_cell, heatmap
from annotator.cli.layout import new_console, new_table
from annotator.errors import NoRelations
from annotator.records import (
    FLAG,
    LEAST_DRAWS,
    LEAST_PAIRS,
    Q_LEVEL,
    HeadId,
    RelationPairs,
    RelationScore,
)

if TYPE_CHECKING:
    from annotator.catalog.read import Catalog

MODEL = click.option("--model", help="Where the catalog's model is now.  [default: where it was]")
TOKENIZER = click.option("--tokenizer", type=FOLDER, help="In place of the model's own.")


def opened_options(command: Command) -> Command:
    """The options of every command that opens a catalog's model again."""
    return MODEL(REVISION(TOKENIZER(DEVICE(command))))


@app.command()
@CATALOG
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
    from annotator.pipeline.progress import say, track
    from annotator.pipeline.relations import asked_relations, score_relations

    opened = open_catalog(catalog)
    asked = asked_relations(opened, relations)
    if relation is not None:
        require_relation(opened, relation, [one.name for one in asked])
    if figures is not None:
        from annotator.views.figures.canvas import require_canvas

        require_canvas(figures)
    scored = score_relations(opened, asked, **options)
    if relation is None:
        print_relations(scored)
    else:
        print_relation(scored, relation)
    if figures is not None:
        from annotator.views.export.folder import together
        from annotator.views.figures.relations import draw

        dims, pairs = scored.manifest.dims, scored.relation_pairs()
        total = 2 + sum(one.valid for one in pairs)
        with together(figures, say) as part:
            drawing = draw(scored.relation_scores(), dims, part, pairs)
            drawn = list(track(drawing, "Drawing", total, unit="figure"))
        click.echo(f"{sum(map(len, drawn))} files in {figures}")


BEST_PRINTED = 10
SCORES_MEANING = (
    "phi: share of the relation's sources with a target among the k largest logits of the head's "
    "row; where it is suppressed the score is that among the k smallest. heads: how many have one "
    f"above {FLAG}, as the paper flags them, and before the stroke those of them with q of at most "
    f"{Q_LEVEL}. q: how often the relation scores as high with its targets dealt out anew (p), "
    "after Benjamini and Hochberg over all heads, relations and both signs."
)


@dataclass(frozen=True)
class _Side:
    """One head's score on one relation, of either sign."""

    head: HeadId
    score: float
    q: float
    implements: bool

    @property
    def flagged(self) -> bool:
        return self.score > FLAG

    @property
    def cell(self) -> Cell:
        style = "bold green" if self.implements else "yellow" if self.flagged else "dim"
        return self.score, style


def _promoted(score: RelationScore) -> _Side:
    return _Side(score.head, score.phi, score.q, score.implements)


def _suppressed(score: RelationScore) -> _Side:
    return _Side(score.head, score.suppression, score.suppression_q, score.suppresses)


SIDES = {"promoted": _promoted, "suppressed": _suppressed}


def print_relations(catalog: Catalog) -> None:
    """Which relations are valid, and each one's best heads."""
    console = new_console()
    pairs, scores = catalog.relation_pairs(), catalog.relation_scores()
    valid = [one for one in pairs if one.valid]
    console.print(
        f"{len(valid)} of {_many(len(pairs), 'relation')} valid for "
        f"{catalog.manifest.model['id']}, each with {LEAST_PAIRS} pairs or more that count.\n"
    )
    by_name: dict[str, list[RelationScore]] = {one.name: [] for one in valid}
    for score in scores:
        by_name[score.relation].append(score)
    for side in SIDES if valid else ():
        console.print(Text(side.capitalize(), style="bold"))
        console.print(_overview(valid, by_name, side))
        console.print()
    if valid:
        console.print(f"{SCORES_MEANING}\n")
    invalid = [one for one in pairs if not one.valid]
    if invalid:
        console.print(_dropped(invalid))


def _overview(
    valid: Sequence[RelationPairs], scores: dict[str, list[RelationScore]], side: str
) -> Table:
    """A line for each relation: how many heads, and the best."""
    counts = (("pairs", "number"), ("heads", "number"))
    score = "phi" if side == "promoted" else "score"
    best = (("best", "head"), (score, "number"), ("q", "number"), ("then", "targets"))
    table = new_table(("relation", ""), *counts, *best)
    for pairs in valid:
        ranked = _ranked(scores[pairs.name], side)
        implements, flagged = (
            sum(getattr(one, of) for one in ranked) for of in ("implements", "flagged")
        )
        first, *others = ranked
        then = "  ".join(f"{one.head} {one.score:.2f}" for one in others[:2] if one.score)
        counts = (str(len(pairs.ids)), f"{implements}/{flagged}")
        table.add_row(Text(pairs.name), *counts, *_cells(first), then)
    return table


def _ranked(scores: Sequence[RelationScore], side: str) -> list[_Side]:
    """Heads by their score, the earlier first where it is the same."""
    return sorted(map(SIDES[side], scores), key=lambda one: (-one.score, one.head))


def _cells(one: _Side) -> tuple[str, str, str]:
    return (str(one.head), f"{one.score:.2f}", f"{one.q:.1g}") if one.score else ("none", "-", "-")


def _dropped(relations: Sequence[RelationPairs]) -> Table:
    table = new_table(
        ("not valid", ""), ("count", "number"), ("of", "number"), ("why others do not", "targets")
    )
    for one in relations:
        table.add_row(
            Text(one.name), str(len(one.ids)), str(len(one.relation.pairs)), Text(_reasons(one))
        )
    return table


def _reasons(pairs: RelationPairs) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in pairs.dropped.items())


def require_relation(catalog: Catalog, name: str, there: Sequence[str]) -> None:
    """Refuse the name of a relation that will not be there.

    Raises:
        NoRelations: it is none of them.
    """
    if name not in there:
        listed = f"Those that are there: {', '.join(there)}."
        raise NoRelations(str(catalog.folder), f"it has no relation {name!r}", listed)


def print_relation(catalog: Catalog, name: str) -> None:
    """One relation of the catalog: a map of all heads, and the best of them."""
    console = new_console()
    one = next(pairs for pairs in catalog.relation_pairs() if pairs.name == name)
    console.print(Text(f"{name} in {catalog.manifest.model['id']}", style="bold"))
    if one.relation.description:
        console.print(Text(one.relation.description))
    console.print(Text(_counted(one)))
    if not one.valid:
        console.print(f"It is not valid here: that takes {LEAST_PAIRS} pairs.")
        return
    scores = catalog.relation_scores(relation=name)
    dims = catalog.manifest.dims
    _print_maps(console, scores, dims["n_layers"], dims["n_heads"])
    columns = [
        ((side, "head"), (score, "number"), ("q", "number"))
        for side, score in zip(SIDES, ("phi", "score"), strict=True)
    ]
    table = new_table(*columns[0], *columns[1])
    ranked = [_ranked(scores, side)[:BEST_PRINTED] for side in SIDES]
    for sides in zip(*ranked, strict=True):
        if any(one.score for one in sides):
            table.add_row(*(cell for one in sides for cell in _cells(one)))
    console.print(table)


def _counted(pairs: RelationPairs) -> str:
    dropped = f" Not counted: {_reasons(pairs)}." if pairs.dropped else ""
    return (
        f"{len(pairs.ids)} of {len(pairs.relation.pairs)} pairs count, of {len(pairs.targets)} "
        f"sources; k = {pairs.k}.{dropped}"
    )


def _print_maps(
    console: Console, scores: Sequence[RelationScore], n_layers: int, n_heads: int
) -> None:
    """Both signs, beside each other where the terminal is wide enough."""
    maps: list[Group] = []
    for side, of in SIDES.items():
        cells = {one.head: one.cell for one in map(of, scores)}
        drawn = heatmap(cells, n_layers, n_heads, console.width)
        maps.append(Group(Text(side, style="bold"), drawn))
    console.print()
    console.print(Columns(maps, padding=(1, 4)))
    size = heads_in_a_cell(n_heads, console.width)
    shared = f" A cell is the largest of {size} heads." if size > 1 else ""
    console.print(
        f"\n{NO_SCORE} 0 and {BLOCKS} up to 1 of the sources. Green: above {FLAG} and q at most "
        f"{Q_LEVEL}; yellow: above {FLAG} alone.{shared}\n"
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what} is" if number == 1 else f"{number} {what}s are"
