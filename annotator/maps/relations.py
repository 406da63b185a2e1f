"""Relation scores of all heads, layer by layer.

A head's score for a relation is the share of its sources with a target among the k largest logits
of the source's row (docs/definitions.md, "Relation score"); the suppression score is the same on
-M. Both follow, for every k up to k_max, from the targets' ranks. Each source is scored once,
whatever relations it is in. Where a null is given, each score comes with its p
(`annotator.maps.permutation_null`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from annotator.errors import SettingInvalid
from annotator.maps.counted_rows import open_space
from annotator.maps.engine import groups_with_sources
from annotator.maps.permutation_null import Blocks, Chance, Null, make_blocks
from annotator.maps.ranks import Columns, Ranks, rank_targets, shuffle
from annotator.maps.settings import MapSettings
from annotator.weights.model import LayerHeads, Model

K_MAX = 25
"""The largest k that a score is defined with."""

Relations = Mapping[str, Sequence[tuple[int, int]]]
"""Pairs of source and target token ids, by the relation's name."""


@dataclass(frozen=True)
class RelationRanks:
    """Where one layer's heads put a relation's targets.

    Attributes:
        source_ids: token ids of the distinct sources, ascending.
        above: for each source how many logits come before its best target's; k_max where there are
            that many or more, or where the row's logits are all equal or not finite.
        below: the same on -M.
        k_max: the largest k that membership is known for.
        p: of the relation score at the null's k; None where no null was given.
        suppression_p: of the suppression score.
    """

    source_ids: Int[Tensor, " rows"]
    above: Int[Tensor, "n_heads rows"]
    below: Int[Tensor, "n_heads rows"]
    k_max: int
    p: Float[Tensor, " n_heads"] | None = None
    suppression_p: Float[Tensor, " n_heads"] | None = None

    def part(self, heads: slice) -> RelationRanks:
        """The same of some of the heads."""
        p = None if self.p is None else self.p[heads]
        suppression_p = None if self.suppression_p is None else self.suppression_p[heads]
        return RelationRanks(
            self.source_ids, self.above[heads], self.below[heads], self.k_max, p, suppression_p
        )

    def members(self, k: int) -> Bool[Tensor, "n_heads rows"]:
        """Which sources have a target among the k largest."""
        return self.above < self._known(k)

    def suppressed(self, k: int) -> Bool[Tensor, "n_heads rows"]:
        """Which sources have a target among the k smallest."""
        return self.below < self._known(k)

    def phi(self) -> Float[Tensor, "n_heads k"]:
        """The relation score for k from 1 to k_max, in float64."""
        return _shares(self.above, self.k_max)

    def suppression(self) -> Float[Tensor, "n_heads k"]:
        """The suppression score for k from 1 to k_max, in float64."""
        return _shares(self.below, self.k_max)

    def _known(self, k: int) -> int:
        if not 1 <= k <= self.k_max:
            raise SettingInvalid("k", k, f"from 1 to {self.k_max}")
        return k


@dataclass(frozen=True)
class LayerScores:
    """One layer's heads and all relations.

    Attributes:
        layer: which layer.
        relations: by name, in the order given.
        computed: logits that were computed for each head.
        dense: logits of all rows of a head.
    """

    layer: int
    relations: Mapping[str, RelationRanks]
    computed: Int[Tensor, " n_heads"]
    dense: int


def relation_scores(
    model: Model,
    relations: Relations,
    settings: MapSettings,
    k_max: int = K_MAX,
    layers: Sequence[int] | None = None,
    usable: Sequence[int] | None = None,
    null: Null | None = None,
) -> Iterator[LayerScores]:
    """Score all heads of the given layers on relations.

    Args:
        model: the checkpoint.
        relations: pairs of token ids; a source with several targets succeeds by any of them.
        settings: X; what is kept of a map plays no part.
        k_max: the largest k.
        layers: which layers; None: all.
        usable: token ids that count; None: every row of the embedding.
        null: what scores are told from by their p; None: no p.

    Yields:
        One layer's scores after the other, ascending, on the CPU.

    Raises:
        SettingInvalid: a k_max below 1, a pair of tokens that do not count, or a null that cannot
            be drawn.
    """
    if k_max < 1:
        raise SettingInvalid("k_max", k_max, "a whole number from 1")
    if null is not None:
        null.check(list(relations), k_max)
    counting = range(model.dims.vocab) if usable is None else usable
    plan = _plan(relations, counting)
    wanted = range(model.dims.n_layers) if layers is None else layers
    bare, columns = _ends(model, plan, usable)
    chance = None if null is None else Chance(null, plan.blocks(null, model.device))
    for group, x in groups_with_sources(model, settings, wanted, bare):
        heads = LayerHeads.join([model.heads(n) for n in group])
        ranks, found = _score(x, heads, columns, plan, k_max, chance)
        for at, layer in enumerate(group):
            if layer in wanted:
                own = slice(at * model.dims.n_heads, (at + 1) * model.dims.n_heads)
                scores = {name: one.part(own) for name, one in found.items()}
                yield LayerScores(layer, scores, ranks.computed[own], plan.dense)


