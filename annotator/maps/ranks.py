"""How many logits come before a target's, without most of the logits.

The vocabulary is scanned in blocks, in a fixed shuffled order. A row is dropped once all its
targets have k_max logits above them and k_max below: what is left after a few hundred columns are
the rows in which a target may be among the largest or the smallest.

- A block's logits are y (W_O W_U) or (y W_O) W_U, for each head in the cheaper order.
- A target is left out of its own count by its place: on another path its logit differs in the last
  bits and would count itself. So are columns that are equal to its own bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from annotator.maps.duplicates import Duplicates

FIRST, LAST = 256, 4096
"""Columns of the first block and of the largest."""
GROWTH = 4
"""A block has a quarter of the columns that were seen before it."""
LOGITS_AT_ONCE = 1 << 20
"""Logits computed at once."""


@dataclass(frozen=True)
class Columns:
    """The unembedding in the order of the scan.

    Attributes:
        W: one column of W_U a row, shuffled.
        order: the column of W_U at each place.
        place: the place of each column of W_U.
        first: at each place the smallest column that is equal bit by bit; None: all differ.
        largest: the largest absolute value.
    """

    W: Float[Tensor, "vocab d_model"]
    order: Int[Tensor, " vocab"]
    place: Int[Tensor, " vocab"]
    first: Int[Tensor, " vocab"] | None
    largest: float


def shuffle(W_U: Float[Tensor, "d_model vocab"], duplicates: Duplicates | None) -> Columns:
    """Lay out an unembedding for scanning; the order is the same in every run."""
    generator = torch.Generator("cpu").manual_seed(0)
    order = torch.randperm(W_U.shape[1], generator=generator, device="cpu").to(W_U.device)
    first = None
    if duplicates is not None:
        first = torch.arange(len(order), device=W_U.device)
        duplicates.spread(first)
        first = first[order]
    W = W_U.T[order]
    return Columns(W, order, order.argsort(), first, _largest(W))


@dataclass(frozen=True)
class Ranks:
    """Where targets stand in their rows, for some heads.

    Attributes:
        above: logits before the target's among the largest; k_max where there are that many or
            more, or where all logits of the row are equal or some are not finite.
        below: the same among the smallest.
        computed: logits that were computed.
    """

    above: Int[Tensor, "n_heads targets"]
    below: Int[Tensor, "n_heads targets"]
    computed: Int[Tensor, " n_heads"]


def rank_targets(
    y: Float[Tensor, "n_kv_heads rows d_head"],
    W_O: Float[Tensor, "n_heads d_head d_model"],
    columns: Columns,
    rows: Int[Tensor, " targets"],
    targets: Int[Tensor, " targets"],
    k_max: int,
) -> Ranks:
    """Rank any targets in any rows, in all heads.

    Args:
        y: the rows' value vectors; query head h reads those of h // (n_heads / n_kv_heads).
        W_O: output projections.
        columns: the unembedding.
        rows: for each target the row it is looked for in.
        targets: columns of W_U.
        k_max: ranks from here on are not told apart.

    Returns:
        The targets' ranks, in the order given, on the device.
    """
    scan = _Scan(y, W_O, columns, rows, targets, k_max)
    one_column = columns.first is not None and bool((columns.first == columns.first[0]).all())
    if not one_column:
        scan.run()
    return scan.ranks()


class _Scan:
    """The rows and targets that are still open, each sorted by head and row.

    Rows have: head, row, direct (z is kept), level (the first logit), same (all were equal so far),
    broken (a logit is not finite). Targets have: of (which open row), target, own (the logit),
    above and below (the counts). z holds y W_O of the direct rows.
    """

    def __init__(
        self, y: Tensor, W_O: Tensor, columns: Columns, rows: Tensor, targets: Tensor, k_max: int
    ) -> None:
        self.y, self.W_O, self.columns, self.k_max = y, W_O.contiguous(), columns, k_max
        self.rows, self.columns_of, self.places = rows, targets, columns.place[targets]
        first, self.bounded = columns.first, self._bounded()
        self.copied = None if first is None else torch.bincount(first)[first[self.places]] > 1
        by_row = rows.argsort(stable=True)
        self.target = by_row.repeat(len(W_O))
        self.own = self._own_logits()[:, by_row].flatten()
        key = torch.arange(len(W_O), device=y.device)[:, None] * y.shape[1] + rows[by_row]
        key, self.of = torch.unique_consecutive(key.flatten(), return_inverse=True)
        self.head, self.row = key // y.shape[1], key % y.shape[1]
        self.above, self.below = (torch.zeros_like(self.target) for _ in range(2))
        self.same = torch.ones_like(self.row, dtype=torch.bool)
        self.direct, self.broken = ~self.same, ~self.same
        self.level, self.z = y.new_zeros(len(self.row)), y.new_empty(0, W_O.shape[2])
        self.computed = torch.zeros(len(W_O), dtype=torch.int64)
        self.buffers: dict[str, Tensor] = {}
        self._close(self.own.isfinite())

    def run(self) -> None:
        """Scan the vocabulary, or as much of it as there are open rows for."""
        start, vocab = 0, len(self.columns.order)
        while start < vocab and len(self.row):
            width = min(max(FIRST, min(LAST, start // GROWTH // 64 * 64)), vocab - start)
            for row, logits in self._blocks(self.columns.W[start : start + width].T):
                self._count(row, logits, start)
            start += width
            open = (self.above < self.k_max) | (self.below < self.k_max)
            self._close(open & ~self.broken[self.of])

    def ranks(self) -> Ranks:
        """What was counted; what is not open any more, or in a row of equal logits, has k_max."""
        shape = (len(self.W_O), len(self.rows))
        counted = ~self.same[self.of]
        at = self.head[self.of[counted]], self.target[counted]
        above, below = (torch.full(shape, self.k_max, device=self.y.device) for _ in range(2))
        above[at] = self.above[counted].clamp(max=self.k_max)
        below[at] = self.below[counted].clamp(max=self.k_max)
        return Ranks(above, below, self.computed)

    def _kv(self, head: int) -> Tensor:
        return self.y[head * len(self.y) // len(self.W_O)]

    def _own_logits(self) -> Float[Tensor, "n_heads targets"]:
        """The targets' logits, in the order that is cheaper by far where nothing overflows."""
        W_U, heads = self.columns.W, range(len(self.W_O))
        if not self.bounded:
            z = (self._kv(h) @ self.W_O[h] for h in heads)
            return torch.stack([(one[self.rows] * W_U[self.places]).sum(dim=1) for one in z])
        places, at = self.places.unique(return_inverse=True)
        keys = (W_U[places] @ self.W_O.flatten(0, 1).T).split(self.W_O.shape[1], dim=1)
        return torch.stack([(self._kv(h)[self.rows] * keys[h][at]).sum(dim=1) for h in heads])

    def _bounded(self) -> bool:
        """Whether no product can overflow, whichever way it is computed."""
        _, d_head, d_model = self.W_O.shape
        y = _largest(self.y.nan_to_num(posinf=0.0, neginf=0.0))  # such rows are closed at once
        W_O, W_U = _largest(self.W_O), self.columns.largest
        z, formed = d_head * y * W_O, d_model * W_O * W_U
        limit = torch.finfo(self.y.dtype).max / 2
        return z < limit and formed < limit and z * d_model * W_U < limit

    def _blocks(self, W_U: Float[Tensor, "d_model columns"]) -> Iterator[tuple[int, Tensor]]:
        """Logits of all open rows in some columns, chunk by chunk, each with its first row."""
        n_heads, d_head, d_model = self.W_O.shape
        width = W_U.shape[1]
        per_head = torch.bincount(self.head, minlength=n_heads).cpu()
        self.computed += per_head * width
        counts = per_head.tolist()
        least = d_head * d_model if self.bounded else torch.inf
        formed = [h for h, n in enumerate(counts) if n * (d_model - d_head) > least]
        self._keep_outputs(formed)
        G = self._buffer("G", len(formed) * d_head, width)
        torch.mm(self.W_O[formed].flatten(0, 1), W_U, out=G)
        G = dict(zip(formed, G.split(d_head), strict=False))
        at, directs, run = 0, 0, 0  # run: direct rows of one head after the other, not yet computed
        for head, n in enumerate([*counts, 0]):
            if head in G or head == n_heads:
                yield from self._products(self.z[directs : directs + run], W_U, at - run)
                directs, run = directs + run, 0
            else:
                run += n
            if head in G:
                y = self._kv(head)[self.row[at : at + n]]
                yield from self._products(y, G[head], at)
            at += n

    def _keep_outputs(self, formed: list[int]) -> None:
        """Have y W_O of the rows of all heads that W_O W_U is not formed for."""
        wanted = torch.ones(len(self.W_O), dtype=torch.bool)
        wanted[formed] = False
        direct = wanted.to(self.head.device)[self.head]
        if torch.equal(direct, self.direct):
            return
        self.direct = direct
        head, row = self.head[direct], self.row[direct]
        self.z = self.z.new_empty(len(row), self.z.shape[1])
        for h in head.unique().tolist():
            self.z[head == h] = self._kv(h)[row[head == h]] @ self.W_O[h]

    def _products(self, left: Tensor, right: Tensor, at: int) -> Iterator[tuple[int, Tensor]]:
        for rows in left.split(max(1, LOGITS_AT_ONCE // right.shape[1])) if len(left) else ():
            logits = self._buffer("logits", len(rows), right.shape[1])
            yield at, torch.mm(rows, right, out=logits)
            at += len(rows)

    def _buffer(self, name: str, n: int, width: int) -> Tensor:
        """Memory that is used again: fresh memory costs more than the counting."""
        buffer = self.buffers.get(name)
        if buffer is None or len(buffer) < n * width:
            buffer = self.buffers[name] = self.y.new_empty(n * width)
        return buffer[: n * width].view(n, width)

    def _count(self, first: int, logits: Float[Tensor, "rows columns"], start: int) -> None:
        """Count one chunk of logits for the targets in its rows."""
        n, width = logits.shape
        self._look(first, logits, start)
        bounds = torch.tensor([first, first + n], device=self.of.device)
        begin, end = torch.searchsorted(self.of, bounds).tolist()
        step = n if end - begin == n else max(1, LOGITS_AT_ONCE // width)
        for a in range(begin, end, step):
            part = slice(a, min(a + step, end))
            own = logits
            if end - begin > n:  # rows with several targets
                own = self._buffer("own", part.stop - a, width)
                torch.index_select(logits, 0, self.of[part] - first, out=own)
            self._compare(part, own, start)

    def _look(self, first: int, logits: Float[Tensor, "rows columns"], start: int) -> None:
        """Whether rows still have nothing but equal logits, and finite ones."""
        here = slice(first, first + len(logits))
        if start == 0:
            self.level[here] = logits[:, 0]
        for some in (logits[:, :8], logits):  # all but a few rows are told by the first
            undecided = self.same[here].nonzero().flatten()
            level = self.level[here][undecided, None]
            self.same[here][undecided] = (some[undecided] == level).all(dim=1)
        if not self.bounded:
            self.broken[here] |= ~logits.isfinite().all(dim=1)

    def _compare(self, part: slice, logits: Float[Tensor, "rows columns"], start: int) -> None:
        """Add to the counts of some targets; logits has a row for each and may be written to."""
        columns, width = self.columns, logits.shape[1]
        target, own = self.target[part], self.own[part, None]
        place = self.places[target] - start
        inside = ((place >= 0) & (place < width)).nonzero().flatten()
        logits[inside, place[inside]] = own[inside, 0]
        if self.copied is not None and columns.first is not None:
            some = self.copied[target].nonzero().flatten()
            own_first = columns.first[self.places[target[some]], None]
            copies = columns.first[start : start + width] == own_first
            logits[some] = torch.where(copies, own[some], logits[some])
        marks = self._buffer("marks", len(target), width)
        ones = logits.new_ones(width)
        above = torch.gt(logits, own, out=marks).mv(ones).long()
        below = torch.lt(logits, own, out=marks).mv(ones).long()
        equal = width - above - below
        equal[inside] -= 1
        tied = equal.nonzero().flatten()
        if len(tied):
            smaller = columns.order[start : start + width] < self.columns_of[target[tied], None]
            before = ((logits[tied] == own[tied]) & smaller).sum(dim=1)
            above[tied] += before
            below[tied] += before
        self.above[part] += above
        self.below[part] += below

    def _close(self, open: Tensor) -> None:
        """Keep the open targets, and the rows that have any."""
        kept, of = torch.unique_consecutive(self.of[open], return_inverse=True)
        staying = torch.zeros_like(self.same)
        staying[kept] = True
        self.z = self.z[staying[self.direct]]
        for name in ("head", "row", "direct", "level", "same", "broken"):
            setattr(self, name, getattr(self, name)[kept])
        for name in ("target", "own", "above", "below"):
            setattr(self, name, getattr(self, name)[open])
        self.of = of


def _largest(values: Tensor) -> float:
    """The largest absolute value; NaN where there is one."""
    low, high = values.aminmax()
    return max(abs(float(low)), abs(float(high)))
