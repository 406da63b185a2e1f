"""The permutation null done the naive way: whole rows, plain loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from annotator.maps.permutation_null import Null
from annotator.maps.relations import LayerScores, relation_scores
from annotator.maps.settings import MapSettings
from annotator.weights.model import Model
from tests.maps.test_ranks import ranks
from tests.maps.test_relations import Pairs, dense

KS = {"one": 10, "copying": 3, "many": 25, "again": 5, "small": 25}
"""k of the made-up relations; each has hits in some heads and none in others."""


def score(model: Model, pairs: Pairs, null: Null | None, **given: Any) -> list[LayerScores]:
    layers, usable = given.pop("layers", None), given.pop("usable", None)
    settings = MapSettings(dtype="float64", **given)
    return list(relation_scores(model, pairs, settings, 25, layers, usable, null))


def matrix(M: Tensor, ids: list[int], relation: list[tuple[int, int]], k: int) -> np.ndarray:
    """Sources x sources: whether the second one's targets are among the first one's k largest."""
    sources = sorted({source for source, _ in relation})
    blocks = [{ids.index(t) for s, t in relation if s == source} for source in sources]
    targets = sorted(set().union(*blocks))

    def members(source: int) -> set[int]:
        places = ranks(M[ids.index(source)], targets) or [k] * len(targets)
        return {target for target, place in zip(targets, places, strict=True) if place < k}

    return np.array([[bool(block & found) for block in blocks] for found in map(members, sources)])


def drawn(name: str, n: int, null: Null) -> np.ndarray:
    """The null's permutations: for each draw the source whose block each source is given."""
    generator = np.random.default_rng([null.seed, *name.encode()])
    return generator.permuted(np.tile(np.arange(n), (null.draws, 1)), axis=1)


def naive_p(C: np.ndarray, draws: Sequence[Sequence[int]], by: int = 0, plus: int = 1) -> float:
    """The definition: (1 + draws that score as high) / (1 + draws)."""
    observed = sum(C[s, s] for s in range(len(C)))
    as_high = sum(
        sum(C[s, b] for s, b in enumerate(draw)) >= observed + by
        for draw in (map(int, draw) for draw in draws)
    )
    return (plus + as_high) / (plus + len(draws))


Naive = Callable[[Tensor, list[int], list[tuple[int, int]], str, int, Null], float]


def right(
    M: Tensor, ids: list[int], pairs: list[tuple[int, int]], name: str, k: int, null: Null
) -> float:
    C = matrix(M, ids, pairs, k)
    return naive_p(C, drawn(name, len(C), null).tolist())


def check(
    scores: list[LayerScores],
    model: Model,
    pairs: Pairs,
    null: Null,
    *,
    ids: list[int] | None = None,
    bare: bool = False,
    naive: Naive = right,
) -> int:
    """Every p of every head against the naive reference; how many are between the extremes."""
    ids = list(range(model.dims.vocab)) if ids is None else ids
    W_E = model.W_E()
    X = model.first_mlp()(W_E)
    between = 0
    for layer in scores:
        x = W_E if bare or layer.layer == 0 else X
        for head in range(model.dims.n_heads):
            M = dense(model, layer.layer, head, x, ids)
            for name, relation in pairs.items():
                found = layer.relations[name]
                assert found.p is not None
                assert found.suppression_p is not None
                for sign, p in ((1, found.p), (-1, found.suppression_p)):
                    expected = naive(sign * M, ids, relation, name, null.ks[name], null)
                    assert float(p[head]) == expected, (layer.layer, head, name, sign)
                    between += 1 / (1 + null.draws) < expected < 1
    return between
