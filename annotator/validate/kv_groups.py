"""Do heads that share their values (grouped-query attention) implement the same relations?

A head's profile is its phi over relations. Pearson's r of two heads of a group is held against that
of two heads of the same layer that share nothing. A head that scores the same on all relations,
mostly 0, has no r; a pair with it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from annotator.records import HeadId, RelationScore
from annotator.validate.statistics import CONFIDENCE, RESAMPLES, Interval

LEAST_RELATIONS = 3
"""Of fewer relations the r of two heads says nothing."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Scored:
    """A model's relation scores.

    Attributes:
        name: what it is called.
        dims: n_layers, n_heads and n_kv_heads.
        scores: of all heads, for each relation that is valid for it.
    """

    name: str
    dims: Mapping[str, int]
    scores: Sequence[RelationScore]

    @cached_property
    def implementing(self) -> Mapping[str, frozenset[HeadId]]:
        """The heads that implement each relation."""
        found: dict[str, set[HeadId]] = {score.relation: set() for score in self.scores}
        for score in self.scores:
            if score.implements:
                found[score.relation].add(score.head)
        return {name: frozenset(heads) for name, heads in found.items()}


@dataclass(frozen=True)
class Groups:
    """Whether heads that share their values are alike; see `group_similarity`.

    Attributes:
        within: mean r of pairs of heads that share their values.
        between: mean r of pairs of the same layer that do not.
        interval: of within - between, 95 %, layers resampled.
        p: share of random assignments of each layer's heads to groups with as large a difference.
        pairs: how many pairs share their values and have an r.
    """

    within: float
    between: float
    interval: Interval
    p: float
    pairs: int


def group_similarity(
    model: Scored, relations: Sequence[str], draws: int = RESAMPLES, seed: int = 0
) -> Groups | str:
    """Whether heads that share their values implement the same relations.

    Args:
        model: with grouped-query attention.
        relations: those whose phi make up a head's profile.
        draws: resamples of layers, and random assignments of a layer's heads to its groups.
        seed: of these.

    Returns:
        The answer, or the reason why there is none.
    """
    n_heads, n_kv_heads = model.dims["n_heads"], model.dims["n_kv_heads"]
    if n_kv_heads == n_heads:
        return "no two heads share their values"
    if n_kv_heads == 1:
        return "all heads of a layer share their values"
    if len(relations) < LEAST_RELATIONS:
        return f"fewer than {LEAST_RELATIONS} relations"
    r = _correlations(_profiles(model, relations))
    group = torch.arange(n_heads) // (n_heads // n_kv_heads)
    sums = _sums(r, group[:, None] == group)
    if not bool(sums[1].any() and sums[3].any()):
        return "too few heads score above 0"
    within, between = _means(sums.sum(1, keepdim=True))[:, 0].tolist()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(r), (len(r), draws), generator=generator)
    differences = -_means(sums[:, drawn].sum(1)).diff(dim=0)[0]
    tail = (1 - CONFIDENCE) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = torch.nanquantile(differences, ends).tolist()
    by_chance = _by_chance(r, group, draws, generator)
    as_large = int((by_chance >= within - between - _ROUNDING).sum())
    p = (1 + as_large) / (1 + draws)
    return Groups(within, between, (low, high), p, pairs=int(sums[1].sum()))


def _profiles(model: Scored, relations: Sequence[str]) -> Float[Tensor, "n_layers n_heads columns"]:
    """The phi of each head, relations as columns."""
    column = {name: at for at, name in enumerate(relations)}
    size = (model.dims["n_layers"], model.dims["n_heads"], len(relations))
    profiles = torch.zeros(size, dtype=torch.float64)
    for score in model.scores:
        if score.relation in column:
            profiles[score.head.layer, score.head.head, column[score.relation]] = score.phi
    return profiles


def _correlations(
    profiles: Float[Tensor, "n_layers n_heads columns"],
) -> Float[Tensor, "n_layers n_heads n_heads"]:
    """Pearson's r of the profiles of each two heads of a layer, once; NaN where there is none."""
    constant = (profiles == profiles[..., :1]).all(-1, keepdim=True)
    centred = profiles - profiles.mean(-1, keepdim=True)
    unit = (centred / centred.norm(dim=-1, keepdim=True)).masked_fill(constant, torch.nan)
    once = torch.ones(profiles.shape[1], profiles.shape[1]).triu(1) > 0
    return (unit @ unit.mT).where(once, torch.nan)


def _sums(
    r: Float[Tensor, "n_layers n_heads n_heads"], same: Bool[Tensor, "n_heads n_heads"]
) -> Float[Tensor, "4 n_layers"]:
    """Of each layer: the sum and number of r of pairs in one group, then of the others."""
    there = ~r.isnan()
    parts = [r.nan_to_num() * same, there & same, r.nan_to_num() * ~same, there & ~same]
    return torch.stack([part.double().sum((1, 2)) for part in parts])


def _means(sums: Float[Tensor, "4 draws"]) -> Float[Tensor, "2 draws"]:
    """Mean r of pairs in one group, and of the others; NaN where a resample has none."""
    return sums[0::2] / sums[1::2]


def _by_chance(
    r: Float[Tensor, "n_layers n_heads n_heads"],
    group: Int[Tensor, " n_heads"],
    draws: int,
    generator: torch.Generator,
) -> Float[Tensor, " draws"]:
    """The difference of means with each layer's heads assigned to groups at random."""
    sums = torch.zeros(4, draws, dtype=torch.float64)
    for layer in r:
        order = torch.rand(draws, len(group), generator=generator).argsort(1)
        own = group[order]
        same = (own[:, :, None] == own[:, None, :]).flatten(1).double()
        values = torch.stack([layer.nan_to_num(), (~layer.isnan()).double()]).flatten(1)
        within = values @ same.T
        sums[:2] += within
        sums[2:] += values.sum(1, keepdim=True) - within
    return -_means(sums).diff(dim=0)[0]
