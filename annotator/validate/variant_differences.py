"""Variants of the static score beside the paper's: from their tables to rows.

The dynamic side, the pairs and the heads are always the same, so that a difference of two r is
paired: both are read on the same resamples of heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from annotator.validate.relation_rows import Scores, scores_in
from annotator.validate.statistics import (
    RESAMPLES,
    Sides,
    median_difference,
    median_of,
    pearson,
)

if TYPE_CHECKING:
    import pandas as pd

Paired = tuple[float, float, float]
"""A difference and the ends of its 95 % interval."""


@dataclass(frozen=True)
class Difference:
    """How a variant of the static score correlates, beside the paper's score.

    Attributes:
        variant: its name.
        relation: the relation's; None: the medians over relations.
        relations: how many relations were compared (without context); one where either r is
            undefined is in none of the medians.
        without: r of the variant, without context; None where it is undefined.
        without_difference: that r minus the paper's; the medians' is the median of differences.
        with_context: r of the variant, with context.
        with_difference: that r minus the paper's.
    """

    variant: str
    relation: str | None
    relations: int
    without: float | None
    without_difference: Paired | None
    with_context: float | None
    with_difference: Paired | None


@dataclass(frozen=True)
class _Compared:
    """One relation: the variant's scores beside the paper's and the dynamic ones."""

    name: str
    static: Float[Tensor, " n_heads"]
    scores: Scores

    @property
    def without(self) -> Sides:
        return self.static, self.scores.static, self.scores.without

    @property
    def with_context(self) -> Sides:
        return self.static, self.scores.static, self.scores.with_context


def differences(
    correlate: pd.DataFrame, variants: pd.DataFrame, draws: int = RESAMPLES
) -> list[Difference]:
    """Every variant against the paper's score, on the same relations, heads and prompts.

    Args:
        correlate: the table `correlate`: the paper's scores, and the dynamic ones for both.
        variants: the table `variants`.
        draws: resamples of the intervals.

    Returns:
        For each variant the medians over relations, then a row for each relation that both
        tables have.
    """
    found: list[Difference] = []
    for variant in variants["variant"].unique().tolist():
        own = variants[variants["variant"] == variant]
        names = own["relation"].unique().tolist()
        compared = [one for name in names if (one := _compared(name, correlate, own))]
        each = [_one(variant, one, draws) for one in compared]
        found += [_medians(variant, compared, draws), *each] if each else []
    return found


def _compared(name: str, correlate: pd.DataFrame, variant: pd.DataFrame) -> _Compared | None:
    scores = scores_in(correlate[correlate["relation"] == name])
    if scores is None:
        return None
    rows = variant[variant["relation"] == name].sort_values(["layer", "head"])
    return _Compared(name, torch.tensor(rows["static"].to_numpy(copy=True)), scores)


def _one(variant: str, one: _Compared, draws: int) -> Difference:
    layers = one.scores.layers
    return Difference(
        variant,
        one.name,
        relations=1,
        without=pearson(one.static, one.scores.without),
        without_difference=median_difference([one.without], layers, draws),
        with_context=pearson(one.static, one.scores.with_context),
        with_difference=median_difference([one.with_context], layers, draws),
    )


def _medians(variant: str, compared: list[_Compared], draws: int) -> Difference:
    layers = compared[0].scores.layers
    without = [one.without for one in compared if _defined(one.without)]
    with_context = [one.with_context for one in compared if _defined(one.with_context)]
    return Difference(
        variant,
        relation=None,
        relations=len(without),
        without=_median(without),
        without_difference=median_difference(without, layers, draws),
        with_context=_median(with_context),
        with_difference=median_difference(with_context, layers, draws),
    )


def _median(relations: list[Sides]) -> float | None:
    return median_of(pearson(variant, dynamic) for variant, _, dynamic in relations)


def _defined(sides: Sides) -> bool:
    variant, paper, dynamic = sides
    return pearson(variant, dynamic) is not None and pearson(paper, dynamic) is not None
