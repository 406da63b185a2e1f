"""How printed tables are laid out: for the terminal's width, 100 columns where there is none."""

from __future__ import annotations

import os

from rich import box
from rich.console import Console
from rich.table import Table


def new_console() -> Console:
    """Standard output, as wide as the terminal."""
    # A pipe has no width of its own; COLUMNS may name one.
    width = None if Console().is_terminal or "COLUMNS" in os.environ else 100
    return Console(width=width, highlight=False, markup=False, emoji=False)


def new_table(*columns: tuple[str, str]) -> Table:
    """A table without lines; a column's style is number, targets, head or ""."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name, style in columns:
        right = style == "number"
        wide = style == "targets"
        table.add_column(
            name,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right,
            ratio=1 if wide else None,
            style="bold" if style == "head" else None,
        )
    return table
