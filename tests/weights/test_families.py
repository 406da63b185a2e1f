"""Every table entry is proved by the model's own attention module, and its neighbours refuted."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from annotator.weights.entry import make_plan
from annotator.weights.families import FAMILIES
from annotator.weights.family import VALUE_BLOCKS
from annotator.weights.memory import from_module
from annotator.weights.model import Model, open_model
from tests import oracle, tiny

HOLDS = 1e-10
FAILS = 1e-3


def heads_of(model: Model) -> Any:
    def layer_heads(layer: int) -> Any:
        heads = model.heads(layer)
        return heads.W_V, heads.b_V, heads.W_O

    return layer_heads


def double(recipe: str) -> Any:
    return tiny.MODELS[recipe]().double()


@pytest.fixture(params=tiny.MODELS)
def recipe(request: pytest.FixtureRequest) -> str:
    return request.param


def saved(recipe: str, folder: Path, shard: str) -> Model:
    model = double(recipe)
    tiny.save(folder, model, max_shard_size=shard)
    return open_model(folder, dtype="float64")


@pytest.mark.parametrize("shard", ["1GB", "20KB"], ids=["one-file", "sharded"])
def test_attention_oracle_holds(recipe: str, shard: str, tmp_path: Path) -> None:
    model = saved(recipe, tmp_path, shard)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (shard == "20KB")
    for residual in oracle.attention_residuals(double(recipe), heads_of(model)):
        assert oracle.spread(residual) < HOLDS


def test_what_the_oracle_leaves_is_the_output_bias(recipe: str, tmp_path: Path) -> None:
    module = double(recipe)
    parts = oracle.PARTS[module.config.model_type]
    residuals = oracle.attention_residuals(module, heads_of(saved(recipe, tmp_path, "1GB")))
    for block, residual in zip(parts.blocks(module), residuals, strict=True):
        attention = getattr(block, parts.attention)
        output = next(
            getattr(attention, name)
            for name in ("o_proj", "c_proj", "dense")
            if hasattr(attention, name)
        )
        bias = torch.zeros(residual.shape[1]) if output.bias is None else output.bias
        torch.testing.assert_close(residual[0], bias.double(), atol=HOLDS, rtol=0)


def test_neighbour_rules_fail(recipe: str) -> None:
    module = double(recipe)
    plan = make_plan(from_module(module))
    neighbours = [rule for rule in VALUE_BLOCKS if rule != plan.family.values.rule]
    assert neighbours
    for rule in neighbours:
        values = dataclasses.replace(plan.family.values, rule=rule)
        wrong = dataclasses.replace(plan, family=dataclasses.replace(plan.family, values=values))
        assert refuted(module, Model(wrong, torch.float64, torch.device("cpu")))


def refuted(module: Any, model: Model) -> bool:
    """Whether the oracle disagrees in every layer, or the stack has another number of blocks."""
    try:
        residuals = oracle.attention_residuals(module, heads_of(model))
    except RuntimeError as error:
        return "unflatten" in str(error)
    return all(oracle.spread(residual) > FAILS for residual in residuals)


@pytest.mark.parametrize("recipe", ["llama-gqa", "llama-mqa", "gpt2-tied", "neox-parallel"])
@pytest.mark.parametrize("wrong", ["heads-rolled", "values-rolled", "bias-dropped"])
def test_wrong_cuts_fail(recipe: str, wrong: str) -> None:
    module = double(recipe)
    model = open_model(module, dtype="float64")

    def cut(layer: int) -> Any:
        heads = model.heads(layer)
        W_V, b_V, W_O = heads.W_V, heads.b_V, heads.W_O
        if wrong == "heads-rolled":
            W_O = W_O.roll(1, 0)
        elif wrong == "values-rolled":
            W_V = W_V.roll(1, 2)
        else:
            b_V = None
        return W_V, b_V, W_O

    residuals = oracle.attention_residuals(module, cut)
    if wrong == "bias-dropped":  # rows of A sum to 1: a lost b_V shows as another constant
        kept = oracle.attention_residuals(module, heads_of(model))
        has_bias = model.heads(0).b_V is not None
        assert has_bias == (not torch.allclose(kept[0][0], residuals[0][0]))
    else:
        assert all(oracle.spread(residual) > FAILS for residual in residuals)


def test_first_mlp_and_norm(recipe: str, tmp_path: Path) -> None:
    model = saved(recipe, tmp_path, "1GB")
    expected = oracle.first_mlp_output(double(recipe))
    # transformers computes an RMS norm in float32 whatever the model's dtype.
    tolerance = 1e-5 if model.plan.family.norm.kind == "rms" else 1e-11
    X = model.first_mlp()(model.W_E())
    torch.testing.assert_close(X, expected, atol=tolerance, rtol=tolerance)


def test_embeddings(recipe: str, tmp_path: Path) -> None:
    model = saved(recipe, tmp_path, "1GB")
    module = double(recipe)
    W_E, W_U = model.embeddings()
    assert torch.equal(W_E, module.get_input_embeddings().weight)
    assert torch.equal(W_U, module.get_output_embeddings().weight.T)
    assert (W_U.data_ptr() == W_E.data_ptr()) == module.config.tie_word_embeddings


def test_a_module_in_memory_gives_the_same_heads(recipe: str, tmp_path: Path) -> None:
    on_disk, in_memory = saved(recipe, tmp_path, "1GB"), open_model(double(recipe), dtype="float64")
    for layer in range(on_disk.dims.n_layers):
        assert torch.equal(on_disk.heads(layer).W_V, in_memory.heads(layer).W_V)
        assert torch.equal(on_disk.heads(layer).W_O, in_memory.heads(layer).W_O)


@pytest.mark.parametrize("recipe", ["llama-gqa", "gpt2-untied", "neox-parallel"])
def test_a_bare_decoder_checkpoint_opens(recipe: str, tmp_path: Path) -> None:
    """As on the hub for gpt2: names without the causal model's prefix."""
    from safetensors.torch import load_file, save_file

    model = saved(recipe, tmp_path / "whole", "1GB")
    prefix = model.plan.place.decoder
    shutil.copytree(tmp_path / "whole", tmp_path / "bare")
    tensors = load_file(tmp_path / "whole" / "model.safetensors")
    save_file(
        {name.removeprefix(prefix): tensor for name, tensor in tensors.items()},
        tmp_path / "bare" / "model.safetensors",
    )
    bare = open_model(tmp_path / "bare", dtype="float64")
    assert bare.plan.place.decoder == ""
    assert torch.equal(bare.heads(1).W_V, model.heads(1).W_V)
    assert torch.equal(bare.W_U(), model.W_U())


def test_every_entry_is_in_the_proof() -> None:
    assert {tiny.MODELS[name]().config.model_type for name in tiny.MODELS} == set(FAMILIES)


def test_only_keeps_the_head_and_its_value_head() -> None:
    heads = open_model(tiny.llama(), dtype="float64").heads(1)
    one = heads.only(3)
    assert torch.equal(one.W_V[0], heads.W_V[1])
    assert torch.equal(one.W_O[0], heads.W_O[3])
