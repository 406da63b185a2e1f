"""Tiny random models that transformers itself builds and saves, one recipe per head layout.

Every parameter is drawn afresh (biases and norm gains too, which initialisers leave at 0 and 1),
so that a matrix or a bias put in the wrong place shows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from annotator.tokens.vocabulary import byte_level_alphabet

VOCAB = 320


def llama(**changes: Any) -> transformers.PreTrainedModel:
    settings = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
    }
    config = transformers.LlamaConfig(**(settings | changes))
    return randomised(transformers.LlamaForCausalLM(config))


def gpt2(**changes: Any) -> transformers.PreTrainedModel:
    settings = {
        "vocab_size": VOCAB,
        "n_embd": 32,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": 64,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    config = transformers.GPT2Config(**(settings | changes))
    return randomised(transformers.GPT2LMHeadModel(config))


def gpt_neox(**changes: Any) -> transformers.PreTrainedModel:
    settings = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
    }
    config = transformers.GPTNeoXConfig(**(settings | changes))
    return randomised(transformers.GPTNeoXForCausalLM(config))


def randomised(
    model: transformers.PreTrainedModel, seed: int = 0, gain: float = 1.0
) -> transformers.PreTrainedModel:
    """The model with every parameter drawn from a seeded normal; tying is kept.

    Norm gains are drawn around 1, or around 0 where the model adds the 1 itself; `gain`
    multiplies everything that is no vector.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            owner = type(model.get_submodule(name.rpartition(".")[0])).__name__
            scale = 0.5 if parameter.dim() == 1 else gain * parameter.shape[-1] ** -0.5
            adds_one = owner.startswith(("Gemma", "Nemotron"))
            centre = 1.0 if ("norm" in name or ".ln_" in name) and not adds_one else 0.0
            parameter.copy_(centre + scale * torch.randn(parameter.shape, generator=generator))
    return model.eval()


MODELS: dict[str, Callable[[], transformers.PreTrainedModel]] = {
    "llama-mha": lambda: llama(num_key_value_heads=4),
    "llama-gqa": llama,
    "llama-mqa": lambda: llama(num_key_value_heads=1),
    "llama-biases": lambda: llama(attention_bias=True, mlp_bias=True),
    "llama-tied": lambda: llama(tie_word_embeddings=True),
    "llama-head-dim": lambda: llama(head_dim=12),
    "gpt2-tied": gpt2,
    "gpt2-untied": lambda: gpt2(tie_word_embeddings=False),
    "gpt2-inner": lambda: gpt2(n_inner=40, activation_function="relu"),
    "neox-parallel": gpt_neox,
    "neox-sequential": lambda: gpt_neox(use_parallel_residual=False),
    "neox-tied": lambda: gpt_neox(tie_word_embeddings=True),
    "neox-no-bias": lambda: gpt_neox(attention_bias=False),
}


def tokenizer(vocab: int = VOCAB - 8) -> Tokenizer:
    """A byte-level BPE tokenizer: 256 bytes, words up to `vocab` ids, two special tokens.

    The models have VOCAB rows, so the last eight are padding.
    """
    alphabet = byte_level_alphabet()
    ids = dict(alphabet)
    merges: list[tuple[str, str]] = []
    for word in ("Ġthe", "Ġof", "Ġand", "Ġto", "Ġin", "Ġis", "ing", "Ġa", "Ġb", "Ġc", "tion"):
        for cut in range(1, len(word)):
            joined = word[: cut + 1]
            if joined not in ids and len(ids) < vocab - 2:
                ids[joined] = len(ids)
                merges.append((word[:cut], word[cut]))
    made = Tokenizer(models.BPE(vocab=ids, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_tokens([AddedToken("<|end|>", special=True), AddedToken("<unused0>", special=False)])
    return made


def save(folder: Path, model: transformers.PreTrainedModel, *, max_shard_size: str = "1GB") -> Path:
    """Save a model as transformers does, with a tokenizer beside it."""
    model.save_pretrained(folder, max_shard_size=max_shard_size)
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder
