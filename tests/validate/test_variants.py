"""Variants of the static score against models whose weights were changed by hand."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from annotator.errors import SettingInvalid
from annotator.maps.relations import relation_scores
from annotator.maps.settings import MapSettings
from annotator.records import Relation, RelationPairs
from annotator.validate.variant_scores import VARIANTS, absent_variants, gains_of, variant_scores
from annotator.weights.full_module import module_of
from annotator.weights.model import open_model
from tests.maps.test_ranks import rank
from tests.maps.test_relations import made_up
from tests.recipes import RECIPES

SETTINGS = MapSettings(dtype="float64")
KS = {"one": 25, "copying": 3, "many": 10, "again": 5}
Norms = Callable[[Any, int], Any]

INPUT: dict[str, tuple[Norms, float]] = {
    "llama-gqa": (lambda m, n: m.model.layers[n].input_layernorm, 0),
    "gpt2-untied": (lambda m, n: m.transformer.h[n].ln_1, 0),
    "gpt2-tied": (lambda m, n: m.transformer.h[n].ln_1, 0),
    "neox-parallel": (lambda m, n: m.gpt_neox.layers[n].input_layernorm, 0),
    "gemma-gqa": (lambda m, n: m.model.layers[n].input_layernorm, 1),
    "gemma2-mha-tied": (lambda m, n: m.model.layers[n].input_layernorm, 1),
    "nemotron-gqa": (lambda m, n: m.model.layers[n].input_layernorm, 1),
    "bloom": (lambda m, n: m.transformer.h[n].input_layernorm, 0),
    "cohere-biases": (lambda m, n: m.model.layers[n].input_layernorm, 0),
}
"""The norm that attention reads, and what the model adds to its weight."""

FINAL: dict[str, Callable[[Any], Any]] = {
    "llama-gqa": lambda m: m.model.norm,
    "gpt2-untied": lambda m: m.transformer.ln_f,
    "gpt2-tied": lambda m: m.transformer.ln_f,
    "neox-parallel": lambda m: m.gpt_neox.final_layer_norm,
    "gemma-gqa": lambda m: m.model.norm,
    "gemma2-mha-tied": lambda m: m.model.norm,
    "nemotron-gqa": lambda m: m.model.norm,
    "bloom": lambda m: m.transformer.ln_f,
    "cohere-biases": lambda m: m.model.norm,
}


def built(recipe: str) -> Any:
    return RECIPES[recipe]().double()


def opened(module: Any) -> tuple[Any, Any]:
    model = open_model(module, dtype="float64")
    return model, module_of(model)


def relations(vocab: int) -> list[RelationPairs]:
    return [
        RelationPairs(Relation(name, ()), KS[name], tuple(pairs))
        for name, pairs in made_up(list(range(vocab))).items()
    ]


def variant(module: Any, name: str, settings: MapSettings = SETTINGS) -> dict[str, Tensor]:
    """By relation, [n_layers, n_heads]."""
    model, run = opened(module)
    pairs = relations(model.dims.vocab)
    layers = list(variant_scores(model, run, pairs, settings, name))
    assert [layer for layer, _ in layers] == list(range(model.dims.n_layers))
    return {name: torch.stack([scores[name] for _, scores in layers]) for name in KS}


def plain(module: Any, settings: MapSettings = SETTINGS) -> dict[str, Tensor]:
    """The paper's scores of a module."""
    model = open_model(module, dtype="float64")
    pairs = {one.name: one.ids for one in relations(model.dims.vocab)}
    layers = list(relation_scores(model, pairs, settings))
    return {
        name: torch.stack([layer.relations[name].phi()[:, k - 1] for layer in layers])
        for name, k in KS.items()
    }


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """But for one source of one head: gains are measured with float32 norms."""
    return all(((a[name] - b[name]).abs() > 1e-9).sum() <= 1 for name in a)


@pytest.mark.parametrize("recipe", INPUT)
def test_gains_are_the_norms_weights_with_their_offset(recipe: str) -> None:
    module = built(recipe)
    model, run = opened(module)
    gains, (norm, offset) = gains_of(model, run), INPUT[recipe]
    for layer, gain in enumerate(gains.inputs):
        torch.testing.assert_close(gain, norm(module, layer).weight + offset, rtol=1e-5, atol=1e-6)
    final = FINAL[recipe](module).weight + offset
    torch.testing.assert_close(gains.final, final, rtol=1e-5, atol=1e-6)


