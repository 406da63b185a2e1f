"""Whether a relation score is told from chance: the relation re-paired at random.

A head that prefers a few of a relation's targets for every source scores too. What it would score
if the relation meant nothing is read off its membership matrix, sources x blocks (a block: all
targets of a source; a member where any of them is among the row's k largest): the blocks are
permuted among the sources, many times, and p is the share of draws that score as high,
(1 + b) / (1 + B). The same on -M for suppression.

- Only heads and relations with a hit are looked at: without one p is 1 whatever is drawn.
- A member is among the k largest beside any columns, so what falls behind k of a few is not ranked.
- Draws depend on the seed and the relation's name alone: all heads and runs meet the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from annotator.errors import SettingInvalid
from annotator.maps.ranks import Columns, rank_targets

SAMPLE = 4096
"""Columns that tell most targets from members."""
TABLE = 1 << 24
"""Entries of a membership table that draws are looked up in, at most."""
LOOKED_UP = 1 << 22
"""Entries looked up at once."""


@dataclass(frozen=True)
class Null:
    """What scores are compared with.

    Attributes:
        ks: how far from the top a target counts, for each relation by name.
        draws: how many times a relation is re-paired.
        seed: of the draws, from 0.
    """

    ks: Mapping[str, int]
    draws: int = 20_000
    seed: int = 0

    def check(self, names: Sequence[str], k_max: int) -> None:
        """Refuse what cannot be drawn.

        Args:
            names: of the relations that are scored.
            k_max: the largest k that membership is known for.

        Raises:
            SettingInvalid: a relation without a k, a k outside 1 to k_max, no draws, or a seed
                below 0.
        """
        if unknown := [name for name in names if name not in self.ks]:
            raise SettingInvalid("ks", "; ".join(unknown), "a k for each relation that is scored")
        for name in names:
            if not 1 <= self.ks[name] <= k_max:
                raise SettingInvalid(f"k of {name}", self.ks[name], f"from 1 to {k_max}")
        for what, value, least in (("draws", self.draws, 1), ("seed", self.seed, 0)):
            if value < least:
                raise SettingInvalid(what, value, f"a whole number from {least}")


@dataclass(frozen=True)
class Blocks:
    """A relation's sources, and what is re-paired among them.

    Attributes:
        name: the relation's name.
        k: how far from the top a target counts.
        rows: the row of y of each source.
        block: the block of each source; sources of the same targets share one.
        targets: columns of W_U, all distinct targets.
        holds: which targets a block has.
    """

    name: str
    k: int
    rows: Int[Tensor, " rows"]
    block: Int[Tensor, " rows"]
    targets: Int[Tensor, " targets"]
    holds: Bool[Tensor, "columns targets"]

    def own_alone(self) -> Bool[Tensor, "rows targets"]:
        """Which targets a source's own block has and no other."""
        return (self.holds & (self.holds.sum(dim=0) == 1))[self.block]


def make_blocks(
    name: str, k: int, rows: Int[Tensor, " candidates"], targets: Int[Tensor, " candidates"]
) -> Blocks:
    """Gather a relation's pairs to blocks, sources and targets ascending.

    Args:
        name: the relation's name.
        k: how far from the top a target counts.
        rows: for each pair the row of its source.
        targets: for each pair its target, a column of W_U.
    """
    sources, at = rows.unique(return_inverse=True)
    distinct, of = targets.unique(return_inverse=True)
    own = torch.zeros(len(sources), len(distinct), dtype=torch.bool, device=rows.device)
    own[at, of] = True
    holds, block = own.unique(dim=0, return_inverse=True)
    return Blocks(name, k, sources, block, distinct, holds)


