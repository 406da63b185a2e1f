"""Families whose first block may be a mixture of experts, with the dense form where it is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from annotator.weights.config_expressions import Const, Get, Only
from annotator.weights.families.llama_like import (
    CLIPPED,
    LLAMA,
    LLAMA_AXES,
    MISTRAL,
    MLP,
    QWEN2,
    QWEN3,
    gated,
    llama_like,
    values,
)
from annotator.weights.family import Experts, Family, GatedMlp, Linear, RowRange, SharedExperts

HALVES: tuple[RowRange, RowRange] = ("first half", "second half")


def stacked(
    at: str = MLP, gate_and_up: tuple[RowRange, RowRange] = HALVES, **linear: Any
) -> GatedMlp:
    """All experts in two tensors, as transformers 5 holds them in memory."""
    name = f"{at}.experts.gate_up_proj"
    gate, up = (Linear(name, stacked=True, rows=rows, **linear) for rows in gate_and_up)
    return GatedMlp(gate, up, Linear(f"{at}.experts.down_proj", stacked=True, **linear))


def apart(gate: str, up: str, down: str) -> GatedMlp:
    """Three matrices for each expert, as checkpoints hold them."""
    names = (f"{MLP}.experts.{{expert}}.{part}" for part in (gate, up, down))
    return GatedMlp(*map(Linear, names))


ROUTED = Experts(
    router=Linear(f"{MLP}.gate"),
    forms=(apart("gate_proj", "up_proj", "down_proj"), stacked()),
    count="num_experts",
    per_token="num_experts_per_tok",
    renormalise="norm_topk_prob",
)

MIXTRAL = llama_like(
    "mixtral",
    MISTRAL,
    mlp=replace(
        ROUTED,
        forms=(apart("w1", "w3", "w2"), stacked()),
        count="num_local_experts",
        renormalise=Const(True),
    ),
    older=(".mlp.", ".block_sparse_moe."),
)
OLMOE = llama_like("olmoe", mlp=ROUTED, only=(CLIPPED,))


def first_block_is_sparse(get: Get) -> bool:
    """Qwen's rule for which layers are sparse, for layer 0."""
    dense = get("mlp_only_layers") or ()
    return 0 not in dense and get("num_experts") > 0 and get("decoder_sparse_step") == 1


def qwen(
    model_type: str, base: Family, mlp: Experts = ROUTED, **changes: Any
) -> tuple[Family, Family]:
    """A family whose first block is sparse by Qwen's rule, and the same with a dense one."""
    inert = (
        *("moe_intermediate_size", "shared_expert_intermediate_size", "intermediate_size"),
        *("num_experts_per_tok", "norm_topk_prob"),
        *("num_experts", "num_local_experts", "decoder_sparse_step"),
    )
    dense = llama_like(model_type, base, variant="dense", inert=inert, **changes)
    axes = replace(LLAMA_AXES, d_mlp="moe_intermediate_size")
    sparse = replace(dense, axes=axes, mlp=mlp, variant="sparse", when=first_block_is_sparse)
    return sparse, dense


QWEN3_MOE, QWEN3_MOE_DENSE = qwen("qwen3_moe", QWEN3)
SHARED = SharedExperts(
    gated(at=f"{MLP}.shared_expert"),
    width="shared_expert_intermediate_size",
    gate=Linear(f"{MLP}.shared_expert_gate"),
)
QWEN2_MOE, QWEN2_MOE_DENSE = qwen(
    "qwen2_moe", QWEN2, mlp=replace(ROUTED, shared=SHARED), values=values("qkv_bias")
)

_ALPHA = "the gate's constants are those of the published models"
GPT_OSS = llama_like(
    "gpt_oss",
    mlp=Experts(
        router=Linear(f"{MLP}.router", bias=True),
        forms=(stacked(gate_and_up=("even", "odd"), bias=True, stored="in_out"),),
        count="num_local_experts",
        per_token="num_experts_per_tok",
        weighing="chosen softmax",
    ),
    activation=Const("clamped_swiglu"),
    only=(Only("swiglu_alpha", (1.702,), _ALPHA), Only("swiglu_limit", (7.0,), _ALPHA)),
    inert=("hidden_act", "experts_per_token", "initial_context_length"),
)

_FEED = "layers.0.feed_forward"
LLAMA4_DENSE = llama_like(
    "llama4_text",
    axes=replace(LLAMA_AXES, d_mlp="intermediate_size_mlp"),
    mlp=gated(at=_FEED),
    module="llama4",
    variant="dense",
    inert=(
        *("moe_layers", "interleave_moe_layer_step", "num_local_experts", "num_experts_per_tok"),
        *("intermediate_size", "intermediate_size_mlp", "use_qk_norm", "no_rope_layers"),
        *("no_rope_layer_interval", "attention_chunk_size", "attn_temperature_tuning"),
        *("floor_scale", "attn_scale", "for_llm_compressor"),
    ),
)


def llama4_is_sparse(get: Get) -> bool:
    """Llama 4's rule for which layers are sparse, for layer 0."""
    listed = get("moe_layers")
    return get("interleave_moe_layer_step") == 1 if listed is None else 0 in listed


LLAMA4 = replace(
    LLAMA4_DENSE,
    axes=LLAMA.axes,
    mlp=Experts(
        router=Linear(f"{_FEED}.router"),
        forms=(stacked(_FEED, stored="in_out"),),
        count="num_local_experts",
        per_token="num_experts_per_tok",
        weighing="sigmoid",
        weighs_input=True,
        shared=SharedExperts(gated(at=f"{_FEED}.shared_expert"), width="intermediate_size"),
    ),
    variant="sparse",
    when=llama4_is_sparse,
)
