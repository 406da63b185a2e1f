"""`annotator validate compare`: the relation heads of several models side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from annotator.cli.app import BOM, FOLDER
from annotator.cli.layout import new_console, new_table
from annotator.cli.validate import (
    RELATIONS,
    SEED,
    interval_shown,
    number_shown,
    print_files,
    print_note,
    print_reasons,
    validate,
)

if TYPE_CHECKING:
    from annotator.validate.compare_models import Comparison, ModelHeads

PAIRS_SHOWN = 10
RELATION_WIDTH, MODEL_WIDTH = 24, 18
"""Columns that a relation's name and a model's cells take."""
COMPARED = (
    "A relation head implements at least one of the relations. r: of two heads' relation scores, "
    "over the relations that all models share; p: how often heads dealt to groups at random differ "
    "as much; 95 %: layers resampled."
)


@validate.command()
@click.argument("catalogs", type=FOLDER, nargs=-1, required=True)
@RELATIONS
@SEED
@click.option("--out", type=FOLDER, help="Directory for tables and figures.  [default: none]")
@BOM
def compare(catalogs: tuple[Path, ...], **options: Any) -> None:
    """Set the relation heads of several models side by side.

    By depth, per head, shared between relations, and alike within groups that share a value head.
    The models are not loaded.
    """
    from annotator.pipeline.compare import compare as run

    if options["bom"] and options["out"] is None:
        raise click.UsageError("--bom: no files are written; name --out.")
    print_compare(*run(catalogs, **options))


def print_compare(comparison: Comparison, files: Sequence[Path] = ()) -> None:
    """Several models' relation heads side by side."""
    console = new_console()
    count = len(comparison.relations)
    console.print(Text(f"Relation heads, over {count} relations\n", style="bold"))
    _print_models(console, comparison.models)
    _print_depths(console, comparison.models)
    _print_relations(console, comparison)
    _print_shared(console, comparison)
    _print_groups(console, comparison.models)
    print_note(console, COMPARED)
    print_files(console, files)


def _print_models(console: Console, models: Sequence[ModelHeads]) -> None:
    most = len(models[0].per_head) - 1
    several = [f"of {n}" for n in range(1, most)]
    names = ("heads", "relation heads", *several, f"of {most}+")
    table = new_table(("model", "targets"), *((name, "number") for name in names))
    for model in models:
        heads = model.dims["n_layers"] * model.dims["n_heads"]
        numbers = (heads, model.relation_heads, *model.per_head[1:])
        table.add_row(Text(model.name), *map(str, numbers))
    console.print(table)
    console.print()


def _print_depths(console: Console, models: Sequence[ModelHeads]) -> None:
    parts = len(models[0].depths)
    names = [f"≤{(part + 1) / parts:g}" for part in range(parts)]
    table = new_table(("at depth", "targets"), *((name, "number") for name in names))
    for model in models:
        table.add_row(Text(model.name), *(str(count) if count else "·" for count in model.depths))
    console.print(table)
    console.print()


def _print_relations(console: Console, comparison: Comparison) -> None:
    """How many heads implement each relation, and the best one."""
    for models in _side_by_side(console, comparison):
        table = new_table(("relation", "head"), *((model.name, "") for model in models))
        for name in comparison.relations:
            found = [model.relations[name] for model in models]
            table.add_row(name, *(f"{one.heads}  {one.best} {one.phi:.2f}" for one in found))
        console.print(table)
        console.print()


def _print_shared(console: Console, comparison: Comparison) -> None:
    """The relations that share most of their heads in some model."""
    names = [model.name for model in comparison.models]
    found = [one for one in comparison.shared if any(both for both, _ in one.heads.values())]
    found.sort(key=lambda pair: -max(pair.jaccard(name) or 0 for name in names))
    for models in _side_by_side(console, comparison) if found else ():
        columns = [(model.name, "") for model in models]
        table = new_table(("relations that share heads", ""), *columns)
        for pair in found[:PAIRS_SHOWN]:
            counts = [pair.heads[model.name] for model in models]
            cells = [f"{both} of {either}" for both, either in counts]
            table.add_row(f"{pair.first}, {pair.second}", *cells)
        console.print(table)
        console.print()
    if len(found) > PAIRS_SHOWN:
        console.print(f"{len(found) - PAIRS_SHOWN} more pairs of relations share heads.\n")


def _side_by_side(console: Console, comparison: Comparison) -> Iterable[Sequence[ModelHeads]]:
    """The models, as many at a time as fit beside each other."""
    fitting = max(1, (console.width - RELATION_WIDTH) // MODEL_WIDTH)
    for first in range(0, len(comparison.models), fitting):
        yield comparison.models[first : first + fitting]


def _print_groups(console: Console, models: Sequence[ModelHeads]) -> None:
    there = [(model.name, model.groups) for model in models if model.groups is not None]
    names = ("r in a KV group", "r of others", "difference, 95 %", "p")
    table = new_table(("model", "targets"), *((name, "number") for name in names))
    for name, groups in there:
        ends = f"{groups.within - groups.between:+.2f} ({interval_shown(groups.interval)})"
        means = number_shown(groups.within, 2), number_shown(groups.between, 2)
        table.add_row(Text(name), *means, ends, f"{groups.p:.2g}")
    if there:
        console.print(table)
        console.print()
    print_reasons(console, {m.name: f"KV groups: {m.no_groups}" for m in models if m.no_groups})