class Chance:
    """The p-values of any heads; draws are made once and kept.

    Args:
        null: draws and seed.
        relations: what is re-paired, on the device of the arithmetic.
    """

    def __init__(self, null: Null, relations: Sequence[Blocks]) -> None:
        self.null = null
        self.relations = relations
        self.drawn: dict[str, Int[Tensor, "draws rows"]] = {}

    def p(
        self,
        y: Float[Tensor, "n_kv_heads rows d_head"],
        W_O: Float[Tensor, "n_heads d_head d_model"],
        columns: Columns,
        hits: Mapping[str, Bool[Tensor, "2 n_heads sources"]],
    ) -> dict[str, Float[Tensor, "2 n_heads"]]:
        """The share of draws that score as high.

        Args:
            y: the rows' value vectors.
            W_O: output projections.
            columns: the unembedding.
            hits: by relation, which sources have a target among the k largest, and the k smallest.

        Returns:
            By relation, of the score and of the suppression score, on the CPU; 1 for a score of 0.
        """
        found: dict[str, list[Tensor]] = {blocks.name: [] for blocks in self.relations}
        for head in range(len(W_O)):
            own = {name: hit[:, head].any(dim=1).tolist() for name, hit in hits.items()}
            signs = [(blocks, own[blocks.name]) for blocks in self.relations]
            some = [(blocks, sign) for blocks, sign in signs if any(sign)]
            value = y[head * len(y) // len(W_O)]
            for blocks, (sign, row, block) in _members(value, W_O[head], columns, some):
                column = sign * len(W_O) + head
                found[blocks.name].append(torch.stack([column, row, block]))
        return {
            blocks.name: self._shares(blocks, hits[blocks.name], found[blocks.name])
            for blocks in self.relations
        }

    def _shares(
        self, blocks: Blocks, hits: Bool[Tensor, "2 n_heads sources"], found: list[Tensor]
    ) -> Float[Tensor, "2 n_heads"]:
        """One relation's p-values of all heads, as many at once as their table allows."""
        hit = hits.flatten(0, 1)
        p = torch.ones(len(hit), dtype=torch.float64)
        wanted = hit.any(dim=1).nonzero().flatten()
        size = len(blocks.rows) * len(blocks.holds)
        for some in wanted.split(max(1, TABLE // size)) if len(wanted) else ():
            table = _table(blocks, torch.cat(found, dim=1), some, hit[some])
            count = self._as_high(blocks, table, hit[some].sum(dim=1))
            p[some.cpu()] = (1 + count.cpu().double()) / (1 + self.null.draws)
        return p.unflatten(0, hits.shape[:2])

    def _as_high(
        self,
        blocks: Blocks,
        table: Float[Tensor, "rows columns candidates"],
        observed: Int[Tensor, " candidates"],
    ) -> Int[Tensor, " candidates"]:
        """How many draws reach what was observed."""
        used = table.any(dim=2).any(dim=1).nonzero().flatten()
        table = table[used]
        first = torch.arange(len(used), device=table.device) * table.shape[1]
        drawn = self._draws(blocks)
        count = torch.zeros_like(observed)
        for part in drawn.split(max(1, LOOKED_UP // len(used))):
            scores = embedding_bag(part[:, used] + first, table.flatten(0, 1), mode="sum")
            count += (scores >= observed).sum(dim=0)
        return count

    def _draws(self, blocks: Blocks) -> Int[Tensor, "draws rows"]:
        """The block that each source is given in each draw."""
        if blocks.name not in self.drawn:
            small = len(blocks.holds) <= torch.iinfo(torch.int16).max
            block = blocks.block.cpu().numpy().astype(np.int16 if small else np.int32)
            generator = np.random.default_rng([self.null.seed, *blocks.name.encode()])
            drawn = np.broadcast_to(block, (self.null.draws, len(block)))
            drawn = torch.from_numpy(generator.permuted(drawn, axis=1))
            self.drawn[blocks.name] = drawn.to(blocks.block.device)
        return self.drawn[blocks.name]


def _table(
    blocks: Blocks,
    found: Int[Tensor, "3 candidates"],
    wanted: Int[Tensor, " n_heads"],
    hits: Bool[Tensor, "n_heads rows"],
) -> Float[Tensor, "rows columns n_heads"]:
    """Which blocks count in which sources' rows, 1 or 0, for the wanted heads and signs.

    A source's own block is as it was scored: on another path a near tie may fall the other way.
    """
    table = torch.zeros(*blocks.block.shape, len(blocks.holds), len(wanted), device=hits.device)
    column, row, block = found[:, torch.isin(found[0], wanted)]
    table[row, block, torch.searchsorted(wanted, column)] = 1
    table[torch.arange(len(table), device=hits.device), blocks.block] = hits.T.float()
    return table


def _members(
    y: Float[Tensor, "rows d_head"],
    W_O: Float[Tensor, "d_head d_model"],
    columns: Columns,
    relations: Sequence[tuple[Blocks, Sequence[bool]]],
) -> Iterator[tuple[Blocks, Int[Tensor, "3 candidates"]]]:
    """Members of one head's matrices: sign (0 largest, 1 smallest), source and block.

    Args:
        y: the rows' value vectors.
        W_O: the head's output projection.
        columns: the unembedding.
        relations: what to look at, and for which signs.
    """
    if not relations:
        return
    near = [_candidates(y, W_O, columns, blocks, signs) for blocks, signs in relations]
    rows = [blocks.rows[row] for (blocks, _), (row, _) in zip(relations, near, strict=True)]
    targets = [blocks.targets[of] for (blocks, _), (_, of) in zip(relations, near, strict=True)]
    k_max = max(blocks.k for blocks, _ in relations)
    where = torch.cat(rows), torch.cat(targets)
    ranks = rank_targets(y[None], W_O[None], columns, *where, k_max)
    both = torch.cat([ranks.above, ranks.below]).split([len(row) for row in rows], dim=1)
    for (blocks, _), (row, of), own in zip(relations, near, both, strict=True):
        sign, at = (own < blocks.k).nonzero().T
        member, block = blocks.holds[:, of[at]].T.nonzero().T
        yield blocks, torch.stack([sign[member], row[at[member]], block])


def _candidates(
    y: Float[Tensor, "rows d_head"],
    W_O: Float[Tensor, "d_head d_model"],
    columns: Columns,
    blocks: Blocks,
    signs: Sequence[bool],
) -> Int[Tensor, "2 candidates"]:
    """Source and target of all that may be a member: not behind k of the first columns.

    Whether a source's own block counts is known from its score. Near ties are left to the ranking,
    and so are rows that overflow.
    """
    first, targets = columns.W[: max(SAMPLE, blocks.k)], columns.W[columns.place[blocks.targets]]
    sample, own = y[blocks.rows] @ (first @ W_O.T).T, y[blocks.rows] @ (targets @ W_O.T).T
    near = torch.finfo(y.dtype).eps ** 0.5 * sample.abs().amax(dim=1, keepdim=True)
    finite = near.isfinite() & own.isfinite().all(dim=1, keepdim=True)
    kept = ~finite.expand(own.shape)
    for wanted, one, other in zip(signs, (sample, -sample), (own, -own), strict=True):
        if wanted:
            least = one.topk(min(blocks.k, len(first)), dim=1).values[:, -1:]
            kept = kept | (other >= least - near)
    return (kept & ~blocks.own_alone()).nonzero().T
