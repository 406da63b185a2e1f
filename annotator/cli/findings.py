"""What experiments print: each table as it is declared (see `annotator.records.table`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from annotator.cli.layout import new_console, new_table
from annotator.records.table import CHANGE, INTERVAL, NUMBER, PAIRED, REASON, TEXT, Column, Table

if TYPE_CHECKING:
    from annotator.pipeline.validate import Findings


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
