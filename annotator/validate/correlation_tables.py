"""Static against dynamic scores as rows, tables and figures, for correlate and multi-token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator.records.figure import CROSSES, DOTS, Figure, Panel, Series
from annotator.records.table import (
    INTERVAL,
    NUMBER,
    REASON,
    TEXT,
    WHOLE,
    YES,
    Chart,
    Column,
    Table,
)
from annotator.validate.experiment import Facts
from annotator.validate.relation_rows import Scores, scores_in
from annotator.validate.statistics import RESAMPLES, Interval, interval, median_of, pearson

if TYPE_CHECKING:
    import pandas as pd

NO_INTERVAL = "no interval: in too many resamples of heads the scores of a side are all the same"
CONTEXTS = {"without": "without context", "with_context": "with context"}
_MARKS = {"without": DOTS, "with_context": CROSSES}
INTERVALS = "95 %: percentile bootstrap over heads, drawn within their layers."
NOTE = (
    "without, with: Pearson's r of static and dynamic scores over all heads and templates, without "
    f"and with the prompt's context. {INTERVALS} Published medians are of the paper's own pairs."
)


@dataclass(frozen=True)
class Correlation:
    """Static against dynamic scores of one relation, over all heads and templates.

    Attributes:
        relation: its name.
        published: whether it is one of the paper's twenty.
        k: how far from the top a target counts.
        sources: distinct sources of the static scores; of multi-token rows, pairs that were asked.
        without: r without context; None where it is undefined.
        without_interval: its 95 % interval; None where it is undefined.
        with_context: r with context.
        with_interval: its 95 % interval.
        reason: why a number is missing; None: none is.
        form: how the sources of several tokens were written; None: they have one token.
    """

    relation: str
    published: bool
    k: int
    sources: int
    without: float | None = None
    without_interval: Interval | None = None
    with_context: float | None = None
    with_interval: Interval | None = None
    reason: str | None = None
    form: str | None = None


@dataclass(frozen=True)
class Medians:
    """Medians over relations.

    Attributes:
        of: the model, and which relations.
        relations: how many are defined.
        without: of r without context; None where none is defined.
        with_context: of r with context.
    """

    of: str
    relations: int
    without: float | None
    with_context: float | None


def correlations(
    rows: pd.DataFrame, facts: Mapping[str, Facts], draws: int = RESAMPLES
) -> list[Correlation]:
    """The rows of `correlate`, in the order of the facts.

    Args:
        rows: the experiment's.
        facts: of each relation.
        draws: resamples of the intervals.
    """
    return [
        correlation(name, own, own["sources"], rows[rows["relation"] == name], draws)
        for name, own in facts.items()
    ]


def correlation(
    name: str,
    facts: Facts,
    sources: int,
    rows: pd.DataFrame,
    draws: int,
    form: str | None = None,
) -> Correlation:
    """One relation's r on both sides, with intervals of so many resamples."""
    reason = facts.get("reason")
    about = (name, bool(facts["published"]), facts["k"], sources)
    scores = scores_in(rows)
    if scores is None or reason:
        return Correlation(*about, reason=reason or "no scores", form=form)
    without, with_context = (
        (pearson(scores.static, side), interval(scores.static, side, scores.layers, draws))
        for side in (scores.without, scores.with_context)
    )
    if without[0] is None or with_context[0] is None:
        reason = _constant(scores)
    elif without[1] is None or with_context[1] is None:
        reason = NO_INTERVAL
    return Correlation(*about, *without, *with_context, reason, form)


def _constant(scores: Scores) -> str:
    """Which sides are constant."""
    sides = {
        "static scores": scores.static,
        "dynamic scores without context": scores.without,
        "dynamic scores with context": scores.with_context,
    }
    alike = [name for name, side in sides.items() if bool((side == side.flatten()[0]).all())]
    return f"the {' and the '.join(alike)} are the same for all heads"


def medians(
    rows: Sequence[Correlation],
    model: str,
    published: Sequence[tuple[str, int, float, float]],
    papers: Callable[[Correlation], bool] = lambda row: row.published,
) -> list[Medians]:
    """The medians of a model, then the published ones.

    Args:
        rows: a row for each relation, and form of the source where there are several.
        model: what it is called.
        published: the paper's.
        papers: whether a row is of a relation that the paper had in this experiment.

    Returns:
        Over the paper's relations, and over all where there are others; for each form.
    """
    found: list[Medians] = []
    for form in dict.fromkeys(row.form for row in rows):
        own = [row for row in rows if row.form == form]
        theirs = [row for row in own if papers(row)]
        named = f"{model}, {form} form" if form else model
        found.append(_medians(theirs, f"{named}, the paper's relations"))
        if len(theirs) < len(own):
            found.append(_medians(own, f"{named}, all relations"))
    return [*found, *(Medians(*one) for one in published)]


