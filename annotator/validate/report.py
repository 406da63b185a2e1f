"""What the experiments come to, beside the published numbers: from their tables to rows.

The tables are those of `annotator.catalog.validation`, as pandas frames; their facts, by relation,
hold what is no number of a head:

    published   whether the relation is one of the paper's twenty
    k           how far from the top a target counts
    sources     correlate: distinct sources
    pairs       multi-token: by form, the pairs that were asked
    reason      why there is nothing to report (multi-token: by form); null or absent where there is
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from annotator.validate.statistics import (
    DRAWS,
    Interval,
    interval,
    median_of,
    pearson,
)

if TYPE_CHECKING:
    import pandas as pd

Facts = Mapping[str, Mapping[str, Any]]
FORMS = ("natural", "paper")
ELEVEN = frozenset(
    {
        *("copying", "country_capital", "country_language", "first_letter", "following_year"),
        *("last_letter", "name_copying", "noun_pronoun", "object_superclass", "synonym"),
        "work_location",
    }
)
"""The relations of the paper's multi-token experiment."""


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


PUBLISHED = (
    Medians("GPT-2 xl, published", 18, 0.945, 0.736),
    Medians("Pythia 6.9B, published", 15, 0.91, 0.68),
    Medians("Pythia 12B, published", 15, 0.89, 0.71),
    Medians("Llama-3.1-8B, published", 19, 0.82, 0.75),
    Medians("Llama-3.1-70B, published", 19, 0.85, 0.80),
)
"""Static against dynamic scores (Elhelo & Geva 2024; read off its figures, see DESIGN)."""
PUBLISHED_MULTI_TOKEN = (
    Medians("GPT-2 xl, published", 11, 0.89, 0.72),
    Medians("Pythia 6.9B, published", 11, 0.87, 0.67),
    Medians("Pythia 12B, published", 11, 0.85, 0.64),
)
"""The same for sources of several tokens."""
NO_INTERVAL = "no interval: in too many resamples of heads the scores of a side are all the same"


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


def correlations(rows: pd.DataFrame, facts: Facts, draws: int = DRAWS) -> list[Correlation]:
    """The rows of `correlate`, in the order of the facts.

    Args:
        rows: the table `correlate`.
        facts: of each relation.
        draws: resamples of the intervals.
    """
    return [
        _correlation(
            name,
            own,
            own["sources"],
            rows[rows["relation"] == name],
            draws,
            reason=own.get("reason"),
        )
        for name, own in facts.items()
    ]


def multi_token(rows: pd.DataFrame, facts: Facts, draws: int = DRAWS) -> list[Correlation]:
    """The rows of `multi-token`, a row for each relation and form, in the order of the facts.

    Args:
        rows: the table `multi_token`.
        facts: of each relation; `pairs` and `reason` are by form.
        draws: resamples of the intervals.
    """
    found: list[Correlation] = []
    for name, own in facts.items():
        for form in FORMS:
            side = rows[(rows["relation"] == name) & (rows["form"] == form)]
            reason = (own.get("reason") or {}).get(form)
            found.append(_correlation(name, own, own["pairs"][form], side, draws, form, reason))
    return found


def medians(rows: Sequence[Correlation], model: str) -> list[Medians]:
    """The medians of a model, then the published ones.

    Args:
        rows: of `correlations` or of `multi_token`.
        model: what it is called.

    Returns:
        Over the paper's relations (of `multi_token`: the eleven it used) and over all, where there
        are others; for each form of the source; then the published medians of that experiment.
    """
    found: list[Medians] = []
    forms = dict.fromkeys(row.form for row in rows)
    for form in forms:
        own = [row for row in rows if row.form == form]
        theirs = [row for row in own if row.published and not (form and row.relation not in ELEVEN)]
        named = f"{model}, {form} form" if form else model
        found.append(_medians(theirs, f"{named}, the paper's relations"))
        if len(theirs) < len(own):
            found.append(_medians(own, f"{named}, all relations"))
    return [*found, *(PUBLISHED_MULTI_TOKEN if any(forms) else PUBLISHED)]


def _medians(rows: Sequence[Correlation], of: str) -> Medians:
    """Of the rows that are defined; relations without any r are not counted."""
    without, with_context = [r.without for r in rows], [r.with_context for r in rows]
    defined = sum((a, b) != (None, None) for a, b in zip(without, with_context, strict=True))
    return Medians(of, defined, median_of(without), median_of(with_context))


@dataclass(frozen=True)
class Scores:
    """The scores of one relation's heads, by layer and head.

    Attributes:
        layers: each head's layer.
        static: each head's relation score.
        without: its dynamic scores without context, by template.
        with_context: its dynamic scores with context.
    """

    layers: Int[Tensor, " n_heads"]
    static: Float[Tensor, " n_heads"]
    without: Float[Tensor, "templates n_heads"]
    with_context: Float[Tensor, "templates n_heads"]


def scores_in(rows: pd.DataFrame) -> Scores | None:
    """The scores of a relation's rows of `correlate`, or of a form's of `multi_token`.

    Returns:
        All of its heads; None where there is no row.
    """
    if not len(rows):
        return None
    templates = [name for name in ("template",) if name in rows]
    rows = rows.sort_values([*templates, "layer", "head"])
    n_heads = len(rows[["layer", "head"]].drop_duplicates())
    layers, static, without, with_context = (
        torch.tensor(rows[name].to_numpy(copy=True)).view(-1, n_heads)
        for name in ("layer", "static", "without", "with_context")
    )
    return Scores(layers[0].long(), static[0], without, with_context)


def _correlation(
    name: str,
    facts: Mapping[str, Any],
    sources: int,
    rows: pd.DataFrame,
    draws: int,
    form: str | None = None,
    reason: str | None = None,
) -> Correlation:
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
