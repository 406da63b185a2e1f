"""The engine equals the definitions, done the naive way: whole maps, plain sorts, float64."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from annotator.errors import Overflow
from annotator.maps.engine import LayerMaps, map_layers
from annotator.maps.settings import MapSettings
from annotator.weights.in_memory import from_module, from_state_dict
from annotator.weights.model import Model, open_model
from tests import oracle, tiny
from tests.recipes import built

RECIPES = [name for name in tiny.MODELS if name not in ("llama-tied", "neox-tied", "gpt2-untied")]


def engine(model: Any, usable: list[int] | None = None, **settings: Any) -> list[LayerMaps]:
    opened = open_model(model, dtype="float64")
    chosen = MapSettings(dtype="float64", **settings)
    return list(map_layers(opened, chosen, range(opened.dims.n_layers), usable))


def check(
    maps: list[LayerMaps], model: Model, X: Tensor, *, form: str, usable: list[int] | None = None
) -> None:
    """Every head of every layer against the dense reference."""
    ids = list(range(model.dims.vocab)) if usable is None else usable
    W_E, W_U = model.W_E()[ids], model.W_U()[:, ids]
    X = X[ids]
    for layer in maps:
        x = W_E if form == "embedding" or (form == "mlp-after-layer-0" and layer.layer == 0) else X
        heads = model.heads(layer.layer)
        for head in range(model.dims.n_heads):
            kv = head * model.dims.n_kv_heads // model.dims.n_heads
            dense = oracle.dense_head(x, heads.W_V[kv], heads.W_O[head], W_U)
            check_head(layer, head, dense, ids)


def check_head(layer: LayerMaps, head: int, dense: oracle.Dense, ids: list[int]) -> None:
    n_sources, n_targets = layer.target_ids.shape[1:]
    rows = oracle.order(dense.sigma.tolist(), n_sources)
    assert layer.source_ids[head].tolist() == [ids[row] for row in rows]
    torch.testing.assert_close(layer.sigma[head], dense.sigma[rows])
    strengths: list[float] = []
    for at, row in enumerate(rows):
        logits = dense.M[row]
        top = oracle.order(logits.tolist(), n_targets)
        assert layer.target_ids[head, at].tolist() == [ids[column] for column in top]
        torch.testing.assert_close(layer.logits[head, at], logits[top])
        if layer.suppressed_ids is not None and layer.suppressed_logits is not None:
            low = oracle.order((-logits).tolist(), n_targets)
            assert layer.suppressed_ids[head, at].tolist() == [ids[column] for column in low]
            torch.testing.assert_close(layer.suppressed_logits[head, at], logits[low])
        strengths.append(float((logits.max() - logits.mean()) / logits.std(correction=0)))
    evidence = rows[:30]
    assert math.isclose(layer.strength[head], sum(strengths[:30]) / len(evidence), rel_tol=1e-5)
    uniform = len(evidence) / len(ids)
    share = float(dense.sigma[evidence].sum() / dense.sigma.sum())
    assert math.isclose(layer.focus[head], (share - uniform) / (1 - uniform), rel_tol=1e-5)


# Which X a form takes and how a recipe's heads lie have nothing to do with each other.
FORMS = [(recipe, form) for recipe in ("llama-gqa", "gpt2-tied") for form in ("mlp", "embedding")]
CASES = [*((recipe, "mlp-after-layer-0") for recipe in RECIPES), *FORMS]


@pytest.mark.parametrize(("recipe", "form"), CASES)
def test_every_head_equals_the_dense_reference(recipe: str, form: str) -> None:
    module = tiny.MODELS[recipe]().double()
    model = open_model(module, dtype="float64")
    # The module's own RMS norm works in float32, so X comes from ours, proved in test_families.
    X = model.first_mlp()(model.W_E())
    check(engine(module, source_form=form, suppress=True), model, X, form=form)


@pytest.mark.parametrize("recipe", ["gemma2-mha-tied", "opt-projected", "bloom", "qwen2_moe-gqa"])
@pytest.mark.parametrize("usable", [None, [id for id in range(96) if id % 3]])
def test_ends_that_are_not_one_matrix_equal_the_dense_reference(
    recipe: str, usable: list[int] | None
) -> None:
    """A tied model whose embedding is scaled, projected or normed; experts as the first MLP."""
    module = built(recipe)
    model = open_model(module, dtype="float64")
    assert not model.plan.one_matrix
    chosen = {} if usable is None else {"vocabulary": "usable"}
    maps = engine(module, usable=usable, suppress=True, **chosen)
    X = model.first_mlp()(model.W_E())
    check(maps, model, X, form="mlp-after-layer-0", usable=usable)


@pytest.mark.parametrize(("sources", "targets"), [(1, 1), (45, 5), (320, 7), (999, 999)])
def test_any_number_of_sources_and_targets(sources: int, targets: int) -> None:
    module = tiny.llama().double()
    model = open_model(module, dtype="float64")
    maps = engine(module, sources=sources, targets=targets)
    assert maps[0].target_ids.shape == (4, min(sources, 320), min(targets, 320))
    check(maps, model, model.first_mlp()(model.W_E()), form="mlp-after-layer-0")


def test_usable_vocabulary_masks_sources_targets_and_competitors() -> None:
    module = tiny.gpt_neox().double()
    model = open_model(module, dtype="float64")
    usable = [id for id in range(320) if id % 3]
    maps = engine(module, usable=usable, vocabulary="usable", suppress=True)
    check(maps, model, model.first_mlp()(model.W_E()), form="mlp-after-layer-0", usable=usable)


@pytest.mark.parametrize("vocab", [40, 4096, 4096 + 64, 2 * 4096 + 1, 9000])
def test_blocks_of_the_vocabulary_leave_no_seam(vocab: int) -> None:
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    module = tiny.llama(vocab_size=vocab, **sizes).double()
    model = open_model(module, dtype="float64")
    maps = engine(module, sources=4, suppress=True)
    check(maps, model, model.first_mlp()(model.W_E()), form="mlp-after-layer-0")


def test_layers_can_be_mapped_alone() -> None:
    module = tiny.llama().double()
    model = open_model(module, dtype="float64")
    whole = engine(module)
    for wanted in ([2], [0, 2], [1]):
        alone = map_layers(model, MapSettings(dtype="float64"), wanted)
        for layer in alone:
            assert torch.equal(layer.target_ids, whole[layer.layer].target_ids)
            assert torch.equal(layer.logits, whole[layer.layer].logits)


def with_tensors(module: Any, change: Any) -> Any:
    tensors = {name: tensor.clone() for name, tensor in module.double().state_dict().items()}
    change(tensors)
    return from_state_dict(tensors, module.config.to_dict())


def test_a_head_whose_output_is_zero() -> None:
    def zero(tensors: dict[str, Tensor]) -> None:
        tensors["model.layers.1.self_attn.o_proj.weight"][:, 8:16] = 0  # head 1 of width 8

    layer = engine(with_tensors(tiny.llama(), zero))[1]
    assert layer.sigma[1].tolist() == [0.0] * 45
    assert layer.source_ids[1].tolist() == list(range(45))
    assert layer.target_ids[1].tolist() == [[0, 1, 2, 3, 4]] * 45
    assert layer.strength[1] == 0
    assert layer.focus[1] == 0
    assert layer.strength[0] > 0


def repeated_columns(tensors: dict[str, Tensor]) -> None:
    tensors["lm_head.weight"][40:] = tensors["lm_head.weight"][:40].repeat(7, 1)


def test_equal_columns_of_the_unembedding_go_by_token_id() -> None:
    ids = engine(with_tensors(tiny.llama(), repeated_columns))[1].target_ids
    assert ((ids - ids[..., :1]) == torch.arange(5) * 40).all()


def test_equal_columns_equal_the_dense_reference() -> None:
    """The reference computes the forty columns once: two GEMM tiles may differ in the last bit."""
    source = with_tensors(tiny.llama(), repeated_columns)
    model = open_model(source, dtype="float64")
    X = model.first_mlp()(model.W_E())
    for targets in (5, 50, 320):
        layer = engine(source, suppress=True, targets=targets)[1]
        heads = model.heads(1)
        for head in range(4):
            dense = oracle.dense_head(X, heads.W_V[head // 2], heads.W_O[head], model.W_U()[:, :40])
            repeated = oracle.Dense(dense.M.repeat(1, 8), dense.sigma)
            check_head(layer, head, repeated, list(range(320)))


def test_equal_rows_of_the_embedding_go_by_token_id() -> None:
    def repeat(tensors: dict[str, Tensor]) -> None:
        tensors["model.embed_tokens.weight"][160:] = tensors["model.embed_tokens.weight"][:160]

    ids = engine(with_tensors(tiny.llama(), repeat))[1].source_ids[:, :44]
    assert (ids[:, 1::2] == ids[:, ::2] + 160).all()


def test_a_row_of_zero_norm_comes_last() -> None:
    def zero(tensors: dict[str, Tensor]) -> None:
        tensors["model.embed_tokens.weight"][7] = 0

    maps = engine(with_tensors(tiny.llama(), zero), sources=320)
    for layer in maps:
        assert (layer.source_ids[:, -1] == 7).all()
        assert layer.sigma[:, -1].isneginf().all()
        assert layer.focus.isfinite().all()


def test_float32_agrees_with_float64_but_for_near_ties() -> None:
    module = tiny.llama()
    exact = engine(module)
    single = list(map_layers(open_model(module), MapSettings(), range(3)))
    for a, b in zip(exact, single, strict=True):
        assert (a.source_ids == b.source_ids).float().mean() > 0.99
        torch.testing.assert_close(a.sigma.float(), b.sigma, rtol=1e-4, atol=1e-5)


def test_products_that_overflow_are_an_error() -> None:
    def huge(tensors: dict[str, Tensor]) -> None:
        for name in tensors:
            if "o_proj" in name or "lm_head" in name:
                tensors[name] *= 1e25

    model = open_model(with_tensors(tiny.llama(), huge))
    with pytest.raises(Overflow, match="--dtype float64"):
        list(map_layers(model, MapSettings(), range(3)))


def test_a_logit_that_all_targets_share_costs_few_digits() -> None:
    """Strength where the mean is twenty standard deviations from 0."""

    def shift(tensors: dict[str, Tensor]) -> None:
        tensors["lm_head.weight"] += 4.0

    source = with_tensors(tiny.llama(), shift)
    exact = engine(source)
    single = list(map_layers(open_model(source), MapSettings(), range(3)))
    for a, b in zip(exact, single, strict=True):
        torch.testing.assert_close(a.strength, b.strength, rtol=2e-3, atol=1e-3)


def test_from_module_is_what_was_mapped() -> None:
    module = tiny.llama()
    direct = engine(module)
    wrapped = engine(from_module(module, "named"))
    assert torch.equal(direct[2].target_ids, wrapped[2].target_ids)
