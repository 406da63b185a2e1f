"""Families built like Llama: separate q, k, v and o; RMS or layer norm; a gated or plain MLP.

Each entry states what it does otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any

from annotator.weights.config_expressions import Const, Of, Only, Setting, says
from annotator.weights.family import Axes, End, Family, GatedMlp, Linear, Norm, PlainMlp, Values

LLAMA_AXES = Axes(n_kv_heads="num_key_value_heads", d_head="head_dim")
ATTENTION = "layers.{layer}.self_attn"
MLP = "layers.0.mlp"
INPUT, POST_ATTENTION = "layers.0.input_layernorm", "layers.0.post_attention_layernorm"
CLIPPED = Only("clip_qkv", (None,), "it clamps values, so that heads are no linear maps")


def rms(name: str, *, offset: int = 0) -> Norm:
    """An RMS norm with the usual name for its epsilon."""
    return Norm(name, "rms", "rms_norm_eps", offset=offset)


def layer_norm(name: str, eps: Setting = "layer_norm_eps", *, offset: int = 0) -> Norm:
    """A layer norm with weight and bias."""
    return Norm(name, "layer", eps, bias=True, offset=offset)


def values(bias: bool | str = False) -> Values:
    """A value projection of its own."""
    return Values(Linear(f"{ATTENTION}.v_proj", bias), "separate")


def gated(bias: bool | str = False, at: str = MLP) -> GatedMlp:
    """Three matrices."""
    gate, up, down = (Linear(f"{at}.{part}_proj", bias) for part in ("gate", "up", "down"))
    return GatedMlp(gate, up, down)


def fused(at: str = MLP) -> GatedMlp:
    """Gate and up in one matrix, gate first."""
    both = Linear(f"{at}.gate_up_proj", rows="first half")
    return GatedMlp(both, replace(both, rows="second half"), Linear(f"{at}.down_proj"))


def plain(up: str, down: str, bias: bool | str) -> PlainMlp:
    """Two matrices."""
    return PlainMlp(Linear(f"{MLP}.{up}", bias), Linear(f"{MLP}.{down}", bias))


def llama_like(model_type: str, base: Family | None = None, **changes: Any) -> Family:
    """A family that is like another but for some fields."""
    return replace(base or LLAMA, model_type=model_type, **changes)


LLAMA = Family(
    model_type="llama",
    axes=LLAMA_AXES,
    prefix="model.",
    W_E=End(("embed_tokens.weight",)),
    values=values("attention_bias"),
    output=Linear(f"{ATTENTION}.o_proj", "attention_bias"),
    norm=rms(POST_ATTENTION),
    mlp=gated("mlp_bias"),
    activation="hidden_act",
)
O_PROJ = Linear(f"{ATTENTION}.o_proj")

MISTRAL = llama_like("mistral", values=values(), output=O_PROJ, mlp=gated())
NO_D_HEAD = replace(LLAMA_AXES, d_head=Const(None))
QWEN2 = llama_like("qwen2", MISTRAL, values=values(bias=True))
QWEN3 = llama_like("qwen3", mlp=gated())

GEMMA = llama_like(
    "gemma",
    W_E=replace(LLAMA.W_E, scale=Of("hidden_size", sqrt)),
    norm=rms(POST_ATTENTION, offset=1),
    mlp=gated(),
    # The official configs say "gelu" and mean its approximation; transformers reads them so.
    activation=Of("hidden_act", lambda act: "gelu_pytorch_tanh" if act == "gelu" else act),
    inert=("hidden_activation",),
)
GEMMA2 = llama_like(
    "gemma2",
    GEMMA,
    norm=rms("layers.0.pre_feedforward_layernorm", offset=1),
    post_norm=rms("layers.0.post_feedforward_layernorm", offset=1),
    activation="hidden_activation",
    inert=(
        *("query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping"),
        *("hidden_act",),
    ),
)
GEMMA3 = llama_like("gemma3_text", GEMMA2, module="gemma3")

OLMO = llama_like(
    "olmo",
    norm=Norm(POST_ATTENTION, "layer", Const(1e-5), affine=False),
    mlp=gated(),
    only=(CLIPPED,),
)
OLMO2 = llama_like(
    "olmo2", norm=None, post_norm=rms("layers.0.post_feedforward_layernorm"), mlp=gated()
)
OLMO3 = llama_like("olmo3", OLMO2)
EXAONE4 = llama_like("exaone4", OLMO2, values=values(), output=O_PROJ)

COHERE = llama_like(
    "cohere",
    norm=Norm(INPUT, "layer", "layer_norm_eps"),
    mlp=gated(),
    W_U=replace(LLAMA.W_U, scale="logit_scale"),
    inert=("use_qk_norm",),
)
COHERE2 = llama_like("cohere2", COHERE)

GRANITE = llama_like(
    "granite",
    W_E=replace(LLAMA.W_E, scale="embedding_multiplier"),
    W_U=replace(LLAMA.W_U, scale=Of("logits_scaling", lambda scaling: 1 / scaling)),
    residual_scale="residual_multiplier",
    inert=("attention_multiplier",),
)

GLM = llama_like("glm", output=O_PROJ, mlp=fused())
GLM4 = llama_like("glm4", GLM, post_norm=rms("layers.0.post_mlp_layernorm"))

PHI = llama_like(
    "phi",
    values=values(bias=True),
    output=Linear(f"{ATTENTION}.dense", bias=True),
    norm=layer_norm(INPUT),
    mlp=plain("fc1", "fc2", bias=True),
    inert=("qk_layernorm",),
)
PHI3 = llama_like(
    "phi3",
    MISTRAL,
    values=Values(Linear(f"{ATTENTION}.qkv_proj"), "contiguous"),
    mlp=fused(),
    inert=("original_max_position_embeddings",),
)

STABLELM_SEQUENTIAL = llama_like(
    "stablelm",
    MISTRAL,
    axes=NO_D_HEAD,
    values=values("use_qkv_bias"),
    norm=layer_norm(POST_ATTENTION),
    variant="sequential",
    when=says(use_parallel_residual=False),
    inert=("qk_layernorm",),
)
STABLELM_PARALLEL = replace(
    STABLELM_SEQUENTIAL, norm=layer_norm(INPUT), variant="parallel", when=None
)

STARCODER2 = llama_like(
    "starcoder2",
    values=values("use_bias"),
    output=Linear(f"{ATTENTION}.o_proj", "use_bias"),
    norm=layer_norm(POST_ATTENTION, "norm_epsilon"),
    mlp=plain("c_fc", "c_proj", "use_bias"),
    only=(
        Only("mlp_type", (None, "default"), "transformers builds no other"),
        Only("norm_type", (None, "layer_norm"), "transformers builds no other"),
    ),
    inert=("rms_norm_eps",),
)
ARCEE = llama_like("arcee", mlp=plain("up_proj", "down_proj", "mlp_bias"))
NEMOTRON = llama_like(
    "nemotron",
    norm=layer_norm(POST_ATTENTION, "norm_eps", offset=1),
    mlp=plain("up_proj", "down_proj", "mlp_bias"),
)
SMOLLM3 = llama_like("smollm3", inert=("no_rope_layers", "no_rope_layer_interval"))
HELIUM = llama_like("helium", output=O_PROJ)
ERNIE4_5 = llama_like(
    "ernie4_5",
    values=values("use_bias"),
    output=Linear(f"{ATTENTION}.o_proj", "use_bias"),
    mlp=gated("use_bias"),
)
SEED_OSS = llama_like("seed_oss", output=Linear(f"{ATTENTION}.o_proj", "attention_out_bias"))
HUNYUAN = llama_like(
    "hunyuan_v1_dense",
    mlp=gated(),
    only=(
        Only("norm_type", (None, "rms"), "transformers builds no other"),
        Only("use_cla", (None, False), "layers that share keys and values are not mapped"),
    ),
    inert=(
        *("add_classification_head", "attention_head_dim", "cla_share_factor", "class_num"),
        *("dense_list", "eod_token_id"),
        *("im_end_id", "im_newline_id", "im_start_id", "mask_init_id", "org_vocab_size", "pad_id"),
        *("pool_type",),
    ),
)

QWEN2_VL = llama_like("qwen2_vl_text", QWEN2, axes=NO_D_HEAD, module="qwen2_vl")
QWEN2_5_VL = llama_like("qwen2_5_vl_text", QWEN2_VL, module="qwen2_5_vl")
QWEN3_VL = llama_like("qwen3_vl_text", QWEN3, module="qwen3_vl")