ELSEWHERE = ["gptj", "mpt", "phi-gqa", "falcon-new", "falcon-one-norm", "opt", "gpt_oss-gqa"]


@pytest.mark.parametrize("recipe", ELSEWHERE)
def test_a_norm_is_found_wherever_a_family_has_it(recipe: str) -> None:
    model, run = opened(built(recipe))
    gains = gains_of(model, run)
    for gain in (*gains.inputs, gains.final):
        assert gain is not None
        assert any(
            torch.allclose(gain, weight, rtol=1e-5, atol=1e-6)
            for weight in run.parameters()
            if weight.shape == gain.shape
        )


def test_a_norm_without_weights_has_gains_of_one() -> None:
    model, run = opened(built("olmo-gqa"))
    gains = gains_of(model, run)
    for gain in (*gains.inputs, gains.final):
        torch.testing.assert_close(gain, torch.ones(32, dtype=torch.float64))


def test_a_model_is_as_it_was_after_its_gains_are_measured() -> None:
    model, run = opened(built("llama-gqa"))
    before = {name: value.clone() for name, value in run.state_dict().items()}

    def hooked() -> list[int]:
        return [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in run.modules()]

    there = hooked()  # transformers has some of its own
    gains_of(model, run)
    assert hooked() == there
    assert all(torch.equal(value, before[name]) for name, value in run.state_dict().items())


def fold_values(module: Any, recipe: str, gain: Callable[[int], Tensor]) -> Any:
    """The module with each layer's gain in its value projection."""
    folded = deepcopy(module)
    with torch.no_grad():
        for layer in range(folded.config.num_hidden_layers):
            g = gain(layer)
            if recipe.startswith("gpt2"):
                folded.transformer.h[layer].attn.c_attn.weight[:, 64:] *= g[:, None]
            elif recipe.startswith("neox"):
                weight = folded.gpt_neox.layers[layer].attention.query_key_value.weight
                weight.view(4, 3, 8, 32)[:, 2] *= g
            else:
                folded.model.layers[layer].self_attn.v_proj.weight *= g
    return folded


FOLDED = ["llama-gqa", "gpt2-untied", "neox-parallel", "gemma-gqa"]


@pytest.mark.parametrize("recipe", FOLDED)
def test_the_value_gain_is_that_of_a_model_folded_by_hand(recipe: str) -> None:
    module, (norm, offset) = built(recipe), INPUT[recipe]

    def gain(layer: int) -> Tensor:
        return norm(module, layer).weight + offset

    def of_the_layer_above(layer: int) -> Tensor:
        return gain((layer + 1) % module.config.num_hidden_layers)

    def without_the_offset(layer: int) -> Tensor:
        return gain(layer) - 1

    found = variant(module, "value gain")
    assert same(found, plain(fold_values(module, recipe, gain)))
    for wrong in (of_the_layer_above, without_the_offset):
        assert not same(found, plain(fold_values(module, recipe, wrong)))
    assert not same(found, plain(module))


@pytest.mark.parametrize("recipe", FOLDED)
def test_the_unembedding_gain_is_that_of_a_model_folded_by_hand(recipe: str) -> None:
    module, offset = built(recipe), INPUT[recipe][1]
    folded = deepcopy(module)
    with torch.no_grad():
        folded.get_output_embeddings().weight *= FINAL[recipe](module).weight + offset
    found = variant(module, "unembedding gain")
    assert same(found, plain(folded))
    assert not same(found, plain(module))


