"""Commands that test relation scores in inference, one an experiment; and set models side by side.

The experiments are those of `annotator.validate.registry`: each brings its name, help and options.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annotator.cli.app import FOLDER, app
from annotator.cli.relations import opened_options

if TYPE_CHECKING:
    from annotator.validate.experiment import Experiment

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


class Experiments(click.Group):
    """A command for each experiment that stands alone, beside those that are defined here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, as help lists them."""
        return [*_alone(), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        found = _alone().get(cmd_name)
        return super().get_command(ctx, cmd_name) if found is None else _command(found)


def _alone() -> dict[str, Experiment]:
    from annotator.validate.registry import experiments

    return {one.command: one for one in experiments() if one.beside is None}


def _command(of: Experiment) -> click.Command:
    """The command that runs an experiment, with a switch for each that may stand beside it."""
    from annotator.validate.registry import experiments

    beside = [one for one in experiments() if one.beside == of.name]

    def run(catalog: Path, **given: Any) -> None:
        from annotator.cli.findings import print_findings
        from annotator.pipeline.validate import run_experiments

        names = [of.name, *(one.name for one in beside if given.pop(one.name))]
        options = {one.name: given.pop(one.name) for one in of.options}
        print_findings(run_experiments(catalog, names, options=options, **given))

    command: Any = run
    for one in reversed(beside):
        command = click.option(f"--{one.command}", one.name, is_flag=True, help=one.help)(command)
    for option in reversed(of.options):
        shown: Any = {"default": option.default, "show_default": True, "help": option.help}
        command = click.option(f"--{option.name}", **shown)(command)
    with_all = CATALOG(RELATIONS(opened_options(OUT(command))))
    return click.command(of.command, help=of.help)(with_all)


@app.group(cls=Experiments)
def validate() -> None:
    """Test relation scores with the model in inference.

    `annotator relations` comes first: the experiments take its scores and its pairs. Each writes
    its tables (CSV, Markdown, LaTeX) and figures (PNG, SVG) into the catalog's validation folder,
    `compare` only where --out says.
    """


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
    from annotator.cli.compared import print_compare
    from annotator.pipeline.comparing import compare as run

    print_compare(*run(catalogs, **options))
