"""Which heads are alike: those whose salient mappings share tokens that few heads have.

The similarity of two heads is the mean of two cosines, one of their sources and one of their
targets. A head's vector has an entry for each token: the token's weight where the head has it
among its sources (targets), else 0. Of N heads with n of them having a token, its weight is
idf = ln((1 + N) / (1 + n)): the fewer have it, the more it says, and a hub that all have counts
nothing. A token counts once for a head, however many of its rows have it. A head without tokens
that count has a cosine of 0 with any other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from annotator.errors import SettingInvalid
from annotator.maps.top_k import largest

_HEADS = 256  # at once: their similarities to all heads are dense
_DECIMALS = 9  # what is equal but for rounding is equal


def similar(
    sources: Sequence[Collection[int]],
    targets: Sequence[Collection[int]],
    groups: Sequence[int],
    top: int = 8,
) -> list[list[tuple[int, float]]]:
    """The most similar heads of every head; see above how it is measured.

    Args:
        sources: each head's source ids.
        targets: each head's target ids.
        groups: a number for each head; heads of the same are left out of each other's, since query
            heads that share a value head read the same values.
        top: so many at most.

    Returns:
        For each head the index and similarity of others, most similar first and of equal ones the
        smaller index first; only those above 0.

    Raises:
        SettingInvalid: no such number, or not as many targets or groups as sources.
    """
    if top < 1:
        raise SettingInvalid("top", top, "at least 1")
    for name, given in (("targets", targets), ("groups", groups)):
        if len(given) != len(sources):
            raise SettingInvalid(name, f"of {len(given)} heads", f"of {len(sources)} heads")
    sides = _vectors(sources), _vectors(targets)
    group = np.asarray(groups)
    found: list[list[tuple[int, float]]] = []
    for first in range(0, len(sources), _HEADS):
        some = slice(first, first + _HEADS)
        of_sources, of_targets = ((side[some] @ side.T).toarray() for side in sides)
        cosines = np.round((of_sources + of_targets) / 2, _DECIMALS)
        cosines[group[some, None] == group] = 0
        values, heads = (one.tolist() for one in largest(torch.from_numpy(cosines), top))
        for row in map(zip, heads, values):
            found.append([(head, value) for head, value in row if value > 0])
    return found


def _vectors(ids: Sequence[Collection[int]]) -> csr_array:
    """Each head's unit vector [heads, tokens]; that of a head without tokens that count is 0."""
    n = len(ids)
    flat = np.fromiter((id for one in ids for id in one), dtype=np.int64)
    distinct, token = np.unique(flat, return_inverse=True)
    head = np.repeat(np.arange(n), [len(one) for one in ids])
    shape = n, max(1, len(distinct))
    found = csr_array((np.ones(len(flat)), (head, token)), shape=shape)  # twice becomes 2
    found.data = _weights(found.indices, n)
    lengths = np.sqrt(found.power(2).sum(axis=1))
    return found.multiply(
        np.divide(1, lengths, out=np.zeros(n), where=lengths > 0)[:, None]
    ).tocsr()


def _weights(tokens: NDArray[np.integer[Any]], n: int) -> NDArray[np.float64]:
    """The weight of each token that a head has; here is one for each of these heads."""
    return np.log((1 + n) / (1 + np.bincount(tokens)))[tokens]
