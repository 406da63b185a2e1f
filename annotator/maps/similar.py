"""Which heads are alike: those whose salient mappings share tokens that few heads have.

The similarity of two heads is the mean of two cosines, one of their sources and one of their
targets. A head's vector has an entry for each token: the token's weight where the head has it
among its sources (targets), else 0. Of N heads with n of them having a token, its weight is
idf = ln((1 + N) / (1 + n)): the fewer have it, the more it says, and a hub that all have counts
nothing. A token counts once for a head, however many of its rows have it. A head without tokens
that count has a cosine of 0 with any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from annotator.errors import SettingInvalid
from annotator.maps.top_k import largest

_HEADS = 256  # at once: their similarities to all heads are dense
_SHARED = 2_000_000  # tokens shared with another head, at once
_DECIMALS = 9  # what is equal but for rounding is equal

Ids = NDArray[np.int64]
Numbers = NDArray[np.float64]


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
    for some in _blocks(sides):
        of_sources, of_targets = (_cosines(side, some) for side in sides)
        cosines = np.round((of_sources + of_targets) / 2, _DECIMALS)
        cosines[group[some, None] == group] = 0
        values, heads = (one.tolist() for one in largest(torch.from_numpy(cosines), top))
        for row in map(zip, heads, values):
            found.append([(head, value) for head, value in row if value > 0])
    return found


@dataclass(frozen=True)
class _Vectors:
    """Unit vectors of heads, by head and by token: what is not 0 of them, and whose it is.

    Attributes:
        heads: how many.
        starts: of each head, and at last of none, its first entry.
        token: of each entry, by head and then by token.
        weight: of each entry.
        having: how many heads have the token of each entry.
        token_starts: of each token its first entry in the two that follow.
        by_token: the head of each entry, by token and then by head.
        weight_by_token: the weight of each entry, in that order.
    """

    heads: int
    starts: Ids
    token: Ids
    weight: Numbers
    having: Ids
    token_starts: Ids
    by_token: Ids
    weight_by_token: Numbers


def _vectors(ids: Sequence[Collection[int]]) -> _Vectors:
    n = len(ids)
    flat = np.fromiter((id for one in ids for id in one), dtype=np.int64)
    distinct, token = np.unique(flat, return_inverse=True)
    width = max(1, len(distinct))
    head = np.repeat(np.arange(n), [len(one) for one in ids])
    head, token = np.divmod(np.unique(head * width + token), width)
    counts = np.bincount(token, minlength=width)
    weight = np.log((1 + n) / (1 + counts))[token]
    length = np.sqrt(np.bincount(head, weight**2, minlength=n))[head]
    weight = np.divide(weight, length, out=np.zeros_like(weight), where=length > 0)
    order = np.argsort(token, kind="stable")
    starts = np.searchsorted(head, np.arange(n + 1))
    token_starts = np.cumsum(counts) - counts
    by_token = head[order], weight[order]
    return _Vectors(n, starts, token, weight, counts[token], token_starts, *by_token)


def _blocks(sides: tuple[_Vectors, _Vectors]) -> Iterator[slice]:
    """All heads, as many at once as memory is meant for."""
    ends = [np.append(0, np.cumsum(one.having))[one.starts] for one in sides]
    before = ends[0] + ends[1]  # tokens that earlier heads share, whoever with
    start, end = 0, sides[0].heads
    while start < end:
        fit = np.searchsorted(before, before[start] + _SHARED, side="right") - 1
        stop = min(end, start + _HEADS, max(start + 1, int(fit)))
        yield slice(start, stop)
        start = stop


def _cosines(of: _Vectors, some: slice) -> Numbers:
    """Of some heads with all; sums run by token, so that like heads come out alike."""
    entries = slice(of.starts[some.start], of.starts[some.stop])
    having = of.having[entries]
    first = of.token_starts[of.token[entries]] - (np.cumsum(having) - having)
    at = np.repeat(first, having) + np.arange(having.sum())
    count = some.stop - some.start
    row = np.repeat(np.arange(count), np.diff(of.starts[some.start : some.stop + 1]))
    cell = np.repeat(row * of.heads, having) + of.by_token[at]
    product = np.repeat(of.weight[entries], having) * of.weight_by_token[at]
    sums = np.bincount(cell, product, minlength=count * of.heads)
    return sums.astype(np.float64, copy=False).reshape(count, of.heads)
