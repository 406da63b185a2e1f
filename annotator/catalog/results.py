"""Tables of what the experiments came to: numbers for programs, and the same for readers.

CSV holds every number to its last digit, an interval as two columns; Markdown and LaTeX hold what
the terminal shows: three decimals, an interval in one column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.catalog.export import csv, latex, markdown
from annotator.catalog.files import make_folder, whole_file
from annotator.records import html

if TYPE_CHECKING:
    from typing import BinaryIO

    from annotator.validate.accuracies import Accuracies
    from annotator.validate.differences import Difference, Paired
    from annotator.validate.report import Correlation, Medians
    from annotator.validate.statistics import Interval

TEXT, WHOLE, NUMBER, YES = pa.string(), pa.int64(), pa.float64(), pa.bool_()
Column = tuple[str, pa.DataType, Sequence[Any]]


@dataclass(frozen=True)
class Result:
    """One table, twice.

    Attributes:
        numbers: for programs.
        shown: for readers; column names may come twice.
    """

    numbers: pa.Table
    shown: pa.Table

    def to_html(self, caption: str) -> str:
        """What readers are shown, for notebooks."""
        columns = [map(markdown.shown, column.to_pylist()) for column in self.shown.columns]
        cells = ([html.text(cell) for cell in row] for row in zip(*columns, strict=True))
        return html.table(html.text(caption), self.shown.column_names, cells)


def write_result(folder: Path, name: str, result: Result) -> list[Path]:
    """Write NAME.csv, NAME.md and NAME.tex, each whole or not at all.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    files: list[tuple[str, pa.Table, Callable[[pa.Table, BinaryIO], None]]] = [
        ("csv", result.numbers, csv.write),
        ("md", result.shown, markdown.write),
        ("tex", result.shown, latex.write),
    ]
    make_folder(folder)
    for suffix, table, write in files:
        with whole_file(folder / f"{name}.{suffix}") as file:
            write(table, file)
    return [folder / f"{name}.{suffix}" for suffix, *_ in files]


def correlation_result(rows: Sequence[Correlation]) -> Result:
    """The rows of `correlate`, or of `multi-token`, which have a form each."""
    forms = [row.form for row in rows]
    about: list[Column] = [
        ("relation", TEXT, [row.relation for row in rows]),
        *([("form", TEXT, forms)] if any(forms) else []),
        ("k", WHOLE, [row.k for row in rows]),
        ("pairs" if any(forms) else "sources", WHOLE, [row.sources for row in rows]),
    ]
    without, with_context = [r.without for r in rows], [r.with_context for r in rows]
    ends = [r.without_interval for r in rows], [r.with_interval for r in rows]
    reasons = [row.reason for row in rows]
    numbers: list[Column] = [
        *about,
        ("published", YES, [row.published for row in rows]),
        ("without", NUMBER, without),
        *two_ends("without", ends[0]),
        ("with_context", NUMBER, with_context),
        *two_ends("with_context", ends[1]),
        ("reason", TEXT, reasons),
    ]
    shown: list[Column] = [
        *about,
        ("r without context", NUMBER, without),
        ("95 %", TEXT, [interval_shown(one) for one in ends[0]]),
        ("r with context", NUMBER, with_context),
        ("95 %", TEXT, [interval_shown(one) for one in ends[1]]),
        *_reasons(reasons),
    ]
    return Result(table_of(numbers), table_of(shown))


def medians_result(rows: Sequence[Medians]) -> Result:
    """Medians over relations, ours and the published ones."""
    columns: list[Column] = [
        ("median over relations", TEXT, [row.of for row in rows]),
        ("relations", WHOLE, [row.relations for row in rows]),
        ("r without context", NUMBER, [row.without for row in rows]),
        ("r with context", NUMBER, [row.with_context for row in rows]),
    ]
    names = ("of", "relations", "without", "with_context")
    return Result(table_of(columns).rename_columns(list(names)), table_of(columns))


def accuracy_result(rows: Sequence[Accuracies]) -> Result:
    """The rows of `ablate`; the numbers of single draws and controls are in the table `ablate`."""
    start: list[Column] = [
        ("relation", TEXT, [row.relation for row in rows]),
        ("prompts", WHOLE, [row.prompts for row in rows]),
    ]
    shares: list[Column] = [
        ("accuracy", NUMBER, [row.base for row in rows]),
        ("heads", WHOLE, [row.step for row in rows]),
        ("without them", NUMBER, [row.own for row in rows]),
        ("without random ones", NUMBER, [row.random_mean for row in rows]),
        ("others' accuracy", NUMBER, [row.control_base for row in rows]),
        ("others' without them", NUMBER, [row.control_mean for row in rows]),
    ]
    names = ("base", "step", "own", "random", "control_base", "control")
    reasons = [row.reason for row in rows]
    numbers: list[Column] = [
        *start,
        *((name, kind, values) for name, (_, kind, values) in zip(names, shares, strict=True)),
        ("draws", WHOLE, [len(row.random) for row in rows]),
        ("controls", TEXT, [" ".join(o.relation for o in row.controls) for row in rows]),
        ("reason", TEXT, reasons),
    ]
    return Result(table_of(numbers), table_of([*start, *shares, *_reasons(reasons)]))


def difference_result(rows: Sequence[Difference]) -> Result:
    """Variants of the static score; rows without a relation are medians."""
    about: list[Column] = [
        ("variant", TEXT, [row.variant for row in rows]),
        ("relation", TEXT, [row.relation for row in rows]),
        ("relations", WHOLE, [row.relations for row in rows]),
    ]
    medians = [row.relation or f"median of {row.relations}" for row in rows]
    numbers, shown = [*about], [about[0], ("relation", TEXT, medians)]
    for name, r, paired in (
        ("without", [row.without for row in rows], [row.without_difference for row in rows]),
        ("with_context", [row.with_context for row in rows], [row.with_difference for row in rows]),
    ):
        ends = [None if one is None else one[1:] for one in paired]
        gains = [None if one is None else one[0] for one in paired]
        difference = f"{name}_difference"
        numbers += [(name, NUMBER, r), (difference, NUMBER, gains), *two_ends(difference, ends)]
        shown += [
            (f"r {name.replace('_', ' ')}", NUMBER, r),
            ("minus the paper's", TEXT, [paired_shown(one) for one in paired]),
        ]
    return Result(table_of(numbers), table_of(shown))


def interval_shown(ends: Interval | None) -> str | None:
    """The ends of an interval as a reader wants them."""
    return None if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def paired_shown(paired: Paired | None) -> str | None:
    """A difference and its interval, with signs."""
    if paired is None:
        return None
    difference, low, high = paired
    return f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"


def two_ends(name: str, ends: Sequence[Interval | None]) -> list[Column]:
    """The ends of intervals as two columns of numbers."""
    low = [None if one is None else one[0] for one in ends]
    high = [None if one is None else one[1] for one in ends]
    return [(f"{name}_low", NUMBER, low), (f"{name}_high", NUMBER, high)]


def _reasons(reasons: Sequence[str | None]) -> list[Column]:
    """A column of reasons, where there is one to give."""
    return [("missing because", TEXT, [r or "" for r in reasons])] if any(reasons) else []


def table_of(columns: Iterable[Column]) -> pa.Table:
    """Columns as a table; names may come twice."""
    columns = list(columns)
    schema = pa.schema([pa.field(name, kind) for name, kind, _ in columns])
    arrays = [pa.array(values, type=kind) for _, kind, values in columns]
    return pa.Table.from_arrays(arrays, schema=schema)
