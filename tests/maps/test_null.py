"""The permutation null against a naive one: whole rows, plain loops, every permutation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor

from annotator.errors import SettingInvalid
from annotator.maps.permutation_null import Null
from annotator.maps.relations import relation_scores
from annotator.maps.settings import MapSettings
from annotator.weights.model import open_model
from tests import tiny
from tests.maps.naive_null import KS, Naive, check, drawn, matrix, naive_p, right, score
from tests.maps.test_ranks import rank
from tests.maps.test_relations import Pairs, dense, made_up, tied_pairs, with_ties
from tests.recipes import built


@pytest.mark.parametrize("recipe", ["llama-gqa", "llama-mqa", "gpt2-tied", "neox-parallel"])
def test_every_p_equals_the_naive_null(recipe: str) -> None:
    model = open_model(tiny.MODELS[recipe]().double(), dtype="float64")
    pairs, null = made_up(list(range(320))), Null(KS, draws=200)
    assert check(score(model, pairs, null), model, pairs, null) > 20


@pytest.mark.parametrize("usable", [None, [id for id in range(96) if id % 3]])
def test_other_families_and_the_usable_vocabulary(usable: list[int] | None) -> None:
    model = open_model(built("gemma2-mha-tied"), dtype="float64")
    pairs, null = made_up(list(range(96)) if usable is None else usable), Null(KS, draws=100)
    scores = score(model, pairs, null, usable=usable)
    assert check(scores, model, pairs, null, ids=usable) > 20


def test_ties_and_rows_of_equal_logits() -> None:
    model = open_model(with_ties(), dtype="float64")
    pairs, null = tied_pairs(), Null(KS, draws=100, seed=3)
    assert check(score(model, pairs, null), model, pairs, null) > 20


def test_rows_that_are_not_finite_have_no_members() -> None:
    module = tiny.llama(num_hidden_layers=2).double()
    pairs = made_up(list(range(320)))
    with torch.no_grad():
        module.model.embed_tokens.weight[[source for source, _ in pairs["one"][:9]]] = torch.nan
    model, null = open_model(module, dtype="float64"), Null(KS, draws=100)
    scores = score(model, pairs, null, source_form="embedding")
    assert check(scores, model, pairs, null, bare=True) > 5


def strictly_higher(M: Tensor, ids: list[int], pairs: Any, name: str, k: int, null: Null) -> float:
    C = matrix(M, ids, pairs, k)
    return naive_p(C, drawn(name, len(C), null).tolist(), by=1)


def without_the_one(M: Tensor, ids: list[int], pairs: Any, name: str, k: int, null: Null) -> float:
    C = matrix(M, ids, pairs, k)
    return naive_p(C, drawn(name, len(C), null).tolist(), plus=0)


def another_k(M: Tensor, ids: list[int], pairs: Any, name: str, k: int, null: Null) -> float:
    return right(M, ids, pairs, name, k + 1, null)


def another_name(M: Tensor, ids: list[int], pairs: Any, name: str, k: int, null: Null) -> float:
    return right(M, ids, pairs, name + " ", k, null)


def sources_as_columns(M: Tensor, ids: list[int], pairs: Any, name: str, k: int, null: Null) -> Any:
    C = matrix(M, ids, pairs, k)
    return naive_p(C.T, drawn(name, len(C), null).tolist())


def targets_apart(M: Tensor, ids: list[int], pairs: Any, name: str, k: int, null: Null) -> float:
    """Targets re-paired one by one: a source counts where any of those it is given is a member."""
    cut, sources = sorted(set(pairs)), sorted({source for source, _ in pairs})
    places = [[rank(M[ids.index(s)], ids.index(t)) for _, t in cut] for s in sources]
    member = [[place is not None and place < k for place in row] for row in places]
    own = [[at for at, (source, _) in enumerate(cut) if source == s] for s in sources]

    def hits(draw: Sequence[int]) -> int:
        return sum(any(member[n][draw[at]] for at in slots) for n, slots in enumerate(own))

    draws = drawn(name, len(cut), null).tolist()
    as_high = sum(hits(draw) >= hits(range(len(cut))) for draw in draws)
    return (1 + as_high) / (1 + len(draws))


NEAR_MISSES = [strictly_higher, without_the_one, another_k, another_name, sources_as_columns]


@pytest.mark.parametrize("wrong", NEAR_MISSES)
def test_a_near_miss_of_the_definition_is_seen(wrong: Naive) -> None:
    model = open_model(tiny.llama(num_hidden_layers=1).double(), dtype="float64")
    pairs, null = {"one": made_up(list(range(320)))["one"]}, Null(KS, draws=50)
    with pytest.raises(AssertionError):
        check(score(model, pairs, null), model, pairs, null, naive=wrong)


def test_targets_of_one_source_stay_together() -> None:
    model = open_model(tiny.llama(num_hidden_layers=1).double(), dtype="float64")
    pairs, null = {"many": made_up(list(range(320)))["many"]}, Null(KS, draws=50)
    scores = score(model, pairs, null)
    check(scores, model, pairs, null)
    with pytest.raises(AssertionError):
        check(scores, model, pairs, null, naive=targets_apart)


def test_all_permutations_agree_within_the_error_of_drawing() -> None:
    model = open_model(tiny.llama().double(), dtype="float64")
    sources = [3, 50, 120, 200, 250, 300]
    pairs: Pairs = {
        "single": [(source, (source * 7) % 320) for source in sources],
        "shared": [(source, (at // 2) * 40) for at, source in enumerate(sources)],
        "blocks": [(source, (source * n + n) % 320) for source in sources for n in (3, 5, 11)],
    }
    null = Null(dict.fromkeys(pairs, 25), draws=20_000)
    W_E = model.W_E()
    X = model.first_mlp()(W_E)
    compared = 0
    for layer in score(model, pairs, null):
        for head in range(4):
            M = dense(model, layer.layer, head, X if layer.layer else W_E, list(range(320)))
            for name, relation in pairs.items():
                found = layer.relations[name].p
                assert found is not None
                C = matrix(M, list(range(320)), relation, 25)
                exact = naive_p(C, list(permutations(range(6))), plus=0)
                error = 5 * (exact * (1 - exact) / null.draws) ** 0.5 + 1 / null.draws
                assert abs(float(found[head]) - exact) <= error
                compared += exact < 1
    assert compared > 5


def test_unrelated_pairs_are_called_small_no_more_often_than_chance_allows() -> None:
    """p of a permutation is valid: at most a share a of those under the null is at or below a."""
    model = open_model(tiny.llama(vocab_size=640, num_hidden_layers=2))
    generator = torch.Generator().manual_seed(1)
    pairs: Pairs = {}
    for n in range(80):
        ids = torch.randperm(640, generator=generator)[:120].tolist()
        pairs[f"chance {n}"] = list(zip(ids[:60], ids[60:], strict=True))
    null = Null(dict.fromkeys(pairs, 25), draws=400)
    scores = list(relation_scores(model, pairs, MapSettings(), null=null))
    p = torch.stack([r.p for layer in scores for r in layer.relations.values() if r.p is not None])
    low = torch.stack(
        [r.suppression_p for layer in scores for r in layer.relations.values() if r.p is not None]
    )
    every = torch.cat([p, low]).flatten()
    assert len(every) == 2 * 2 * 80 * 4
    for level in (0.01, 0.05, 0.25, 0.5):
        share = float((every <= level).double().mean())
        assert 0.3 * level < share < level + 3 * (level / len(every)) ** 0.5


def test_a_head_that_maps_the_pairs_is_told_from_chance() -> None:
    model = open_model(tiny.llama(num_hidden_layers=2).double(), dtype="float64")
    M = dense(model, 1, 2, model.first_mlp()(model.W_E()), list(range(320)))
    best: dict[int, int] = {}
    for source, target in enumerate(M.argmax(dim=1).tolist()):
        best.setdefault(target, source)
    found = {"mapped": [(source, target) for target, source in best.items()]}
    null = Null({"mapped": 1})
    ranks = score(model, found, null, layers=[1])[0].relations["mapped"]
    assert ranks.p is not None
    assert float(ranks.phi()[2, 0]) == 1
    assert float(ranks.p[2]) == 1 / 20_001


def test_one_target_for_all_sources_is_no_relation() -> None:
    """Whatever the head does with it, re-pairing changes nothing: phi is large and p is 1."""
    model = open_model(tiny.llama(num_hidden_layers=2).double(), dtype="float64")
    M = dense(model, 1, 2, model.first_mlp()(model.W_E()), list(range(320)))
    common = int((M.argsort(dim=1, descending=True)[:, :10]).flatten().bincount().argmax())
    found = score(model, {"one": [(s, common) for s in range(60)]}, Null({"one": 10}), layers=[1])
    ranks = found[0].relations["one"]
    assert ranks.p is not None
    assert float(ranks.phi()[2, 9]) > 0.15
    assert (ranks.p == 1).all()


def test_a_score_of_zero_has_a_p_of_one() -> None:
    model = open_model(tiny.llama().double(), dtype="float64")
    pairs, null = made_up(list(range(320))), Null(KS, draws=50)
    for layer in score(model, pairs, null):
        for name, ranks in layer.relations.items():
            assert ranks.p is not None
            assert ranks.suppression_p is not None
            at = KS[name] - 1
            assert (ranks.p[ranks.phi()[:, at] == 0] == 1).all()
            assert (ranks.suppression_p[ranks.suppression()[:, at] == 0] == 1).all()


def test_layers_alone_and_relations_alone_have_the_same_p() -> None:
    model = open_model(tiny.llama(num_hidden_layers=12))
    pairs, null = made_up(list(range(320))), Null(KS, draws=100)
    whole = list(relation_scores(model, pairs, MapSettings(), null=null))
    resumed = list(relation_scores(model, pairs, MapSettings(), layers=[4, 11], null=null))
    single = relation_scores(model, {"one": pairs["one"]}, MapSettings(), null=null)
    for layer in resumed:
        for name, ranks in layer.relations.items():
            before = whole[layer.layer].relations[name]
            for some, all in ((ranks.p, before.p), (ranks.suppression_p, before.suppression_p)):
                assert some is not None
                assert all is not None
                assert torch.equal(some, all)
    for layer in single:
        one, before = layer.relations["one"].p, whole[layer.layer].relations["one"].p
        assert one is not None
        assert before is not None
        assert torch.equal(one, before)


def test_another_seed_draws_others_and_scores_stay() -> None:
    model = open_model(tiny.llama())
    pairs = made_up(list(range(320)))
    none, zero, again, one = (
        list(relation_scores(model, pairs, MapSettings(), null=null))
        for null in (None, Null(KS, 100), Null(KS, 100), Null(KS, 100, seed=1))
    )
    differing = 0
    for layers in zip(none, zero, again, one, strict=True):
        for name in pairs:
            bare, first, second, other = (layer.relations[name] for layer in layers)
            assert bare.p is None
            assert torch.equal(bare.above, first.above)
            assert torch.equal(bare.below, first.below)
            assert first.p is not None
            assert second.p is not None
            assert other.p is not None
            assert torch.equal(first.p, second.p)
            differing += not torch.equal(first.p, other.p)
    assert differing


@pytest.mark.parametrize("table", [1, 10_000])
def test_tables_and_look_ups_in_parts_change_nothing(monkeypatch: Any, table: int) -> None:
    model, pairs = open_model(tiny.llama()), made_up(list(range(320)))
    whole = list(relation_scores(model, pairs, MapSettings(), null=Null(KS, 100)))
    monkeypatch.setattr("annotator.maps.permutation_null.TABLE", table)
    monkeypatch.setattr("annotator.maps.permutation_null.LOOKED_UP", 700)
    monkeypatch.setattr("annotator.maps.permutation_null.SAMPLE", 1)
    parts = list(relation_scores(model, pairs, MapSettings(), null=Null(KS, 100)))
    for a, b in zip(whole, parts, strict=True):
        for name in pairs:
            assert torch.equal(*(ranks.p for ranks in (a.relations[name], b.relations[name])))


@pytest.mark.parametrize(
    ("null", "named"),
    [
        (Null({"other": 10}), "a k for each relation"),
        (Null({"any": 26}), "k of any = 26"),
        (Null({"any": 0}), "k of any = 0"),
        (Null({"any": 10}, draws=0), "draws = 0"),
        (Null({"any": 10}, seed=-1), "seed = -1"),
    ],
)
def test_a_null_that_cannot_be_drawn_is_refused(null: Null, named: str) -> None:
    with pytest.raises(SettingInvalid, match=named):
        score(open_model(tiny.llama()), {"any": [(1, 2)]}, null)
