"""The families table. A new architecture is one entry here and one line in the tests.

Entries describe the modules of Hugging Face transformers; each names the file it was read from.
"""

from __future__ import annotations

from annotator.weights.family import Axes, Family, GatedMlp, Linear, Norm, PlainMlp, Values

_MODELS = "https://github.com/huggingface/transformers/blob"

LLAMA = Family(
    model_type="llama",
    source=f"{_MODELS}/5dd4a63548857797727ae73eeb6a6e886ea02a3e/src/transformers/models/llama/modeling_llama.py",
    axes=Axes(
        vocab="vocab_size",
        d_model="hidden_size",
        n_layers="num_hidden_layers",
        n_heads="num_attention_heads",
        n_kv_heads="num_key_value_heads",
        d_head="head_dim",
        d_mlp="intermediate_size",
    ),
    prefix="model.",
    W_E="embed_tokens.weight",
    W_U=("lm_head.weight",),
    values=Values(Linear("layers.{layer}.self_attn.v_proj", bias="attention_bias"), "separate"),
    output=Linear("layers.{layer}.self_attn.o_proj", bias="attention_bias"),
    norm=Norm("layers.0.post_attention_layernorm", "rms", eps="rms_norm_eps"),
    mlp=GatedMlp(
        gate=Linear("layers.0.mlp.gate_proj", bias="mlp_bias"),
        up=Linear("layers.0.mlp.up_proj", bias="mlp_bias"),
        down=Linear("layers.0.mlp.down_proj", bias="mlp_bias"),
    ),
    activation="hidden_act",
    defaults={
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "hidden_act": "silu",
    },
)

GPT2 = Family(
    model_type="gpt2",
    source=f"{_MODELS}/c44b2d9976e8eafbdcb89cb2710141b2bc9b138f/src/transformers/models/gpt2/modeling_gpt2.py",
    axes=Axes(
        vocab="vocab_size",
        d_model="n_embd",
        n_layers="n_layer",
        n_heads="n_head",
        d_mlp="n_inner",
        d_mlp_per_d_model=4,
    ),
    prefix="transformer.",
    W_E="wte.weight",
    W_U=("lm_head.weight",),
    values=Values(Linear("h.{layer}.attn.c_attn", bias=True), "contiguous"),
    output=Linear("h.{layer}.attn.c_proj", bias=True),
    norm=Norm("h.0.ln_2", "layer", eps="layer_norm_epsilon"),
    mlp=PlainMlp(up=Linear("h.0.mlp.c_fc", bias=True), down=Linear("h.0.mlp.c_proj", bias=True)),
    activation="activation_function",
    stored="in_out",
    defaults={"tie_word_embeddings": True, "activation_function": "gelu_new"},
)

GPT_NEOX = Family(
    model_type="gpt_neox",
    source=f"{_MODELS}/203bf6f1c524062b3c109da5ff67e61f483407e7/src/transformers/models/gpt_neox/modeling_gpt_neox.py",
    axes=Axes(
        vocab="vocab_size",
        d_model="hidden_size",
        n_layers="num_hidden_layers",
        n_heads="num_attention_heads",
        d_mlp="intermediate_size",
    ),
    prefix="gpt_neox.",
    W_E="embed_in.weight",
    W_U=("embed_out.weight", "lm_head.weight"),
    values=Values(Linear("layers.{layer}.attention.query_key_value", "attention_bias"), "grouped"),
    output=Linear("layers.{layer}.attention.dense", bias="attention_bias"),
    norm=Norm("layers.0.post_attention_layernorm", "layer", eps="layer_norm_eps"),
    mlp=PlainMlp(
        up=Linear("layers.0.mlp.dense_h_to_4h", bias=True),
        down=Linear("layers.0.mlp.dense_4h_to_h", bias=True),
    ),
    activation="hidden_act",
    defaults={"tie_word_embeddings": False, "attention_bias": True, "hidden_act": "gelu"},
)

FAMILIES: dict[str, Family] = {f.model_type: f for f in (GPT2, GPT_NEOX, LLAMA)}
