"""Relation scores equal the definition, done the naive way: whole rows of M, pair by pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from annotator.errors import SettingInvalid
from annotator.maps.ranks import FIRST
from annotator.maps.relations import LayerScores, relation_scores
from annotator.maps.settings import MapSettings
from annotator.weights.model import Model, open_model
from tests import tiny
from tests.maps.test_ranks import rank
from tests.recipes import built

Pairs = dict[str, list[tuple[int, int]]]
Rank = Callable[[Tensor, int], int | None]


def members(row: Tensor, targets: set[int], k_max: int, rank: Rank = rank) -> list[bool]:
    """Whether any target is in the top k, for k from 1 to k_max."""
    ranks = [place for target in targets if (place := rank(row, target)) is not None]
    return [any(place < k for place in ranks) for k in range(1, k_max + 1)]


def dense(model: Model, layer: int, head: int, x: Tensor, ids: list[int]) -> Tensor:
    """A head's map, whole, in the vocabulary's usable part.

    Equal columns are computed once: two GEMM tiles may differ in the last bit.
    """
    heads = model.heads(layer)
    kv = head * model.dims.n_kv_heads // model.dims.n_heads
    W_U, where = model.W_U()[:, ids].unique(dim=1, return_inverse=True)
    return (x[ids] @ heads.W_V[kv] @ heads.W_O[head] @ W_U)[:, where]


def check(
    scores: list[LayerScores],
    model: Model,
    pairs: Pairs,
    k_max: int,
    *,
    form: str = "mlp-after-layer-0",
    ids: list[int] | None = None,
    rank: Rank = rank,
) -> None:
    """Every membership and every score against the naive reference."""
    ids = list(range(model.dims.vocab)) if ids is None else ids
    W_E = model.W_E()
    X = model.first_mlp()(W_E)
    for layer in scores:
        bare = form == "embedding" or (form == "mlp-after-layer-0" and layer.layer == 0)
        for head in range(model.dims.n_heads):
            M = dense(model, layer.layer, head, W_E if bare else X, ids)
            for name, relation in pairs.items():
                found = layer.relations[name]
                sources = sorted({source for source, _ in relation})
                assert found.source_ids.tolist() == sources
                for sign, ranks, score in (
                    (1, found.above, found.phi()),
                    (-1, found.below, found.suppression()),
                ):
                    expected = [
                        members(
                            sign * M[ids.index(source)],
                            {ids.index(t) for s, t in relation if s == source},
                            k_max,
                            rank,
                        )
                        for source in sources
                    ]
                    got = [[r < k for k in range(1, k_max + 1)] for r in ranks[head].tolist()]
                    # Not as an assertion: pytest would take a minute to show how two lists differ.
                    if got != expected:
                        raise AssertionError((layer.layer, head, name, sign))
                    share = torch.tensor(expected).double().mean(dim=0)
                    torch.testing.assert_close(score[head], share, rtol=0, atol=0)


def made_up(ids: list[int], seed: int = 0) -> Pairs:
    """Relations that share sources, and have pairs twice and sources with many targets."""
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int) -> list[int]:
        return [ids[i] for i in torch.randint(len(ids), (n,), generator=generator).tolist()]

    sources = draw(40)
    return {
        "one": list(zip(sources, draw(40), strict=True)),
        "copying": [(source, source) for source in sources],
        "many": list(zip(sources[:5] * 8, draw(40), strict=True)),
        "again": [(sources[0], sources[1])] * 3,
    }


def score(model: Any, pairs: Pairs, k_max: int = 25, **given: Any) -> list[LayerScores]:
    opened = open_model(model, dtype="float64")
    layers, usable = given.pop("layers", None), given.pop("usable", None)
    settings = MapSettings(dtype="float64", **given)
    return list(relation_scores(opened, pairs, settings, k_max, layers, usable))


RECIPES = ["llama-mha", "llama-gqa", "llama-mqa", "llama-head-dim", "gpt2-tied", "neox-parallel"]


# Which X a form takes and how a recipe's heads lie have nothing to do with each other.
FORMS = [(recipe, form) for recipe in ("llama-gqa", "gpt2-tied") for form in ("mlp", "embedding")]
CASES = [*((recipe, "mlp-after-layer-0") for recipe in RECIPES), *FORMS]


@pytest.mark.parametrize(("recipe", "form"), CASES)
def test_every_membership_equals_the_dense_reference(recipe: str, form: str) -> None:
    module = tiny.MODELS[recipe]().double()
    pairs = made_up(list(range(320)))
    scores = score(module, pairs, source_form=form)
    assert [layer.layer for layer in scores] == [0, 1, 2]
    check(scores, open_model(module, dtype="float64"), pairs, 25, form=form)


@pytest.mark.parametrize("recipe", ["gemma2-mha-tied", "opt-projected", "bloom", "qwen2_moe-gqa"])
@pytest.mark.parametrize("usable", [None, [id for id in range(96) if id % 3]])
def test_other_families_and_the_usable_vocabulary(recipe: str, usable: list[int] | None) -> None:
    module = built(recipe)
    pairs = made_up(list(range(96)) if usable is None else usable)
    scores = score(module, pairs, 5, usable=usable)
    check(scores, open_model(module, dtype="float64"), pairs, 5, ids=usable)


@pytest.mark.parametrize("vocab", [40, FIRST, FIRST + 1, 9000])
@pytest.mark.parametrize("k_max", [1, 25, 10_000])
def test_blocks_of_the_vocabulary_leave_no_seam(vocab: int, k_max: int) -> None:
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    module = tiny.llama(vocab_size=vocab, **sizes).double()
    pairs = {name: some[:12] for name, some in made_up(list(range(vocab))).items()}
    pairs["distinct"] = [(source, vocab - source - 1) for source in range(12)]
    scores = score(module, pairs, k_max)
    if k_max < 10_000:
        check(scores, open_model(module, dtype="float64"), pairs, k_max)
    else:
        # The ranks themselves: no row is dropped, and those from above and below are opposites.
        ranks = scores[0].relations["distinct"]
        assert (ranks.above + ranks.below == vocab - 1).all()
        assert (scores[0].computed == scores[0].dense).all()


def test_layers_can_be_scored_alone() -> None:
    module = tiny.llama(num_hidden_layers=12).double()  # nine layers of four heads are one group
    pairs = made_up(list(range(320)))
    whole = score(module, pairs)
    for wanted in ([2], [0, 11], []):
        alone = score(module, pairs, layers=wanted)
        assert [layer.layer for layer in alone] == wanted
        for layer in alone:
            for name, ranks in layer.relations.items():
                assert torch.equal(ranks.above, whole[layer.layer].relations[name].above)
                assert torch.equal(ranks.below, whole[layer.layer].relations[name].below)


def test_float32_agrees_with_float64_but_for_near_ties() -> None:
    module = tiny.llama(vocab_size=4000)
    pairs = made_up(list(range(4000)))
    single = list(relation_scores(open_model(module), pairs, MapSettings(), 4000))
    for a, b in zip(score(module, pairs, 4000), single, strict=True):
        for name, exact in a.relations.items():
            apart = (exact.above - b.relations[name].above).abs()
            assert apart.max() <= 1
            assert (apart > 0).float().mean() < 0.02


def test_most_products_are_left_out() -> None:
    module = tiny.llama(vocab_size=30_000, num_hidden_layers=2)
    pairs = {"any": made_up(list(range(30_000)))["one"]}
    for layer in relation_scores(open_model(module), pairs, MapSettings()):
        assert float(layer.computed.double().mean()) < 0.1 * layer.dense


def counts_itself(row: Tensor, target: int) -> int | None:
    place = rank(row, target)
    return None if place is None else place + 1


def last_of_equals(row: Tensor, target: int) -> int | None:
    return None if (row == row[0]).all() else int((row >= row[target]).sum()) - 1


def first_of_equals(row: Tensor, target: int) -> int | None:
    return None if (row == row[0]).all() else int((row > row[target]).sum())


def equal_rows_count(row: Tensor, target: int) -> int | None:
    return target if (row == row[0]).all() else rank(row, target)


def upside_down(row: Tensor, target: int) -> int | None:
    return rank(-row, target)


NEAR_MISSES = [counts_itself, last_of_equals, first_of_equals, equal_rows_count, upside_down]


def with_ties() -> Any:
    """A model with equal columns of W_U, and a head that writes nothing."""
    module = tiny.llama(num_hidden_layers=2).double()
    with torch.no_grad():
        module.lm_head.weight[200:] = module.lm_head.weight[:120]
        module.model.layers[1].self_attn.o_proj.weight[:, 8:16] = 0
    return module


def tied_pairs() -> Pairs:
    pairs = made_up(list(range(320)))
    zeros = [(source, target) for source in range(4) for target in (0, 201)]
    return pairs | {"small": [*zeros, *((s, s % 7 + 200) for s in range(120))]}


def test_equal_columns_and_rows_equal_the_dense_reference() -> None:
    module, pairs = with_ties(), tied_pairs()
    check(score(module, pairs), open_model(module, dtype="float64"), pairs, 25)


@pytest.mark.parametrize("wrong", NEAR_MISSES)
def test_a_near_miss_of_the_definition_is_seen(wrong: Rank) -> None:
    module, pairs = with_ties(), tied_pairs()
    with pytest.raises(AssertionError):
        check(score(module, pairs), open_model(module, dtype="float64"), pairs, 25, rank=wrong)


@pytest.mark.parametrize("form", ["mlp", "embedding"])
def test_another_source_form_is_seen(form: str) -> None:
    module, pairs = tiny.llama().double(), made_up(list(range(320)))
    with pytest.raises(AssertionError):
        check(score(module, pairs), open_model(module, dtype="float64"), pairs, 25, form=form)


def test_a_source_needs_only_one_of_its_targets() -> None:
    module, pairs = tiny.llama().double(), made_up(list(range(320)))
    found = score(module, pairs)[1].relations["many"]
    alone = score(module, {str(pair): [pair] for pair in pairs["many"]})[1].relations
    for at, source in enumerate(found.source_ids.tolist()):
        own = [alone[str(pair)].above[:, 0] for pair in pairs["many"] if pair[0] == source]
        assert torch.equal(found.above[:, at], torch.stack(own).amin(dim=0))
        assert not torch.equal(found.above[:, at], torch.stack(own).amax(dim=0))


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        ({"good": [(1, 2)], "bad": [(1, 2), (3, 320), (-1, 4)]}, r"bad \(3, 320\); bad \(-1, 4\)"),
        ({"good": [(1, 2)], "none": []}, "none"),
        ({}, "relations with pairs"),
    ],
)
def test_relations_that_cannot_be_scored_are_named(pairs: Pairs, named: str) -> None:
    with pytest.raises(SettingInvalid, match=named):
        score(tiny.llama(), pairs)


def test_k_outside_its_range_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="k_max = 0"):
        score(tiny.llama(), {"any": [(1, 2)]}, 0)
    ranks = score(tiny.llama(), {"any": [(1, 2)]}, 5)[0].relations["any"]
    for k in (0, 6):
        with pytest.raises(SettingInvalid, match="from 1 to 5"):
            ranks.members(k)
    assert torch.equal(ranks.members(5), ranks.above < 5)
    assert torch.equal(ranks.suppressed(1), ranks.below < 1)
