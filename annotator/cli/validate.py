"""`annotator validate`: relation scores tested in inference, a command for each experiment.

The experiments are those of `annotator.validate.registry`: each brings its name, help and options.
What they print is declared with them; see `annotator.records.table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from annotator.cli.app import BOM, CATALOG, FOLDER, app
from annotator.cli.layout import new_console, new_table
from annotator.cli.relations import opened_options
from annotator.records.table import CHANGE, INTERVAL, NUMBER, PAIRED, REASON, TEXT, Column, Table

if TYPE_CHECKING:
    from annotator.pipeline.validate import Findings
    from annotator.validate.experiment import Experiment

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
        from annotator.pipeline.validate import run_experiments

        if given["bom"] and given["relations"] and given["out"] is None:
            raise click.UsageError("--bom: with --relation no files are written; name --out.")
        names = [of.name, *(one.name for one in beside if given.pop(one.name))]
        options = {one.name: given.pop(one.name) for one in of.options}
        print_findings(run_experiments(catalog, names, options=options, **given))

    command: Any = run
    for one in reversed(beside):
        command = click.option(f"--{one.command}", one.name, is_flag=True, help=one.help)(command)
    for option in reversed(of.options):
        shown: Any = {"default": option.default, "show_default": True, "help": option.help}
        command = click.option(f"--{option.name}", **shown)(command)
    with_all = CATALOG(RELATIONS(opened_options(OUT(BOM(command)))))
    return click.command(of.command, help=of.help)(with_all)


@app.group(cls=Experiments)
def validate() -> None:
    """Test relation scores with the model in inference.

    `annotator relations` comes first: the experiments take its scores and its pairs. Each writes
    its tables (CSV, Markdown, LaTeX) and figures (PNG, SVG) into the catalog's validation folder,
    `compare` only where --out says.
    """


def print_findings(found: Findings) -> None:
    """All tables, and where they were written."""
    console = new_console()
    console.print(Text(f"{found.heading}\n", style="bold"))
    for table in found.tables.values():
        _print_table(console, table)
    print_files(console, found.files)


def _print_table(console: Console, table: Table) -> None:
    """A table, or one for each group; then what is missing, and what the numbers mean."""
    count = len(table.columns[0].values)
    groups = table.column(table.group).values if table.group else [None] * count
    for group in dict.fromkeys(groups):
        if table.group:
            console.print(Text(f"{group} {table.group}"))
        rows = [row for row, own in enumerate(groups) if own == group]
        _print_rows(console, table, [row for row in rows if row not in table.unmeasured])
        names = table.columns[0].values
        reasons = [one.values for one in table.columns if one.kind == REASON]
        told = {names[row]: own[row] for own in reasons for row in rows if own[row]}
        print_reasons(console, told)
    print_reasons(console, table.reasons)
    if table.note and count:
        print_note(console, table.note)


def _print_rows(console: Console, table: Table, rows: Sequence[int]) -> None:
    columns = [one for one in table.columns if one.printed is not None and one.kind != REASON]
    if not rows:
        return
    headings = [(str(one.printed), one.style or _style(one)) for one in columns]
    shown = new_table(*headings)
    for row in rows:
        if row in table.sections:
            shown.add_section()
        shown.add_row(*(_cell(column, column.values[row]) for column in columns))
    console.print(shown)
    console.print()


def _style(column: Column) -> str:
    return "" if column.kind == TEXT else "number"


def _cell(column: Column, value: Any) -> Text:
    """A value as the terminal has room for it."""
    kind, digits = column.kind, column.digits
    if value is None:
        return Text("-")
    if kind == NUMBER:
        return Text(number_shown(value, digits))
    if kind == INTERVAL:
        return Text(interval_shown(value, digits))
    if kind == CHANGE:
        return Text(" to ".join(number_shown(one, digits) for one in value))
    if kind == PAIRED:
        difference, low, high = (f"{one:+.{digits}f}" for one in value)
        return Text(f"{difference} ({low}, {high})".replace("0.", "."))
    return Text(str(value))


def print_reasons(console: Console, reasons: Mapping[str, str | None]) -> None:
    """A line for each thing that is missing, and why."""
    for name, reason in reasons.items():
        console.print(Text(f"{name}: {reason}."))
    if reasons:
        console.print()


def print_note(console: Console, text: str) -> None:
    """What numbers mean."""
    console.print(Text(f"{text}\n"))


def print_files(console: Console, files: Sequence[Path]) -> None:
    """What was written, by folder."""
    for folder in dict.fromkeys(path.parent for path in files):
        names = ", ".join(path.name for path in files if path.parent == folder)
        console.print(Text(f"Written to {folder}: {names}"), soft_wrap=True)


def number_shown(value: float | None, digits: int = 3) -> str:
    """A number, or - where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def interval_shown(ends: Sequence[float] | None, digits: int = 2) -> str:
    """The ends of an interval, or - where there is none."""
    return "-" if ends is None else f"{ends[0]:.{digits}f}, {ends[1]:.{digits}f}"