def _medians(rows: Sequence[Correlation], of: str) -> Medians:
    """Of the rows that are defined; relations without any r are not counted."""
    without, with_context = [r.without for r in rows], [r.with_context for r in rows]
    defined = sum((a, b) != (None, None) for a, b in zip(without, with_context, strict=True))
    return Medians(of, defined, median_of(without), median_of(with_context))


def correlation_table(rows: Sequence[Correlation], name: str, title: str, about: str) -> Table:
    """The rows as a table; those of sources of several tokens have a form each."""
    forms = [row.form for row in rows]
    formed = any(forms)
    sources = "pairs" if formed else "sources"
    columns = [
        Column(TEXT, [r.relation for r in rows], "relation", "relation", "relation", "head"),
        *([Column(TEXT, forms, "form", "form")] if formed else []),
        Column(WHOLE, [row.k for row in rows], "k", "k", "k"),
        Column(WHOLE, [row.sources for row in rows], sources, sources, sources),
        Column(YES, [row.published for row in rows], "published"),
        *_side("without", "without", [(row.without, row.without_interval) for row in rows]),
        *_side("with_context", "with", [(row.with_context, row.with_interval) for row in rows]),
        Column(REASON, [row.reason for row in rows], "reason", "missing because"),
    ]
    undefined = (at for at, r in enumerate(rows) if (r.without, r.with_context) == (None, None))
    axis = "Pearson's r over heads, and its 95 % interval"
    chart = Chart(f"{title}, by relation; the table has the numbers", axis, CONTEXTS)
    group = "form" if formed else None
    return Table(
        name, title, about, columns, group=group, unmeasured=frozenset(undefined), chart=chart
    )


def _side(
    name: str, printed: str, values: Sequence[tuple[float | None, Interval | None]]
) -> list[Column]:
    return [
        Column(NUMBER, [r for r, _ in values], name, f"r {CONTEXTS[name]}", printed),
        Column(INTERVAL, [ends for _, ends in values], name, "95 %", "95 %", digits=2),
    ]


def medians_table(rows: Sequence[Medians], name: str, title: str, note: str = NOTE) -> Table:
    """Medians over relations, ours and the published ones."""
    columns = [
        Column(TEXT, [r.of for r in rows], "of", "median over relations", "median r", "targets"),
        Column(WHOLE, [r.relations for r in rows], "relations", "relations", "relations"),
        Column(NUMBER, [r.without for r in rows], "without", "r without context", "without"),
        Column(NUMBER, [r.with_context for r in rows], "with_context", "r with context", "with"),
    ]
    return Table(name, title, "Published: by the paper, on other models.", columns, note=note)


def scatter(name: str, rows: pd.DataFrame, found: Table, form: str | None = None) -> list[Figure]:
    """Static against dynamic scores, a panel for each relation that has an r.

    Args:
        name: of the figure.
        rows: the scores; of multi-token, of one form.
        found: what `correlation_table` made of them.
        form: which rows of it are these; None: all.
    """
    names = ("relation", *CONTEXTS)
    r = zip(*(found.column(column).values for column in names), strict=True)
    forms = found.column("form").values if form else [None] * len(found.columns[0].values)
    panels = [
        Panel(relation, f"r = {_r(without)} / {_r(with_context)}", _points(rows, relation))
        for (relation, without, with_context), own in zip(r, forms, strict=True)
        if own == form and (without, with_context) != (None, None)
    ]
    x = "relation score φ, from the weights (each panel to its own scale)"
    return [Figure(name, x, "dynamic score, in prompts", panels, square=True)] if panels else []


def _points(rows: pd.DataFrame, relation: str) -> list[Series]:
    own = rows[rows["relation"] == relation]
    static = own["static"].tolist()
    return [
        Series(label, _MARKS[side], static, own[side].tolist()) for side, label in CONTEXTS.items()
    ]


def _r(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("0.", ".", 1)
