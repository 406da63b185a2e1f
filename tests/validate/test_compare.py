"""Models side by side: counted by hand, and group similarity against loops and all assignments."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from annotator.errors import NoRelations
from annotator.records import HeadId
from annotator.validate.compare_models import compare
from annotator.validate.kv_groups import Groups, Scored, group_similarity
from tests.validate.made import DIMS, all_scores, comparison, relation_score

RELATIONS = ("r0", "r1", "r2", "r3", "r4")


def test_what_two_models_have_in_common() -> None:
    found = comparison()
    assert found.relations == ("capital", "copying", "none")
    first, second = found.models
    assert first.relation_heads == second.relation_heads == 3  # L4H0, L4H1, L3H0
    assert first.per_head == (17, 1, 2, 0, 0, 0)
    capital, none = first.relations["capital"], first.relations["none"]
    assert (capital.heads, str(capital.best), capital.phi) == (3, "L4H0", 0.6)
    assert capital.depth == pytest.approx((4 + 4 + 3) / 3 / 4)
    assert (none.heads, str(none.best), none.depth) == (0, "L0H0", None)


def test_relation_heads_by_depth() -> None:
    """Five layers: the middle of each lies at .1, .3, .5, .7 and .9."""
    first = comparison().models[0]
    assert first.heads_at == (0, 4, 0, 4, 0, 4, 0, 4, 0, 4)
    assert first.depths == (0, 0, 0, 0, 0, 0, 0, 1, 0, 2)
    deep = Scored("deep", {**DIMS, "n_layers": 30}, [relation_score("L29H0", "r", 0.9)])
    (model,) = compare([deep], draws=10).models
    assert (sum(model.heads_at), set(model.heads_at)) == (120, {12})
    assert model.depths == (*(0,) * 9, 1)


def test_relations_that_share_heads() -> None:
    shared = {(one.first, one.second): one for one in comparison().shared}
    assert len(shared) == 3
    both = shared["capital", "copying"]
    assert both.heads["a/small-model"] == (2, 3)
    assert both.jaccard("another") == pytest.approx(2 / 3)
    assert shared["copying", "none"].heads["another"] == (0, 2)


def test_no_share_of_no_heads() -> None:
    scores = all_scores({"a": {"L0H0": 0.1}, "b": {}})
    (pair,) = compare([Scored("one", DIMS, scores)], draws=10).shared
    assert pair.jaccard("one") is None


def test_a_head_is_one_only_where_its_score_is_told_from_chance() -> None:
    scores = [
        relation_score("L0H0", "a", 0.9, q=0.06),
        relation_score("L0H1", "a", 0.15),
        relation_score("L0H2", "a", 0.2, q=0.05),
        relation_score("L0H3", "a", 0.0, suppression=0.9),
    ]
    (model,) = compare([Scored("one", DIMS, scores)], draws=10).models
    assert model.relations["a"].heads == model.relation_heads == 1
    assert model.relations["a"].best == HeadId(0, 0)


def test_models_without_a_common_relation_are_refused() -> None:
    models = [Scored(name, DIMS, all_scores({name: {}})) for name in ("one", "two")]
    with pytest.raises(NoRelations, match="one, two: no relation was scored for all of them"):
        compare(models)


def profiled(seed: int, alike: float, dims: dict[str, int]) -> Scored:
    """Heads of a group share a part of their scores."""
    generator = np.random.default_rng(seed)
    size = dims["n_heads"] // dims["n_kv_heads"]
    phi: dict[str, dict[str, float]] = {name: {} for name in RELATIONS}
    for layer in range(dims["n_layers"]):
        for head in range(dims["n_heads"]):
            if head % size == 0:
                common = generator.random(len(RELATIONS))
            own = generator.random(len(RELATIONS))
            for name, value in zip(RELATIONS, alike * common + (1 - alike) * own, strict=True):
                phi[name][f"L{layer}H{head}"] = float(value)
    return Scored("made", dims, all_scores(phi, dims))


def by_loops(model: Scored, group: list[int]) -> tuple[float, float]:
    """Mean r of pairs in a group, and of the others of the same layer."""
    n_layers, n_heads = model.dims["n_layers"], model.dims["n_heads"]
    phi = {(score.head, score.relation): score.phi for score in model.scores}
    found: dict[bool, list[float]] = {True: [], False: []}
    for layer in range(n_layers):
        for a, b in combinations(range(n_heads), 2):
            pair = [[phi[HeadId(layer, h), name] for name in RELATIONS] for h in (a, b)]
            if all(len(set(profile)) > 1 for profile in pair):
                found[group[a] == group[b]].append(float(np.corrcoef(*pair)[0, 1]))
    return float(np.mean(found[True])), float(np.mean(found[False]))


@pytest.mark.parametrize("n_kv_heads", [2, 3])
def test_group_similarity_is_that_of_loops(n_kv_heads: int) -> None:
    dims = {"n_layers": 4, "n_heads": 6, "n_kv_heads": n_kv_heads}
    model = profiled(1, 0.5, dims)
    found = group_similarity(model, RELATIONS, draws=200)
    assert isinstance(found, Groups)
    size = 6 // n_kv_heads
    group = [head // size for head in range(6)]
    assert (found.within, found.between) == pytest.approx(by_loops(model, group), abs=1e-12)
    wrong = by_loops(model, [head % n_kv_heads for head in range(6)])
    assert abs(found.within - wrong[0]) > 0.05
    assert found.pairs == 4 * n_kv_heads * size * (size - 1) // 2
    low, high = found.interval
    assert low < found.within - found.between < high


def test_heads_that_score_nothing_are_left_out() -> None:
    dims = {"n_layers": 3, "n_heads": 4, "n_kv_heads": 2}
    made = profiled(3, 0.5, dims)
    silent = {HeadId(0, 0), HeadId(2, 3)}
    scores = [
        relation_score(str(s.head), s.relation, 0.0 if s.head in silent else s.phi)
        for s in made.scores
    ]
    model = Scored("made", dims, scores)
    found = group_similarity(model, RELATIONS, draws=50)
    assert isinstance(found, Groups)
    assert found.pairs == 4
    assert (found.within, found.between) == pytest.approx(by_loops(model, [0, 0, 1, 1]))


def test_p_is_that_of_all_assignments() -> None:
    """One layer of four heads: three ways to pair them, all as likely."""
    dims = {"n_layers": 1, "n_heads": 4, "n_kv_heads": 2}
    model = profiled(5, 0.0, dims)
    ways = ([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0])
    means = [by_loops(model, way) for way in ways]
    differences = [within - between for within, between in means]
    expected = sum(one >= differences[0] - 1e-9 for one in differences) / 3
    found = group_similarity(model, RELATIONS, draws=3000)
    assert isinstance(found, Groups)
    assert found.p == pytest.approx(expected, abs=0.03)


def test_alike_groups_are_told_from_chance_and_others_not() -> None:
    dims = {"n_layers": 6, "n_heads": 6, "n_kv_heads": 3}
    alike = group_similarity(profiled(0, 0.7, dims), RELATIONS, draws=500)
    assert isinstance(alike, Groups)
    assert alike.p < 0.01
    assert alike.interval[0] > 0
    # All seeds of models whose heads have nothing in common: p is spread evenly.
    ps = [group_similarity(profiled(n, 0.0, dims), RELATIONS, draws=99) for n in range(40)]
    assert 0.3 < np.mean([one.p for one in ps if isinstance(one, Groups)]) < 0.7


@pytest.mark.parametrize(
    ("n_kv_heads", "relations", "reason"),
    [
        (4, RELATIONS, "no two heads share their values"),
        (1, RELATIONS, "all heads of a layer share their values"),
        (2, RELATIONS[:2], "fewer than 3 relations"),
    ],
)
def test_no_similarity_where_there_is_nothing_to_compare(
    n_kv_heads: int, relations: tuple[str, ...], reason: str
) -> None:
    dims = {"n_layers": 2, "n_heads": 4, "n_kv_heads": n_kv_heads}
    assert group_similarity(profiled(0, 0.5, dims), relations) == reason


def test_no_similarity_where_no_head_scores() -> None:
    model = Scored("none", DIMS, all_scores({name: {} for name in RELATIONS}))
    assert group_similarity(model, RELATIONS) == "too few heads score above 0"


def test_the_same_seed_gives_the_same_answer() -> None:
    model = profiled(2, 0.4, {"n_layers": 3, "n_heads": 4, "n_kv_heads": 2})
    torch.manual_seed(5)
    first = group_similarity(model, RELATIONS, draws=100, seed=1)
    torch.manual_seed(6)
    assert group_similarity(model, RELATIONS, draws=100, seed=1) == first
