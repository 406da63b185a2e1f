"""What is read is what was saved, in every dtype; the digest tells weights and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from annotator.weights.check_tensors import verify
from annotator.weights.find_family import make_plan
from annotator.weights.in_memory import from_module, from_state_dict
from annotator.weights.model import open_model
from annotator.weights.open_source import open_source
from annotator.weights.source import Source
from tests import tiny

DTYPES = [torch.float16, torch.bfloat16, torch.float32]


def digest(source: Source) -> str:
    return verify(make_plan(source))


def in_memory(tensors: dict[str, Tensor]) -> Source:
    return from_state_dict(tensors, tiny.llama().config.to_dict())


def needed(name: str) -> bool:
    """Whether a llama's head maps are made of this tensor; from the definition."""
    first = ("layers.0.mlp.", "layers.0.post_attention_layernorm", "embed_tokens", "lm_head")
    return any(part in name for part in ("v_proj", "o_proj", *first))


@pytest.mark.parametrize("shard_size", ["1GB", "20KB"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_matrices_are_those_that_were_saved(
    tmp_path: Path, dtype: torch.dtype, shard_size: str
) -> None:
    saved = tiny.llama().to(dtype)
    model = open_model(tiny.save(tmp_path / "m", saved, max_shard_size=shard_size))
    decoder, config = saved.model, saved.config
    shape = (config.num_key_value_heads, config.head_dim, config.hidden_size)
    assert torch.equal(model.W_E(), decoder.embed_tokens.weight.float())
    assert torch.equal(model.W_U(), saved.lm_head.weight.float().T)
    for layer, block in enumerate(decoder.layers):
        heads = model.heads(layer)
        v, o = block.self_attn.v_proj.weight.float(), block.self_attn.o_proj.weight.float()
        assert heads.W_V.dtype == torch.float32
        assert torch.equal(heads.W_V, v.view(shape).transpose(1, 2))
        assert torch.equal(torch.cat(list(heads.W_O)), o.T)
    mlp, block = model.first_mlp(), decoder.layers[0]
    x = torch.randn(5, config.hidden_size)
    with torch.no_grad():
        expected = block.float().mlp(block.post_attention_layernorm(x))
    assert torch.allclose(mlp(x), expected, atol=1e-5)


@pytest.mark.parametrize("make", ["llama-gqa", "llama-tied", "gpt2-tied", "neox-parallel"])
def test_one_digest_whatever_holds_the_weights(tmp_path: Path, make: str) -> None:
    model = tiny.MODELS[make]()
    whole = tiny.save(tmp_path / "whole", model)
    shards = tiny.save(tmp_path / "shards", model, max_shard_size="20KB")
    assert len(list(whole.glob("*.safetensors"))) == 1
    assert len(list(shards.glob("*.safetensors"))) > 3
    state = from_state_dict(model.state_dict(), model.config.to_dict())
    sources = [open_source(whole), open_source(shards), from_module(model), state]
    assert len({digest(source) for source in sources}) == 1


def test_the_digest_knows_the_dtype() -> None:
    digests = {digest(from_module(tiny.llama().to(dtype))) for dtype in DTYPES}
    assert len(digests) == len(DTYPES)


def with_one_bit_flipped(tensor: Tensor) -> Tensor:
    changed = tensor.clone()
    changed.view(-1).view(torch.int32)[-1] ^= 1
    assert (changed != tensor).sum() == 1
    return changed


def test_one_bit_of_any_needed_tensor_changes_the_digest() -> None:
    tensors = tiny.llama().state_dict()
    names = [name for name in tensors if needed(name)]
    digests = {
        digest(in_memory({**tensors, name: with_one_bit_flipped(tensors[name])})) for name in names
    }
    assert len(digests | {digest(in_memory(tensors))}) == len(names) + 1


def test_a_tensor_that_is_not_needed_never_changes_the_digest() -> None:
    tensors = tiny.llama().state_dict()
    names = [name for name in tensors if not needed(name)]
    assert len(names) > 12
    digests = {
        digest(in_memory({**tensors, name: with_one_bit_flipped(tensors[name])})) for name in names
    }
    assert digests == {digest(in_memory(tensors))}


def test_what_the_config_says_of_the_first_mlp_changes_the_digest() -> None:
    tensors, config = tiny.llama().state_dict(), tiny.llama().config.to_dict()
    plain = digest(from_state_dict(tensors, config))
    for change in ({"hidden_act": "gelu"}, {"rms_norm_eps": 0.5}):
        assert digest(from_state_dict(tensors, config | change)) != plain
    without = {key: value for key, value in config.items() if key != "hidden_act"}
    assert digest(from_state_dict(tensors, without)) == plain, "llama's is silu where none is named"
    other = {"max_position_embeddings": 4096, "_name_or_path": "elsewhere"}
    assert digest(from_state_dict(tensors, config | other)) == plain


def test_the_digest_knows_which_tensor_is_which() -> None:
    tensors = tiny.llama().state_dict()
    first, second = (f"model.layers.{layer}.self_attn.v_proj.weight" for layer in (1, 2))
    swapped = {**tensors, first: tensors[second], second: tensors[first]}
    assert digest(in_memory(swapped)) != digest(in_memory(tensors))
