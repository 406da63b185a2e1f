"""Rows of the head map, projected on the vocabulary in blocks with a running top-k.

Only the salient rows are projected. Within a block the largest of each 64 logits decides where the
top-k can lie: the k best chunks (by the order of `top_k.largest`) hold the k best logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from annotator.maps.duplicates import Duplicates
from annotator.maps.top_k import largest

BLOCK = 4096
ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Projection:
    """What is kept of the logits of some rows.

    Attributes:
        top: the k largest logits, largest first.
        top_ids: their columns.
        bottom: the k smallest, smallest first; None unless asked for.
        bottom_ids: their columns.
        mean: mean logit over the vocabulary.
        sd: standard deviation over the vocabulary (population); 0 for a constant row.
    """

    top: Float[Tensor, "rows k"]
    top_ids: Int[Tensor, "rows k"]
    bottom: Float[Tensor, "rows k"] | None
    bottom_ids: Int[Tensor, "rows k"] | None
    mean: Float[Tensor, " rows"]
    sd: Float[Tensor, " rows"]


def project(
    z: Float[Tensor, "rows d_model"],
    W_U: Float[Tensor, "d_model vocab"],
    k: int,
    *,
    suppress: bool = False,
    duplicates: Duplicates | None = None,
) -> Projection:
    """Project rows on the vocabulary.

    Args:
        z: x W_V W_O for each row.
        W_U: unembedding.
        k: targets to keep.
        suppress: keep the smallest too.
        duplicates: columns of W_U that repeat earlier ones.
    """
    top, bottom = _Running(k, duplicates), _Running(k, duplicates)
    moments = _Moments(z)
    vocab = W_U.shape[1]
    buffer = z.new_empty(min(BLOCK, vocab) * z.shape[0])
    for start in range(0, vocab, BLOCK):
        columns = W_U[:, start : start + BLOCK]
        logits = buffer[: z.shape[0] * columns.shape[1]].view(z.shape[0], -1)
        torch.mm(z, columns, out=logits)
        moments.add(logits)
        top.add(logits, start)
        if suppress:
            bottom.add(logits.neg_(), start)
    mean, sd = moments.result()
    largest_values, largest_ids = top.result()
    bottom_values, bottom_ids = bottom.result() if suppress else (None, None)
    return Projection(
        top=largest_values,
        top_ids=largest_ids,
        bottom=None if bottom_values is None else -bottom_values,
        bottom_ids=bottom_ids,
        mean=mean,
        sd=sd,
    )


class _Running:
    """The k largest so far. Blocks come in order, so of equal values the earlier ids win."""

    values: Tensor
    ids: Tensor

    def __init__(self, k: int, duplicates: Duplicates | None) -> None:
        self.k = k
        self.duplicates = duplicates
        self.seen = 0

    def add(self, logits: Tensor, start: int) -> None:
        if self.duplicates is not None:
            later = self.duplicates.later - start
            here = later[(later >= 0) & (later < logits.shape[1])]
            logits = logits.index_fill(1, here, -torch.inf) if len(here) else logits
        values, ids = _block_largest(logits, self.k)
        ids = ids + start
        if self.seen:
            values, at = largest(torch.cat([self.values, values], dim=-1), self.k)
            ids = torch.cat([self.ids, ids], dim=-1).gather(-1, at)
        self.values, self.ids = values, ids
        self.seen += logits.shape[1]

    def result(self) -> tuple[Tensor, Tensor]:
        if self.duplicates is None:
            return self.values, self.ids
        return self.duplicates.expand(self.values, self.ids, min(self.k, self.seen))


def _block_largest(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    n_chunks, rest = divmod(logits.shape[-1], ROWS_AT_ONCE)
    if rest or n_chunks <= k:
        return largest(logits, k)
    chunks = logits.unflatten(-1, (n_chunks, ROWS_AT_ONCE))
    _, best = largest(chunks.amax(dim=-1), k)
    best = best.sort(dim=-1).values
    kept = chunks.gather(1, best[..., None].expand(-1, -1, ROWS_AT_ONCE)).flatten(1)
    values, at = largest(kept, k)
    return values, best.gather(-1, at // ROWS_AT_ONCE) * ROWS_AT_ONCE + at % ROWS_AT_ONCE


class _Moments:
    """Mean and variance of each row from its sum and norm, block by block, added in float64.

    Both are read off in one pass, twenty times faster than `torch.var_mean`; the price is a
    relative error of eps · (mean / sd)^2, which for logits is a few parts in a million.
    """

    def __init__(self, z: Tensor) -> None:
        self.count = 0
        self.sum = z.new_zeros(z.shape[0], dtype=torch.float64)
        self.squares = self.sum.clone()
        self.dtype = z.dtype

    def add(self, logits: Tensor) -> None:
        self.count += logits.shape[-1]
        self.sum += logits.sum(dim=-1)
        self.squares += torch.linalg.vector_norm(logits, dim=-1).double().square()

    def result(self) -> tuple[Tensor, Tensor]:
        mean = self.sum / self.count
        mean_square = self.squares / self.count
        variance = mean_square - mean.square()
        # What is left of a constant row is rounding: its variance is 0.
        rounding = 16 * torch.finfo(self.dtype).eps * mean_square
        variance = torch.where(variance > rounding, variance, 0.0)
        return mean.to(self.dtype), variance.sqrt().to(self.dtype)
