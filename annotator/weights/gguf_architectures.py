"""How each GGUF architecture translates into a transformers config and transformers tensor names.

A table, read by `annotator.weights.gguf`. What an entry says is what llama.cpp's converter does
(https://github.com/ggml-org/llama.cpp/tree/master/conversion) and what its loader takes the file
to mean; the tests write each architecture and compare llama.cpp's logits with transformers'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """How one GGUF architecture translates.

    Attributes:
        model_type: the families table's entry.
        config: transformers config key -> GGUF key, without the architecture's name before it.
        tensors: transformers tensor name -> GGUF name; "{layer}" stands for the block's number. A
            name without ".weight" stands for a weight and its bias.
        turned: the names among them that transformers keeps [in, out] and GGUF [out, in].
        plus_one: the names among them whose stored weight has one added, which transformers adds
            when it computes.
        flags: config key of biases -> the GGUF tensors of which any says that there are such.
        constants: config values that the architecture implies.
        inert: GGUF keys that do not change a head map; any further key is refused by name.
    """

    model_type: str
    config: Mapping[str, str]
    tensors: Mapping[str, str]
    turned: tuple[str, ...] = ()
    plus_one: tuple[str, ...] = ()
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inert: tuple[str, ...] = ()


# Positions turn queries and keys alone, and a map knows neither.
_POSITIONS = (
    *("context_length", "rope.dimension_count", "rope.freq_base", "rope.freq_base_swa"),
    *("rope.scale_linear", "rope.scaling.attn_factor", "rope.scaling.factor"),
    *("rope.scaling.finetuned", "rope.scaling.original_context_length", "rope.scaling.type"),
    *("rope.scaling.yarn_attn_factor", "rope.scaling.yarn_beta_fast"),
    *("rope.scaling.yarn_beta_slow", "rope.scaling.yarn_ext_factor"),
)
# The embedding's own rows say how many tokens there are.
_ANY = (*_POSITIONS, "vocab_size")
_KEYS, _WINDOW = "attention.key_length", "attention.sliding_window"
_PATTERN = "attention.sliding_window_pattern"

_SIZES = {
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
}
_SIZES_AND_D_HEAD = {**_SIZES, "head_dim": "attention.value_length"}

_EMBEDDING = {"model.embed_tokens.weight": "token_embd.weight"}
_ENDS = {**_EMBEDDING, "lm_head.weight": "output.weight"}
_NORM = {"model.layers.0.post_attention_layernorm.weight": "blk.0.ffn_norm.weight"}
_MLP = {
    "model.layers.0.mlp.gate_proj.weight": "blk.0.ffn_gate.weight",
    "model.layers.0.mlp.up_proj.weight": "blk.0.ffn_up.weight",
    "model.layers.0.mlp.down_proj.weight": "blk.0.ffn_down.weight",
}
_V_PROJ = {"model.layers.{layer}.self_attn.v_proj": "blk.{layer}.attn_v"}
_V_WEIGHT = {"model.layers.{layer}.self_attn.v_proj.weight": "blk.{layer}.attn_v.weight"}
_O_WEIGHT = {"model.layers.{layer}.self_attn.o_proj.weight": "blk.{layer}.attn_output.weight"}

# A norm before the MLP and one after it, both with one added.
_GEMMA_NORMS = {
    "model.layers.0.pre_feedforward_layernorm.weight": "blk.0.ffn_norm.weight",
    "model.layers.0.post_feedforward_layernorm.weight": "blk.0.post_ffw_norm.weight",
}
# llama.cpp opens no file in which an output projection of these architectures has a bias.
_NO_BIAS = {"attention_bias": False}
_GEMMA = {"hidden_activation": "gelu_pytorch_tanh", **_NO_BIAS}

_GPT2_LINEAR = {
    "transformer.h.0.mlp.c_fc": "blk.0.ffn_up",
    "transformer.h.0.mlp.c_proj": "blk.0.ffn_down",
    "transformer.h.{layer}.attn.c_attn": "blk.{layer}.attn_qkv",
    "transformer.h.{layer}.attn.c_proj": "blk.{layer}.attn_output",
}

ARCHITECTURES: dict[str, Architecture] = {
    "llama": Architecture(
        model_type="llama",
        config=_SIZES_AND_D_HEAD,
        tensors={
            **_ENDS,
            **_NORM,
            "model.layers.0.mlp.gate_proj": "blk.0.ffn_gate",
            "model.layers.0.mlp.up_proj": "blk.0.ffn_up",
            "model.layers.0.mlp.down_proj": "blk.0.ffn_down",
            **_V_PROJ,
            "model.layers.{layer}.self_attn.o_proj": "blk.{layer}.attn_output",
        },
        flags={
            "attention_bias": ("blk.0.attn_v.bias",),
            "mlp_bias": ("blk.0.ffn_gate.bias", "blk.0.ffn_up.bias", "blk.0.ffn_down.bias"),
        },
        constants={"hidden_act": "silu"},
        inert=(*_ANY, _KEYS, _WINDOW, "attention.layer_norm_epsilon"),
    ),
    "qwen2": Architecture(
        model_type="qwen2",
        config=_SIZES_AND_D_HEAD,
        tensors={**_ENDS, **_NORM, **_MLP, **_V_PROJ, **_O_WEIGHT},
        constants={"hidden_act": "silu"},
        # "pooling_type" is none of them: it marks rerankers, which come without their unembedding.
        inert=(*_ANY, _KEYS, _WINDOW),
    ),
    "qwen3": Architecture(
        model_type="qwen3",
        config=_SIZES_AND_D_HEAD,
        tensors={**_ENDS, **_NORM, **_MLP, **_V_WEIGHT, **_O_WEIGHT},
        constants={"hidden_act": "silu", **_NO_BIAS},
        inert=(*_ANY, _KEYS, _WINDOW),
    ),
    "gemma2": Architecture(
        model_type="gemma2",
        config=_SIZES_AND_D_HEAD,
        # Always tied: llama.cpp knows no output matrix of this architecture.
        tensors={**_EMBEDDING, **_GEMMA_NORMS, **_MLP, **_V_WEIGHT, **_O_WEIGHT},
        plus_one=tuple(_GEMMA_NORMS),
        constants=_GEMMA,
        inert=(
            *(*_ANY, _KEYS, _WINDOW, _PATTERN),
            *("attn_logit_softcapping", "final_logit_softcapping"),
        ),
    ),
    "gemma3": Architecture(
        model_type="gemma3_text",
        config=_SIZES_AND_D_HEAD,
        tensors={**_ENDS, **_GEMMA_NORMS, **_MLP, **_V_WEIGHT, **_O_WEIGHT},
        plus_one=tuple(_GEMMA_NORMS),
        constants=_GEMMA,
        inert=(*_ANY, _KEYS, _WINDOW, _PATTERN, "final_logit_softcapping"),
    ),
    "gpt2": Architecture(
        model_type="gpt2",
        config={
            "n_embd": "embedding_length",
            "n_inner": "feed_forward_length",
            "n_layer": "block_count",
            "n_head": "attention.head_count",
            "layer_norm_epsilon": "attention.layer_norm_epsilon",
        },
        tensors={
            "transformer.wte.weight": "token_embd.weight",
            "lm_head.weight": "output.weight",
            "transformer.h.0.ln_2": "blk.0.ffn_norm",
            **_GPT2_LINEAR,
        },
        turned=tuple(_GPT2_LINEAR),
        constants={"activation_function": "gelu_new", "add_cross_attention": False},
        inert=("context_length", "vocab_size"),
    ),
    "phi3": Architecture(
        model_type="phi3",
        config=_SIZES,  # a head is d_model / n_heads wide; llama.cpp knows no other width here
        tensors={
            **_ENDS,
            **_NORM,
            "model.layers.0.mlp.gate_up_proj.weight": "blk.0.ffn_up.weight",
            "model.layers.0.mlp.down_proj.weight": "blk.0.ffn_down.weight",
            "model.layers.{layer}.self_attn.qkv_proj.weight": "blk.{layer}.attn_qkv.weight",
            **_O_WEIGHT,
        },
        constants={"hidden_act": "silu"},
        inert=(*_ANY, _WINDOW),
    ),
}
