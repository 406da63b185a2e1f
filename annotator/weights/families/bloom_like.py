"""BLOOM, Falcon and MPT: fused query, key and value, named as in their first releases."""

from __future__ import annotations

from dataclasses import replace

from annotator.weights.config_expressions import Const, Only, says
from annotator.weights.families.gpt_like import EPS, ln, mlp
from annotator.weights.families.llama_like import CLIPPED, layer_norm
from annotator.weights.family import Axes, End, Family, Linear, Norm, Values

BLOOM = Family(
    model_type="bloom",
    axes=Axes(n_layers="n_layer", n_heads="n_head", d_mlp=Const(None), d_mlp_per_d_model=4),
    prefix="transformer.",
    W_E=End(("word_embeddings.weight",), norm=layer_norm("word_embeddings_layernorm", EPS)),
    values=Values(Linear("h.{layer}.self_attention.query_key_value", bias=True), "grouped"),
    output=Linear("h.{layer}.self_attention.dense", bias=True),
    norm=ln("post_attention_layernorm"),
    mlp=mlp("dense_h_to_4h", "dense_4h_to_h"),
    activation=Const("bloom_gelu"),
    only=(
        Only(
            "apply_residual_connection_post_layernorm",
            (False,),
            "what is added to the residual stream then starts from its norm",
        ),
        Only("slow_but_exact", (False,), "transformers then leaves biases out"),
    ),
    inert=(
        *("attention_softmax_in_fp32", "bias_dropout_fusion", "masked_softmax_fusion"),
        *("offset_alibi", "seq_length", "skip_bias_add", "skip_bias_add_qkv", "n_inner"),
    ),
)

FALCON = Family(
    model_type="falcon",
    axes=Axes(n_kv_heads="num_kv_heads", d_mlp="ffn_hidden_size", d_mlp_per_d_model=4),
    prefix="transformer.",
    W_E=End(("word_embeddings.weight",)),
    values=Values(Linear("h.{layer}.self_attention.query_key_value", "bias"), "grouped"),
    output=Linear("h.{layer}.self_attention.dense", "bias"),
    norm=ln("ln_mlp"),
    mlp=mlp("dense_h_to_4h", "dense_4h_to_h", "bias"),
    activation="activation",
    variant="GQA, two norms",
    when=says(new_decoder_architecture=True, num_ln_in_parallel_attn=(None, 2)),
    inert=("alibi", "apply_residual_connection_post_layernorm", "num_kv_heads"),
)
FALCON_ONE_NORM = replace(
    FALCON,
    norm=ln("input_layernorm"),
    variant="GQA, one norm",
    when=says(new_decoder_architecture=True),
)
FALCON_MQA = replace(
    FALCON_ONE_NORM,
    axes=replace(FALCON.axes, n_kv_heads=Const(1)),
    variant="MQA, parallel",
    when=says(multi_query=True, parallel_attn=True),
)
FALCON_MQA_SEQUENTIAL = replace(
    FALCON_MQA,
    norm=ln("post_attention_layernorm"),
    variant="MQA, sequential",
    when=says(multi_query=True),
)
FALCON_MHA = replace(
    FALCON_MQA,
    axes=FALCON.axes,
    variant="MHA, parallel",
    when=says(parallel_attn=True),
)
FALCON_MHA_SEQUENTIAL = replace(
    FALCON_MHA,
    norm=ln("post_attention_layernorm"),
    variant="MHA, sequential",
    when=None,
)

_MPT_MODULE = "transformers builds it otherwise than the checkpoint's authors did"
MPT = Family(
    model_type="mpt",
    axes=Axes(
        d_model="d_model",
        n_layers="n_layers",
        n_heads="n_heads",
        d_mlp=Const(None),
        d_mlp_per_d_model=4,
    ),
    prefix="transformer.",
    W_E=End(("wte.weight",)),
    values=Values(Linear("blocks.{layer}.attn.Wqkv"), "contiguous"),
    output=Linear("blocks.{layer}.attn.out_proj"),
    norm=Norm("blocks.0.norm_2", "layer", EPS),
    mlp=mlp("up_proj", "down_proj", bias=False, at="blocks.0.ffn"),
    activation=Const("gelu"),
    only=(
        replace(CLIPPED, key="attn_config.clip_qkv"),
        Only("attn_config.attn_type", (None, "multihead_attention"), _MPT_MODULE),
        Only("expansion_ratio", (4,), _MPT_MODULE),
        Only("logit_scale", (None,), _MPT_MODULE),
        Only("no_bias", (True,), _MPT_MODULE),
        Only("norm_type", ("low_precision_layernorm",), _MPT_MODULE),
    ),
    inert=(
        *("attn_config.alibi", "attn_config.alibi_bias_max", "attn_config.attn_impl"),
        *("attn_config.attn_uses_sequence_id", "attn_config.prefix_lm", "attn_config.qk_ln"),
        *("attn_config.softmax_scale", "attn_config", "learned_pos_emb", "embedding_fraction"),
        *("init_device", "max_seq_len"),
        *("init_config", "verbose", "tokenizer_name"),
    ),
)
