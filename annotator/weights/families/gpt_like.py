"""Families built like GPT-2: mostly fused query, key and value; layer norm; a plain MLP."""

from __future__ import annotations

from dataclasses import replace

from annotator.weights.config_expressions import Const, Setting, says
from annotator.weights.families.llama_like import layer_norm
from annotator.weights.family import Axes, End, Family, Linear, Norm, PlainMlp, Values

EPS = "layer_norm_epsilon"
GPT_AXES = Axes(
    d_model="n_embd",
    n_layers="n_layer",
    n_heads="n_head",
    d_mlp="n_inner",
    d_mlp_per_d_model=4,
)


def ln(name: str, eps: Setting = EPS) -> Norm:
    """A layer norm of the first block."""
    return layer_norm(f"h.0.{name}", eps)


def mlp(up: str, down: str, bias: bool | str = True, at: str = "h.0.mlp") -> PlainMlp:
    """Two matrices."""
    return PlainMlp(Linear(f"{at}.{up}", bias), Linear(f"{at}.{down}", bias))


GPT2 = Family(
    model_type="gpt2",
    axes=GPT_AXES,
    prefix="transformer.",
    W_E=End(("wte.weight",)),
    values=Values(Linear("h.{layer}.attn.c_attn", bias=True, stored="in_out"), "contiguous"),
    output=Linear("h.{layer}.attn.c_proj", bias=True, stored="in_out"),
    norm=ln("ln_2"),
    mlp=PlainMlp(
        up=Linear("h.0.mlp.c_fc", bias=True, stored="in_out"),
        down=Linear("h.0.mlp.c_proj", bias=True, stored="in_out"),
    ),
    activation="activation_function",
    positions="wpe",
    inert=("n_ctx", "scale_attn_weights", "scale_attn_by_inverse_layer_idx"),
)

GPT_BIGCODE_MQA = replace(
    GPT2,
    model_type="gpt_bigcode",
    axes=replace(GPT_AXES, n_kv_heads=Const(1)),
    values=Values(Linear("h.{layer}.attn.c_attn", bias=True), "contiguous"),
    output=Linear("h.{layer}.attn.c_proj", bias=True),
    mlp=mlp("c_fc", "c_proj"),
    variant="MQA",
    when=says(multi_query=True),
    inert=(
        *("scale_attn_weights", "num_key_value_heads", "inference_runner", "max_batch_size"),
        *("max_sequence_length", "pad_key_length", "pre_allocate_kv_cache"),
        *("validate_runner_input",),
    ),
)
GPT_BIGCODE_MHA = replace(
    GPT_BIGCODE_MQA,
    axes=GPT_AXES,
    values=Values(GPT_BIGCODE_MQA.values.linear, "grouped"),
    variant="MHA",
    when=None,
)

GPT_NEO = Family(
    model_type="gpt_neo",
    axes=Axes(n_layers="num_layers", n_heads="num_heads", d_mlp_per_d_model=4),
    prefix="transformer.",
    W_E=End(("wte.weight",)),
    values=Values(Linear("h.{layer}.attn.attention.v_proj"), "separate"),
    output=Linear("h.{layer}.attn.attention.out_proj", bias=True),
    norm=ln("ln_2"),
    mlp=mlp("c_fc", "c_proj"),
    activation="activation_function",
    positions="wpe",
    pattern=("attention_types", lambda n_layers: [[["global"], n_layers]]),
    inert=("attention_types", "attention_layers", "window_size"),
)

GPTJ = replace(
    GPT_NEO,
    model_type="gptj",
    axes=GPT_AXES,
    values=Values(Linear("h.{layer}.attn.v_proj"), "separate"),
    output=Linear("h.{layer}.attn.out_proj"),
    norm=ln("ln_1"),
    mlp=mlp("fc_in", "fc_out"),
    positions="",
    pattern=None,
    inert=("rotary_dim", "rotary", "n_ctx", "scale_attn_weights"),
)
CODEGEN = replace(
    GPTJ,
    model_type="codegen",
    values=Values(Linear("h.{layer}.attn.qkv_proj"), "codegen"),
)

GPT_NEOX = Family(
    model_type="gpt_neox",
    axes=Axes(),
    prefix="gpt_neox.",
    W_E=End(("embed_in.weight",)),
    W_U=End(("embed_out.weight", "lm_head.weight")),
    values=Values(Linear("layers.{layer}.attention.query_key_value", "attention_bias"), "grouped"),
    output=Linear("layers.{layer}.attention.dense", bias="attention_bias"),
    norm=layer_norm("layers.0.post_attention_layernorm"),
    mlp=mlp("dense_h_to_4h", "dense_4h_to_h", at="layers.0.mlp"),
    activation="hidden_act",
    inert=("rotary_pct", "rotary_emb_base", "use_parallel_residual"),
)
PERSIMMON = replace(
    GPT_NEOX,
    model_type="persimmon",
    prefix="model.",
    W_E=End(("embed_tokens.weight",)),
    W_U=GPT2.W_U,
    values=Values(Linear("layers.{layer}.self_attn.query_key_value", bias=True), "grouped"),
    output=Linear("layers.{layer}.self_attn.dense", bias=True),
    inert=("qk_layernorm",),
)

_OPT = "layers.{layer}.self_attn"


def _opt_norm(name: str) -> Norm:
    affine = "layer_norm_elementwise_affine"
    return Norm(f"layers.0.{name}", "layer", Const(1e-5), bias=True, affine=affine)


OPT = Family(
    model_type="opt",
    axes=Axes(d_mlp="ffn_dim"),
    prefix="model.decoder.",
    W_E=End(("embed_tokens.weight",), projection=Linear("project_in"), width="word_embed_proj_dim"),
    W_U=End(("lm_head.weight",), projection=Linear("project_out"), width="word_embed_proj_dim"),
    values=Values(Linear(f"{_OPT}.v_proj", "enable_bias"), "separate"),
    output=Linear(f"{_OPT}.out_proj", "enable_bias"),
    norm=_opt_norm("final_layer_norm"),
    mlp=mlp("fc1", "fc2", "enable_bias", at="layers.0"),
    activation="activation_function",
    positions="embed_positions",
    variant="pre-norm",
    when=says(do_layer_norm_before=True),
    inert=("_remove_final_layer_norm", "layerdrop", "init_std", "prefix"),
)
OPT_NORMS_AFTER = replace(
    OPT,
    norm=_opt_norm("self_attn_layer_norm"),
    normed_sums=True,
    variant="post-norm",
    when=None,
)
