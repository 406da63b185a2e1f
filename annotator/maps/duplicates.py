"""Rows that are equal bit by bit: unused and padding tokens often are.

Equal rows of the embedding have equal sigma, equal rows of the unembedding equal logits, and then
the smaller id comes first. A GEMM need not give them the same last bit (tiles at an edge are summed
in another order), so the first one's sigma, or logit, is taken for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BITS = {4: torch.int32, 8: torch.int64}
_PREFIX = 16


@dataclass(frozen=True)
class Duplicates:
    """Which rows repeat an earlier one.

    Attributes:
        later: indices of rows that do, ascending.
        first: for each of them the smallest index of an equal row.
    """

    later: Int[Tensor, " rows"]
    first: Int[Tensor, " rows"]

    def spread(self, values: Tensor) -> None:
        """Give later rows what the first has, in place; rows are the last axis."""
        values[..., self.later] = values[..., self.first]

    def expand(
        self, values: Float[Tensor, "rows k"], ids: Int[Tensor, "rows k"], k: int
    ) -> tuple[Float[Tensor, "rows k"], Int[Tensor, "rows k"]]:
        """From the k best among first rows to the k best among all.

        Every row among the k best repeats one of the k best first rows: whatever comes before a
        first row brings at least one row that comes before its repetitions.
        """
        values, ids = values[:, :k].clone(), ids[:, :k].clone()
        concerned = torch.isin(ids, torch.cat([self.first, self.later])).any(dim=1)
        for row in concerned.nonzero().flatten().tolist():
            values[row], ids[row] = self._expand_row(values[row], ids[row], k)
        return values, ids

    def _expand_row(self, values: Tensor, ids: Tensor, k: int) -> tuple[Tensor, Tensor]:
        repeats = torch.isin(self.first, ids)
        first, later = self.first[repeats], self.later[repeats]
        value_of = values[(ids[None] == first[:, None]).int().argmax(dim=1)]
        kept = ~torch.isin(ids, self.later)
        members = torch.cat([ids[kept], later])
        spread = torch.cat([values[kept], value_of])
        members, by_id = members.sort()
        best = spread[by_id].sort(descending=True, stable=True)
        return best.values[:k], members[best.indices][:k]


def find_duplicates(matrix: Float[Tensor, "vocab d_model"]) -> Duplicates | None:
    """The rows of a matrix that repeat an earlier one; None where all differ.

    Rows are told apart by a hash of their bits in whole numbers, which no order of summation
    changes: first of a few columns, which most rows differ in, then of the whole row. What hashes
    alike is compared.
    """
    alike = _alike(_hash(matrix[:, :_PREFIX]))
    rows = matrix[alike]
    hashes = _hash(rows)
    _, of = hashes.unique(return_inverse=True)
    index = torch.arange(len(rows), device=matrix.device)
    first = torch.full_like(index, len(rows)).scatter_reduce(0, of, index, "amin")[of]
    later = (first < index).nonzero().flatten()
    later = later[(rows[later] == rows[first[later]]).all(dim=1)]
    return Duplicates(alike[later], alike[first[later]]) if len(later) else None


def _alike(hashes: Int[Tensor, " rows"]) -> Int[Tensor, " candidates"]:
    """Indices whose hash is not the only one of its value, ascending."""
    _, of, counts = hashes.unique(return_inverse=True, return_counts=True)
    return (counts[of] > 1).nonzero().flatten()


def _hash(matrix: Float[Tensor, "rows columns"]) -> Int[Tensor, " rows"]:
    """A hash of each row's bits: their sum with odd weights, modulo 2^64."""
    generator = torch.Generator("cpu").manual_seed(0)
    size = (matrix.shape[1],)
    odd = torch.randint(-(1 << 62), 1 << 62, size, generator=generator, device="cpu") * 2 + 1
    bits = matrix.contiguous().view(_BITS[matrix.element_size()])
    return (bits * odd.to(matrix.device)).sum(dim=1)