@dataclass(frozen=True)
class _Plan:
    """Distinct pairs of all relations, and which of them a relation has.

    Attributes:
        ids: token ids that count, ascending.
        sources: rows among them of all distinct sources.
        rows: for each pair the index of its source.
        targets: for each pair its target's column.
        pairs: for each relation the indices of its pairs.
    """

    ids: Int[Tensor, " vocab"]
    sources: Int[Tensor, " rows"]
    rows: Int[Tensor, " targets"]
    targets: Int[Tensor, " targets"]
    pairs: Mapping[str, Int[Tensor, " candidates"]]

    @property
    def dense(self) -> int:
        """Logits of all rows of a head."""
        return len(self.sources) * len(self.ids)

    def blocks(self, null: Null, device: torch.device) -> list[Blocks]:
        """What is re-paired in each relation."""
        return [
            make_blocks(
                name, null.ks[name], self.rows[own].to(device), self.targets[own].to(device)
            )
            for name, own in self.pairs.items()
        ]

    def scores(self, ranks: Ranks, k_max: int) -> dict[str, RelationRanks]:
        """What some heads have, by relation."""
        above, below = ranks.above.cpu(), ranks.below.cpu()
        relations: dict[str, RelationRanks] = {}
        for name, pairs in self.pairs.items():
            sources, at = self.rows[pairs].unique(return_inverse=True)
            relations[name] = RelationRanks(
                source_ids=self.ids[self.sources[sources]],
                above=best_ranks(above[:, pairs], at, len(sources)),
                below=best_ranks(below[:, pairs], at, len(sources)),
                k_max=k_max,
            )
        return relations


def _plan(relations: Relations, counting: Sequence[int]) -> _Plan:
    known = set(counting)
    wrong = [
        f"{name} ({source}, {target})"
        for name, pairs in relations.items()
        for source, target in pairs
        if source not in known or target not in known
    ]
    wrong += [name for name, pairs in relations.items() if not pairs]
    if wrong or not relations:
        allowed = "relations with pairs of tokens that count"
        raise SettingInvalid("relations", "; ".join(wrong), allowed)
    ids = torch.tensor(counting)
    place = {id: at for at, id in enumerate(counting)}
    distinct = sorted({(place[s], place[t]) for pairs in relations.values() for s, t in pairs})
    index = {pair: at for at, pair in enumerate(distinct)}
    own = {
        name: torch.tensor(sorted({index[place[s], place[t]] for s, t in pairs}))
        for name, pairs in relations.items()
    }
    sources, rows = torch.tensor([s for s, _ in distinct]).unique(return_inverse=True)
    return _Plan(ids, sources, rows, torch.tensor([t for _, t in distinct]), own)


def _ends(
    model: Model, plan: _Plan, usable: Sequence[int] | None
) -> tuple[Float[Tensor, "rows d_model"], Columns]:
    """The sources' embeddings, and the unembedding to scan; the rest of W_E is let go."""
    W_E, space = open_space(model, usable)
    bare = W_E[plan.sources.to(model.device)]
    del W_E
    return bare, shuffle(space.W_U, space.same_targets)


def _score(
    x: Float[Tensor, "rows d_model"],
    heads: LayerHeads,
    columns: Columns,
    plan: _Plan,
    k_max: int,
    chance: Chance | None,
) -> tuple[Ranks, dict[str, RelationRanks]]:
    """All relations in some heads, with p where there is a null."""
    y = torch.stack([x @ W_V for W_V in heads.W_V])
    rows, targets = plan.rows.to(x.device), plan.targets.to(x.device)
    ranks = rank_targets(y, heads.W_O, columns, rows, targets, k_max)
    found = plan.scores(ranks, k_max)
    if chance is None:
        return ranks, found
    ks = chance.null.ks
    hits = {
        name: torch.stack([one.members(ks[name]), one.suppressed(ks[name])]).to(x.device)
        for name, one in found.items()
    }
    p = chance.p(y, heads.W_O, columns, hits)
    with_p = {
        name: replace(one, p=p[name][0], suppression_p=p[name][1]) for name, one in found.items()
    }
    return ranks, with_p


def best_ranks(
    ranks: Int[Tensor, "n_heads candidates"], at: Int[Tensor, " candidates"], n: int
) -> Int[Tensor, "n_heads rows"]:
    """The smallest rank of each source's targets."""
    best = ranks.new_empty(len(ranks), n)
    return best.scatter_reduce(1, at.expand_as(ranks), ranks, "amin", include_self=False)


def _shares(ranks: Int[Tensor, "n_heads rows"], k_max: int) -> Float[Tensor, "n_heads k"]:
    return torch.stack([(ranks < k).double().mean(dim=1) for k in range(1, k_max + 1)], dim=1)
