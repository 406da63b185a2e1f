"""Tiny models of every GGUF architecture, built by transformers, and their files for llama.cpp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from tests import tiny
from tests.tokens.llama_cpp import sentencepiece
from tests.weights.gguf_files import Fold, write

TOKENIZER = sentencepiece()
VOCAB = len(TOKENIZER["tokens"])
EPSILON = 2**-4  # exact in float32, and large, so that a wrong one shows


def llama_like(
    kind: type[transformers.PreTrainedModel], config: type, **changes: Any
) -> transformers.PreTrainedModel:
    """A tiny model of a class that is built like Llama."""
    settings = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "rms_norm_eps": EPSILON,
        **{"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
    }
    return tiny.randomised(kind(config(**(settings | changes))))


def llama(**changes: Any) -> transformers.PreTrainedModel:
    return llama_like(transformers.LlamaForCausalLM, transformers.LlamaConfig, **changes)


def qwen2(**changes: Any) -> transformers.PreTrainedModel:
    return llama_like(transformers.Qwen2ForCausalLM, transformers.Qwen2Config, **changes)


def qwen3(**changes: Any) -> transformers.PreTrainedModel:
    changes = {"head_dim": 12} | changes
    return llama_like(transformers.Qwen3ForCausalLM, transformers.Qwen3Config, **changes)


def around_zero(model: transformers.PreTrainedModel) -> transformers.PreTrainedModel:
    """Gemma's gains, to which it adds one."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.sub_(1)
    return model


GEMMA = {"head_dim": 12, "query_pre_attn_scalar": 12}


def gemma2(**changes: Any) -> transformers.PreTrainedModel:
    config = transformers.Gemma2Config
    return around_zero(llama_like(transformers.Gemma2ForCausalLM, config, **GEMMA, **changes))


def gemma3(**changes: Any) -> transformers.PreTrainedModel:
    # The sixth layer is the first without a window; it has another base of rotations.
    changes = {**GEMMA, "num_hidden_layers": 6, **changes}
    config = transformers.Gemma3TextConfig
    return around_zero(llama_like(transformers.Gemma3ForCausalLM, config, **changes))


def gpt2(**changes: Any) -> transformers.PreTrainedModel:
    changes = {"vocab_size": VOCAB, "layer_norm_epsilon": EPSILON, **changes}
    return tiny.gpt2(**changes)


def phi3(**changes: Any) -> transformers.PreTrainedModel:
    changes = {"original_max_position_embeddings": 64, **changes}
    return llama_like(transformers.Phi3ForCausalLM, transformers.Phi3Config, **changes)


Recipe = tuple[str, Callable[[], transformers.PreTrainedModel]]
RECIPES: dict[str, Recipe] = {
    "llama": ("llama", llama),
    "llama-tied-biases": (
        "llama",
        lambda: llama(attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
    ),
    "llama-head-dim": ("llama", lambda: llama(head_dim=12)),
    "qwen2": ("qwen2", qwen2),
    "qwen2-tied": ("qwen2", lambda: qwen2(tie_word_embeddings=True)),
    "qwen3": ("qwen3", qwen3),
    "qwen3-tied": ("qwen3", lambda: qwen3(tie_word_embeddings=True)),
    "gemma2": ("gemma2", gemma2),  # always tied
    "gemma3": ("gemma3", gemma3),
    "gemma3-untied": ("gemma3", lambda: gemma3(tie_word_embeddings=False)),
    "gpt2": ("gpt2", gpt2),
    "gpt2-untied": ("gpt2", lambda: gpt2(tie_word_embeddings=False)),
    "gpt2-inner": ("gpt2", lambda: gpt2(n_inner=40)),
    "phi3": ("phi3", phi3),
    "phi3-mha": ("phi3", lambda: phi3(num_key_value_heads=4)),
    "phi3-tied": ("phi3", lambda: phi3(tie_word_embeddings=True)),
}


@dataclass(frozen=True)
class Written:
    """A model and its file."""

    architecture: str
    module: transformers.PreTrainedModel
    path: Path


def written(recipe: str, folder: Path, fold: Fold | None = None) -> Written:
    architecture, build = RECIPES[recipe]
    module, path = build(), folder / f"{recipe}.gguf"
    write(path, module, architecture=architecture, tokenizer=TOKENIZER, fold=fold)
    return Written(architecture, module, path)
