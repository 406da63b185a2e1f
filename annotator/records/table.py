"""A table of results, declared once by whoever computes it; every medium shows it in its own way.

A column says under which heading it stands in each place: `name` in CSV and frames, `label` where
people read files (Markdown, LaTeX, notebooks, card, page), `printed` on the terminal. Where it has
no heading it does not stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TEXT, WHOLE, NUMBER, YES = "text", "whole", "number", "yes"
INTERVAL = "interval"
"""Values are (low, high); in CSV two columns, NAME_low and NAME_high."""
PAIRED = "paired"
"""Values are (difference, low, high); in CSV three columns, NAME, NAME_low and NAME_high."""
CHANGE = "change"
"""Values are (before, after); printed only."""
REASON = "reason"
"""Why something is missing; printed as lines below the table, and no column where there is none."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        kind: what its values are, see above.
        values: one a row; None where there is none.
        name: in CSV and frames.
        label: where people read files.
        printed: on the terminal.
        style: there: "head", "targets" (as wide as there is room), or "" for what its kind has.
        digits: decimals there; elsewhere a number has three.
    """

    kind: str
    values: Sequence[Any]
    name: str | None = None
    label: str | None = None
    printed: str | None = None
    style: str = ""
    digits: int = 3


@dataclass(frozen=True)
class Chart:
    """How the page draws a table: for each row dots with their intervals.

    Attributes:
        title: what it shows, for those who cannot see it.
        axis: what the numbers are.
        series: by the name of a number's column what it is called; its interval is the column of
            that name and of kind INTERVAL. Rows are called as the first column says.
    """

    title: str
    axis: str
    series: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: its files are called so.
        title: a heading.
        about: what its numbers mean, a paragraph; "" where the table before says it.
        columns: from left to right.
        note: what its numbers mean, below it on the terminal.
        group: the name of a column for each value of which the terminal and the page have a table
            or chart of its own.
        unmeasured: rows that the terminal leaves out, since only their reason says anything.
        sections: rows before which the terminal draws a line.
        lead: rows that the page shows at first; none: all.
        reasons: more lines below it, on what is missing in no row.
        chart: how the page draws it.
    """

    name: str
    title: str
    about: str
    columns: Sequence[Column]
    note: str = ""
    group: str | None = None
    unmeasured: frozenset[int] = frozenset()
    sections: frozenset[int] = frozenset()
    lead: frozenset[int] = frozenset()
    reasons: Mapping[str, str] = field(default_factory=dict[str, str])
    chart: Chart | None = None

    def column(self, name: str) -> Column:
        """The column that CSV calls so."""
        return next(one for one in self.columns if one.name == name)
