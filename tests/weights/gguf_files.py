"""GGUF files of tiny llamas, written by the gguf package with llama.cpp's names and permutation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    """llama.cpp's name of a transformers llama tensor."""
    stem, part = name.rsplit(".", 1)
    if stem in NAMES:
        return f"{NAMES[stem]}.{part}"
    layer, local = stem.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{NAMES[local]}.{part}"


def permuted(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """Queries and keys as convert_hf_to_gguf.py's LlamaModel.permute reorders them."""
    halves = weight.reshape(n_heads, 2, weight.shape[0] // n_heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def write(
    path: Path,
    model: transformers.PreTrainedModel,
    kind: GGMLQuantizationType = GGMLQuantizationType.F32,
    *,
    architecture: str = "llama",
    more: dict[str, Any] | None = None,
) -> Path:
    """A GGUF file of a llama; matrices are stored as `kind`, vectors as F32.

    Args:
        path: the file.
        model: a transformers llama.
        kind: storage of the matrices.
        architecture: its name in the header.
        more: header keys beside the usual ones; None leaves one out.
    """
    config: Any = model.config
    writer = gguf.GGUFWriter(path, architecture)
    keys: dict[str, Any] = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.value_length": config.head_dim,
        "attention.key_length": config.head_dim,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.dimension_count": config.head_dim,
        "vocab_size": config.vocab_size,
    } | (more or {})
    for key, value in keys.items():
        if isinstance(value, float):
            writer.add_float32(f"{architecture}.{key}", value)
        elif value is not None:
            writer.add_uint32(f"{architecture}.{key}", value)
    for name, data in tensors(model).items():
        if data.ndim == 1 or kind == GGMLQuantizationType.F32:
            writer.add_tensor(name, data)
        else:
            writer.add_tensor(name, gguf.quantize(data, kind), raw_dtype=kind)
    return finish(writer, path)


def finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    """The file, written and closed."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(model: transformers.PreTrainedModel) -> dict[str, np.ndarray]:
    """GGUF name -> data, as llama.cpp's converter stores a llama."""
    config: Any = model.config
    tied = bool(config.tie_word_embeddings)
    converted: dict[str, np.ndarray] = {}
    for name, tensor in model.state_dict().items():
        if tied and name.startswith("lm_head"):
            continue
        data = tensor.to(torch.float32).numpy()
        if ".q_proj." in name:
            data = permuted(data, config.num_attention_heads)
        elif ".k_proj." in name:
            data = permuted(data, config.num_key_value_heads)
        converted[gguf_name(name)] = np.ascontiguousarray(data)
    return converted
