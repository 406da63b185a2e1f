"""Several models' relation heads side by side: are they alike, and does the architecture show?

- Only relations that are valid for all of the models are compared.
- A relation head implements at least one of them (see `RelationScore.implements`).
- Whether heads that share their values are alike is asked in `annotator.validate.kv_groups`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from annotator.errors import NoRelations
from annotator.records import HeadId
from annotator.validate.kv_groups import Groups, Scored, group_similarity
from annotator.validate.statistics import RESAMPLES

BINS = 10
"""Equal parts of a model's depth."""
MANY = 5
"""A head of so many relations or more is counted with the others of them."""


@dataclass(frozen=True)
class RelationHeads:
    """One model's heads of one relation.

    Attributes:
        heads: how many implement it.
        best: the head of the highest score.
        phi: its score.
        depth: mean relative depth, from 0 to 1, of those that implement it; None: there is none.
    """

    heads: int
    best: HeadId
    phi: float
    depth: float | None


@dataclass(frozen=True)
class ModelHeads:
    """One model's relation heads.

    Attributes:
        name: what the model is called.
        dims: its sizes.
        relation_heads: heads that implement at least one relation.
        depths: how many of them lie in each part of its depth, first layers first.
        heads_at: how many heads of any kind lie there.
        per_head: heads that implement 0, 1, 2, ... relations; the last: MANY or more.
        relations: by name.
        groups: heads that share their values; None where no answer is defined.
        no_groups: why none is.
    """

    name: str
    dims: Mapping[str, int]
    relation_heads: int
    depths: tuple[int, ...]
    heads_at: tuple[int, ...]
    per_head: tuple[int, ...]
    relations: Mapping[str, RelationHeads]
    groups: Groups | None
    no_groups: str | None


@dataclass(frozen=True)
class SharedHeads:
    """How many heads two relations share.

    Attributes:
        first: a relation.
        second: another one.
        heads: by model, how many heads implement both, and how many either.
    """

    first: str
    second: str
    heads: Mapping[str, tuple[int, int]]

    def jaccard(self, model: str) -> float | None:
        """Both over either; None where no head of the model implements either."""
        both, either = self.heads[model]
        return both / either if either else None


@dataclass(frozen=True)
class Comparison:
    """Several models.

    Attributes:
        relations: those that are valid for all.
        models: in the order given.
        shared: each two relations.
    """

    relations: tuple[str, ...]
    models: tuple[ModelHeads, ...]
    shared: tuple[SharedHeads, ...]


def compare(models: Sequence[Scored], draws: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Set models side by side.

    Args:
        models: at least one, of different names.
        draws: resamples and random assignments of groups.
        seed: of these.

    Raises:
        NoRelations: no relation is valid for all of them.
    """
    valid = [model.implementing for model in models]
    relations = tuple(name for name in valid[0] if all(name in other for other in valid))
    if not relations:
        names = ", ".join(model.name for model in models)
        reason = "no relation was scored for all of them"
        raise NoRelations(names, reason, "Score the same ones: annotator relations CATALOG.")
    shared = [
        SharedHeads(a, b, {m.name: _both(m.implementing[a], m.implementing[b]) for m in models})
        for a, b in combinations(relations, 2)
    ]
    described = tuple(_describe(model, relations, draws, seed) for model in models)
    return Comparison(relations, described, tuple(shared))


def _both(first: frozenset[HeadId], second: frozenset[HeadId]) -> tuple[int, int]:
    return len(first & second), len(first | second)


def _describe(model: Scored, relations: Sequence[str], draws: int, seed: int) -> ModelHeads:
    n_layers, n_heads = model.dims["n_layers"], model.dims["n_heads"]
    per_head = Counter(head for name in relations for head in model.implementing[name])
    counts = Counter(min(count, MANY) for count in per_head.values())
    none = n_layers * n_heads - len(per_head)
    depths = Counter(_part(head.layer, n_layers) for head in per_head)
    at = Counter(_part(layer, n_layers) for layer in range(n_layers))
    groups = group_similarity(model, relations, draws, seed)
    return ModelHeads(
        name=model.name,
        dims=model.dims,
        relation_heads=len(per_head),
        depths=tuple(depths[part] for part in range(BINS)),
        heads_at=tuple(n_heads * at[part] for part in range(BINS)),
        per_head=(none, *(counts[number] for number in range(1, MANY + 1))),
        relations={name: _relation(model, name) for name in relations},
        groups=groups if isinstance(groups, Groups) else None,
        no_groups=groups if isinstance(groups, str) else None,
    )


def _part(layer: int, n_layers: int) -> int:
    """Which part of the depth the middle of a layer lies in."""
    return BINS * (2 * layer + 1) // (2 * n_layers)


def _relation(model: Scored, name: str) -> RelationHeads:
    own = [score for score in model.scores if score.relation == name]
    best = min(own, key=lambda score: (-score.phi, score.head))
    heads = model.implementing[name]
    last = max(model.dims["n_layers"] - 1, 1)
    depth = sum(head.layer for head in heads) / len(heads) / last if heads else None
    return RelationHeads(len(heads), best.head, best.phi, depth)
