"""One line for each layout in the families table: tiny random models, as transformers builds them.

A new family is one line in `RECIPES`, and one in `tests.oracle.PARTS`. Settings that a config does
not know are left out, so that lines state only what makes a recipe its own. Epsilons are large, so
that a wrong one shows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import transformers
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from annotator.weights.families import FAMILIES
from tests import tiny

VOCAB = 96

SIZES: dict[str, Any] = {
    **{"vocab_size": VOCAB, "max_position_embeddings": 64, "n_positions": 64},
    **dict.fromkeys(("hidden_size", "n_embd", "d_model"), 32),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "ffn_hidden_size"), 48),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **{"head_dim": 8, "rotary_dim": 4, "attention_types": [[["global", "local"], 1]]},
    **{"moe_intermediate_size": 24, "shared_expert_intermediate_size": 20},
    **{"intermediate_size_mlp": 40, "word_embed_proj_dim": 32},
    **dict.fromkeys(("num_experts", "num_local_experts"), 4),
    **{"num_experts_per_tok": 2},
    **dict.fromkeys(("rms_norm_eps", "layer_norm_eps", "norm_eps", "norm_epsilon"), 1e-2),
    **{"layer_norm_epsilon": 1e-2},
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0),
}
VISION: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "embed_dim", "intermediate_size"), 16),
    **dict.fromkeys(("num_hidden_layers", "depth"), 2),
    **dict.fromkeys(("num_attention_heads", "num_heads"), 2),
    **{"image_size": 16, "patch_size": 8, "head_dim": 8, "num_position_embeddings": 4},
    **{"out_hidden_size": 32, "vision_output_dim": 16, "projector_input_dim": 16},
    **{"projector_output_dim": 16, "deepstack_visual_indexes": [0], "fullatt_block_indexes": [1]},
}

Factory = Callable[[], transformers.PreTrainedModel]


def config_of(model_type: str, sizes: dict[str, Any], changes: dict[str, Any]) -> Any:
    """A config with those of the sizes that it knows, and all of the changes."""
    kind = transformers.CONFIG_MAPPING[model_type]
    known = inspect.signature(kind).parameters
    return kind(**({key: value for key, value in sizes.items() if key in known} | changes))


def of(model_type: str, *, gain: float = 1.0, **changes: Any) -> Factory:
    """A causal language model; gain multiplies its random matrices."""
    return lambda: tiny.randomised(
        AutoModelForCausalLM.from_config(config_of(model_type, SIZES, changes)), gain=gain
    )


def seeing(
    model_type: str, text: str, vision: str, tied: bool | None = None, **changes: Any
) -> Factory:
    """A multimodal model around a text tower; the tie is left to its config where it is None."""

    def build() -> transformers.PreTrainedModel:
        whole = {} if tied is None else {"tie_word_embeddings": tied}
        config = transformers.CONFIG_MAPPING[model_type](
            text_config=config_of(text, SIZES, changes | whole).to_dict(),
            vision_config=config_of(vision, VISION, {}).to_dict(),
            **whole,
        )
        return tiny.randomised(AutoModelForImageTextToText.from_config(config))

    return build


ONE_HEAD, EACH_HEAD = {"num_key_value_heads": 1}, {"num_key_value_heads": 4}
WINDOW_FIRST = ["sliding_attention", "full_attention"]
TIED, UNTIED = {"tie_word_embeddings": True}, {"tie_word_embeddings": False}

OWN_LAYOUTS = ("llama", "gpt_bigcode", "stablelm")
GROUPED = [
    kind
    for kind in FAMILIES
    if "num_key_value_heads" in inspect.signature(transformers.CONFIG_MAPPING[kind]).parameters
    and kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    and kind not in OWN_LAYOUTS
]
"""Those with a setting for key/value heads: each is proved with one, some and all of them."""

SQUARE = ("helium", "olmoe")
"""Of these, those that transformers builds only where heads are d_model / n_heads wide."""

RECIPES: dict[str, Factory] = {
    **tiny.MODELS,
    **{f"{kind}-gqa": of(kind, **UNTIED) for kind in GROUPED},
    **{f"{kind}-mha-tied": of(kind, **EACH_HEAD, **TIED) for kind in GROUPED},
    **{f"{kind}-mqa": of(kind, **ONE_HEAD) for kind in GROUPED},
    **{f"{kind}-d-head": of(kind, head_dim=12) for kind in GROUPED if kind not in SQUARE},
    # separate q, k, v and o
    "qwen3-biases": of("qwen3", attention_bias=True),
    "gemma-biases": of("gemma", attention_bias=True),
    "gemma-two-activations": of("gemma", hidden_act="silu", hidden_activation="relu"),
    "gemma2-two-activations": of("gemma2", hidden_act="relu", hidden_activation="gelu"),
    "gemma3_text-two-activations": of("gemma3_text", hidden_act="relu", hidden_activation="gelu"),
    "gemma2-biases": of("gemma2", attention_bias=True, hidden_activation="gelu"),
    "gemma2-uncapped": of("gemma2", final_logit_softcapping=None, attn_logit_softcapping=None),
    "gemma3_text-biases": of("gemma3_text", attention_bias=True),
    "gemma3_text-capped": of("gemma3_text", final_logit_softcapping=5.0),
    "olmo-biases": of("olmo", attention_bias=True),
    "olmo2-biases": of("olmo2", attention_bias=True),
    "olmo3-biases": of("olmo3", attention_bias=True),
    "cohere-biases": of("cohere", attention_bias=True, use_qk_norm=True, logit_scale=0.3),
    "cohere-scale-1": of("cohere", logit_scale=1.0),
    "cohere2-biases": of("cohere2", attention_bias=True, logit_scale=2.0),
    "granite-multipliers": of(
        *("granite",),
        **{"embedding_multiplier": 12.0, "logits_scaling": 8.0},
        **{"residual_multiplier": 0.22, "attention_multiplier": 0.0625},
    ),
    "granite-biases": of("granite", attention_bias=True, mlp_bias=True, residual_multiplier=0.5),
    "glm-no-bias": of("glm", attention_bias=False),
    "glm4-no-bias": of("glm4", attention_bias=False),
    "phi-qk-norm": of("phi", qk_layernorm=True),
    "stablelm-sequential": of("stablelm", use_parallel_residual=False),
    "stablelm-sequential-mha": of("stablelm", use_parallel_residual=False, **EACH_HEAD, **TIED),
    "stablelm-sequential-biases": of("stablelm", use_qkv_bias=True, qk_layernorm=True),
    "stablelm-sequential-mqa": of("stablelm", use_parallel_residual=False, **ONE_HEAD),
    "stablelm-parallel": of("stablelm", use_parallel_residual=True, **ONE_HEAD),
    "stablelm-parallel-mha": of("stablelm", use_parallel_residual=True, **EACH_HEAD),
    "stablelm-parallel-biases": of(
        "stablelm", use_parallel_residual=True, use_qkv_bias=True, qk_layernorm=True
    ),
    "starcoder2-no-bias": of("starcoder2", use_bias=False),
    "arcee-biases": of("arcee", attention_bias=True, mlp_bias=True),
    "nemotron-biases": of("nemotron", attention_bias=True, mlp_bias=True),
    "smollm3-biases": of("smollm3", attention_bias=True, mlp_bias=True),
    "helium-biases": of("helium", attention_bias=True, mlp_bias=True),
    "ernie4_5-biases": of("ernie4_5", use_bias=True),
    "seed_oss-biases": of("seed_oss", attention_out_bias=True, mlp_bias=True),
    "seed_oss-no-bias": of("seed_oss", attention_bias=False),
    "hunyuan-biases": of("hunyuan_v1_dense", attention_bias=True),
    # fused, or each head its own
    "gpt_bigcode-mqa": of("gpt_bigcode", multi_query=True),
    "gpt_bigcode-mqa-untied": of("gpt_bigcode", multi_query=True, n_inner=40, **UNTIED),
    "gpt_bigcode-mha": of("gpt_bigcode", multi_query=False),
    "gpt_neo": of("gpt_neo"),
    "gpt_neo-local": of("gpt_neo", attention_types=[[["local"], 2]], window_size=3, **UNTIED),
    "gpt_neo-inner": of("gpt_neo", intermediate_size=None, activation_function="relu"),
    "gptj": of("gptj"),
    "gptj-tied": of("gptj", n_inner=40, **TIED),
    "codegen": of("codegen"),
    "codegen-8-heads": of("codegen", n_head=8, rotary_dim=2, n_inner=40, **TIED),
    "persimmon": of("persimmon", qk_layernorm=True),
    "persimmon-tied": of("persimmon", qk_layernorm=False, **TIED),
    "opt": of("opt"),
    "opt-no-bias": of("opt", enable_bias=False, **UNTIED),
    "opt-no-gains": of("opt", layer_norm_elementwise_affine=False),
    "opt-projected": of("opt", word_embed_proj_dim=24),
    "opt-after": of("opt", do_layer_norm_before=False),
    "opt-after-projected": of("opt", do_layer_norm_before=False, word_embed_proj_dim=24),
    "opt-after-projected-untied": of(
        "opt", do_layer_norm_before=False, word_embed_proj_dim=24, enable_bias=False, **UNTIED
    ),
    "bloom": of("bloom"),
    "bloom-untied": of("bloom", n_head=8, **UNTIED),
    "mpt": of("mpt"),
    "mpt-untied": of("mpt", n_heads=8, **UNTIED),
    "falcon-new": of("falcon", new_decoder_architecture=True),
    "falcon-new-mha": of("falcon", new_decoder_architecture=True, num_kv_heads=4, bias=True),
    "falcon-new-mqa": of("falcon", new_decoder_architecture=True, num_kv_heads=1, **UNTIED),
    "falcon-one-norm": of("falcon", new_decoder_architecture=True, num_ln_in_parallel_attn=1),
    "falcon-one-norm-biases": of(
        "falcon", new_decoder_architecture=True, num_ln_in_parallel_attn=1, bias=True
    ),
    "falcon-mqa": of("falcon", multi_query=True),
    "falcon-mqa-biases": of("falcon", multi_query=True, bias=True, **UNTIED),
    "falcon-mqa-sequential": of("falcon", multi_query=True, parallel_attn=False),
    "falcon-mqa-sequential-biases": of("falcon", multi_query=True, parallel_attn=False, bias=True),
    "falcon-mha": of("falcon", multi_query=False, num_kv_heads=4),
    "falcon-mha-biases": of("falcon", multi_query=False, num_kv_heads=None, bias=True),
    "falcon-mha-sequential": of("falcon", multi_query=False, num_kv_heads=4, parallel_attn=False),
    "falcon-alibi": of(
        "falcon", multi_query=False, num_kv_heads=4, parallel_attn=False, alibi=True, bias=True
    ),
    # who attends where, and how much: no part of a map
    "opt-no-final-norm": of("opt", _remove_final_layer_norm=True),
    "gpt2-attention-scales": of("gpt2", scale_attn_by_inverse_layer_idx=True),
    "mpt-no-alibi": of("mpt", attn_config={"alibi": False, "qk_ln": True, "softmax_scale": 0.3}),
    "smollm3-no-rope": of("smollm3", no_rope_layers=[0, 1]),
    "llama4_text-temperature": of("llama4_text", floor_scale=2, attention_chunk_size=3),
    "gemma3_text-window": of("gemma3_text", sliding_window=3, layer_types=WINDOW_FIRST),
    "gemma3_text-both-ways": of("gemma3_text", use_bidirectional_attention=True),
    "cohere2-window": of("cohere2", sliding_window=3, layer_types=WINDOW_FIRST),
    "exaone4-window": of("exaone4", sliding_window=3, layer_types=WINDOW_FIRST),
    "qwen2-window": of("qwen2", use_sliding_window=True, sliding_window=3, max_window_layers=1),
    "mistral-window": of("mistral", sliding_window=3),
    # mixtures of experts
    "mixtral-one-expert": of("mixtral", num_experts_per_tok=1),
    "olmoe-renormalised": of("olmoe", norm_topk_prob=True, attention_bias=True),
    "qwen2_moe-renormalised": of("qwen2_moe", norm_topk_prob=True, qkv_bias=False),
    "qwen2_moe-dense": of("qwen2_moe", mlp_only_layers=[0]),
    "qwen2_moe-every-second": of("qwen2_moe", decoder_sparse_step=2, qkv_bias=False),
    "qwen3_moe-renormalised": of("qwen3_moe", norm_topk_prob=True, attention_bias=True),
    "qwen3_moe-dense": of("qwen3_moe", mlp_only_layers=[0]),
    "qwen3_moe-every-second": of("qwen3_moe", decoder_sparse_step=2, attention_bias=True),
    "gpt_oss-clamped": of("gpt_oss", gain=8.0),
    "gpt_oss-no-bias": of("gpt_oss", attention_bias=False),
    "llama4_text-one-expert": of(
        "llama4_text", num_experts_per_tok=1, use_qk_norm=False, attention_bias=True
    ),
    "llama4_text-dense": of("llama4_text", moe_layers=[1]),
    "llama4_text-every-second": of("llama4_text", interleave_moe_layer_step=2, attention_bias=True),
}

CLIP, SIGLIP = "clip_vision_model", "siglip_vision_model"
THREE_WAYS = {"rope_parameters": {"rope_theta": 1e4, "mrope_section": [2, 1, 1]}}
WRAPPED: dict[str, Factory] = {
    "aya_vision": seeing("aya_vision", "cohere2", SIGLIP, logit_scale=1.0),
    "aya_vision-scaled": seeing("aya_vision", "cohere2", SIGLIP, logit_scale=0.25),
    "gemma3": seeing("gemma3", "gemma3_text", SIGLIP),
    "gemma3-untied": seeing("gemma3", "gemma3_text", SIGLIP, tied=False, **ONE_HEAD),
    "idefics3": seeing("idefics3", "llama", "idefics3_vision"),
    "internvl": seeing("internvl", "qwen2", "internvl_vision"),
    "internvl-untied": seeing("internvl", "qwen3", "internvl_vision", tied=False),
    "llama4": seeing("llama4", "llama4_text", "llama4_vision_model"),
    "llama4-dense": seeing("llama4", "llama4_text", "llama4_vision_model", moe_layers=[1]),
    "llava": seeing("llava", "llama", CLIP),
    "llava-tied": seeing("llava", "mistral", CLIP, tied=True),
    "llava_next": seeing("llava_next", "mistral", CLIP),
    "llava_next-granite-scaled": seeing(
        *("llava_next", "granite", CLIP),
        **{"embedding_multiplier": 12.0, "logits_scaling": 8.0, "residual_multiplier": 0.22},
    ),
    "llava_onevision": seeing("llava_onevision", "qwen2", SIGLIP),
    "mistral3": seeing("mistral3", "mistral", "pixtral"),
    "mistral3-untied": seeing("mistral3", "mistral", "pixtral", tied=False, head_dim=12),
    "paligemma": seeing("paligemma", "gemma", SIGLIP),
    "paligemma-gemma2": seeing("paligemma", "gemma2", SIGLIP),
    "qwen2_5_vl": seeing("qwen2_5_vl", "qwen2_5_vl_text", "qwen2_5_vl_vision", **THREE_WAYS),
    "qwen2_5_vl-mha-tied": seeing(
        *("qwen2_5_vl", "qwen2_5_vl_text", "qwen2_5_vl_vision", True), **EACH_HEAD, **THREE_WAYS
    ),
    "qwen2_5_vl-mqa": seeing(
        *("qwen2_5_vl", "qwen2_5_vl_text", "qwen2_5_vl_vision"), **ONE_HEAD, **THREE_WAYS
    ),
    "qwen2_vl": seeing("qwen2_vl", "qwen2_vl_text", "qwen2_vl_vision", **THREE_WAYS),
    "qwen2_vl-mha-tied": seeing(
        *("qwen2_vl", "qwen2_vl_text", "qwen2_vl_vision", True), **EACH_HEAD, **THREE_WAYS
    ),
    "qwen2_vl-mqa": seeing(
        *("qwen2_vl", "qwen2_vl_text", "qwen2_vl_vision"), **ONE_HEAD, **THREE_WAYS
    ),
    "qwen3_vl": seeing("qwen3_vl", "qwen3_vl_text", "qwen3_vl_vision"),
    "qwen3_vl-mha-tied": seeing("qwen3_vl", "qwen3_vl_text", "qwen3_vl_vision", True, **EACH_HEAD),
    "qwen3_vl-mqa": seeing("qwen3_vl", "qwen3_vl_text", "qwen3_vl_vision", **ONE_HEAD),
    "qwen3_vl-biases": seeing(
        "qwen3_vl", "qwen3_vl_text", "qwen3_vl_vision", attention_bias=True, head_dim=12
    ),
    "smolvlm": seeing("smolvlm", "llama", "smolvlm_vision"),
}
ALL = RECIPES | WRAPPED

FORGOTTEN = {"aya_vision-scaled": 0.25, "llava_next-granite-scaled": 1 / 8}
"""Where transformers' multimodal model leaves out what its text model multiplies logits by."""


@cache
def built(name: str) -> Any:
    """A recipe's model in float64, with eager attention and experts; shared, so not to be changed.

    Its forward pass shows attention patterns, and grouped products of experts know no float64.
    """
    model: Any = ALL[name]().double()
    model.set_attn_implementation("eager")
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    return model