def naive(model: Any, X: Tensor, bare: bool, gain: Tensor) -> dict[str, Tensor]:
    """Scores from whole rows: X, and the bare embedding in layer 0 where it is."""
    W_E, W_U = model.W_E(), gain[:, None] * model.W_U()
    d = model.dims
    found = {name: torch.zeros(d.n_layers, d.n_heads, dtype=torch.float64) for name in KS}
    for layer in range(d.n_layers):
        heads, x = model.heads(layer), W_E if bare and layer == 0 else X
        for head in range(d.n_heads):
            M = x @ heads.W_V[head * d.n_kv_heads // d.n_heads] @ heads.W_O[head] @ W_U
            for one in relations(d.vocab):
                hits = []
                for source, targets in one.targets.items():
                    places = [rank(M[source], target) for target in targets]
                    hits.append(any(place is not None and place < one.k for place in places))
                found[one.name][layer, head] = sum(hits) / len(hits)
    return found


@pytest.mark.parametrize("recipe", ["gpt2-tied", "gemma2-mha-tied", "cohere-biases"])
def test_the_gain_of_a_tied_unembedding_leaves_the_sources_alone(recipe: str) -> None:
    module, offset = built(recipe), INPUT[recipe][1]
    model = open_model(module, dtype="float64")
    gain = FINAL[recipe](module).weight.detach() + offset
    X = model.first_mlp()(model.W_E())
    assert same(variant(module, "unembedding gain"), naive(model, X, True, gain))


@pytest.mark.parametrize("recipe", ["llama-gqa", "gpt2-tied", "gemma2-mha-tied", "granite-gqa"])
@pytest.mark.parametrize("form", ["mlp-after-layer-0", "mlp"])
def test_the_residual_is_added_to_x_but_not_to_the_bare_embedding(recipe: str, form: Any) -> None:
    module = built(recipe)
    model = open_model(module, dtype="float64")
    W_E, ones = model.W_E(), torch.ones(32, dtype=torch.float64)
    settings = MapSettings(dtype="float64", source_form=form)
    found = variant(module, "residual", settings)
    bare = form == "mlp-after-layer-0"
    assert same(found, naive(model, W_E + model.first_mlp()(W_E), bare, ones))
    assert not same(found, naive(model, model.first_mlp()(W_E), bare, ones))


def test_the_embedding_is_bare_throughout() -> None:
    module = built("llama-gqa")
    model = open_model(module, dtype="float64")
    found = variant(module, "embedding")
    assert same(found, naive(model, model.W_E(), True, torch.ones(32, dtype=torch.float64)))
    assert same(found, plain(module, MapSettings(dtype="float64", source_form="embedding")))


def test_tokens_that_do_not_count_compete_in_no_variant() -> None:
    module = built("gpt2-tied")
    model, run = opened(module)
    usable = [id for id in range(320) if id % 3]
    pairs = [
        RelationPairs(Relation(name, ()), KS[name], tuple(some))
        for name, some in made_up(usable).items()
    ]
    for name in VARIANTS:
        part = dict(variant_scores(model, run, pairs, SETTINGS, name, usable))
        whole = dict(variant_scores(model, run, pairs, SETTINGS, name))
        for layer, scores in part.items():
            assert all((scores[one] >= whole[layer][one]).all() for one in KS)
        assert any(not torch.equal(part[layer]["one"], whole[layer]["one"]) for layer in part)


@pytest.mark.parametrize(
    ("recipe", "absent"),
    [
        ("llama-gqa", {}),
        ("olmo2-gqa", {"value gain": "no norm stands before attention"}),
        ("opt-after", {"value gain": "no norm stands before attention in layers 0"}),
        ("opt-projected", {"unembedding gain": "no norm stands directly before the unembedding"}),
    ],
)
def test_a_variant_that_a_model_does_not_have_is_named(recipe: str, absent: dict[str, str]) -> None:
    model, run = opened(built(recipe))
    assert absent_variants(model, run, SETTINGS) == absent
    for name in VARIANTS:
        scores = variant_scores(model, run, relations(model.dims.vocab), SETTINGS, name)
        if name in absent:
            with pytest.raises(SettingInvalid, match=absent[name]):
                next(scores)
        else:
            next(scores)


def test_what_is_no_variant_is_refused_by_name() -> None:
    model, run = opened(built("llama-gqa"))
    with pytest.raises(SettingInvalid, match="one of value gain, unembedding gain, residual"):
        next(variant_scores(model, run, relations(320), SETTINGS, "gain"))
    bare = MapSettings(dtype="float64", source_form="embedding")
    absent = absent_variants(model, run, bare)
    assert absent == dict.fromkeys(("residual", "embedding"), "X is the bare embedding already")
