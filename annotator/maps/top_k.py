"""The one order of the maps: larger value first, and of equal values the smaller index."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def largest(
    values: Float[Tensor, "rows candidates"], k: int
) -> tuple[Float[Tensor, "rows k"], Int[Tensor, "rows k"]]:
    """The k largest values of each row, in order; ties go to the smaller index, exactly.

    `torch.topk` leaves open which of equal values it returns. Its k-th value is right all the
    same: where no further value equals it, its choice is the only one; the other rows are sorted.

    Args:
        values: no NaN.
        k: at most the number of candidates; fewer are returned where there are fewer.

    Returns:
        Values and their indices.
    """
    k = min(k, values.shape[-1])
    _, index = values.topk(k, dim=-1, sorted=False)
    index = index.sort(dim=-1).values
    kept = values.gather(-1, index)
    last = kept.amin(dim=-1, keepdim=True)
    tied = (values >= last).sum(dim=-1) > k
    if tied.any():
        index[tied] = values[tied].sort(dim=-1, descending=True, stable=True).indices[:, :k]
        index = index.sort(dim=-1).values
        kept = values.gather(-1, index)
    order = kept.sort(dim=-1, descending=True, stable=True).indices
    return kept.gather(-1, order), index.gather(-1, order)


def rank_of(values: Float[Tensor, "rows candidates"], target: int) -> Int[Tensor, " rows"]:
    """How many candidates come before the target: larger values, and equal ones of smaller index.

    The target's own value is not compared with itself (docs/definitions.md, "Rank").
    """
    own = values[:, target : target + 1]
    above = (values > own).sum(dim=-1)
    return above + (values[:, :target] == own).sum(dim=-1)


def finite_or_last(values: Tensor) -> Tensor:
    """Values with NaN and infinities replaced by -inf, so that they come last."""
    return torch.where(torch.isfinite(values), values, -torch.inf)
