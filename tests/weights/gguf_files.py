"""GGUF files of tiny models, written as llama.cpp's converter writes them.

Names are those of gguf-py's own tensor map; header keys, permutation and folding follow
convert_hf_to_gguf.py (`set_gguf_parameters` and `modify_tensors` of each architecture). Nothing
here looks at our table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType

from tests.tokens.llama_cpp import add_tokenizer

ARCHITECTURES = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}

Fold = Callable[[str, np.ndarray, Any], np.ndarray]
"""(transformers name, data, config) -> the data that is stored."""


@cache
def _names(architecture: str) -> gguf.TensorNameMap:
    return gguf.get_tensor_name_map(ARCHITECTURES[architecture], n_blocks=100)


def gguf_name(name: str, architecture: str = "llama") -> str:
    """llama.cpp's name of a transformers tensor."""
    found = _names(architecture).get_name(name, try_suffixes=(".weight", ".bias"))
    assert found, f"{architecture} has no name for {name}"
    return found


def as_it_is(name: str, data: np.ndarray, config: Any) -> np.ndarray:
    """Nothing is folded."""
    return data


def permuted(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """Queries and keys as convert_hf_to_gguf.py's LlamaModel.permute reorders them."""
    halves = weight.reshape(n_heads, 2, weight.shape[0] // n_heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def with_permuted_queries_and_keys(name: str, data: np.ndarray, config: Any) -> np.ndarray:
    """LlamaModel.modify_tensors."""
    if ".q_proj." in name:
        return permuted(data, config.num_attention_heads)
    return permuted(data, config.num_key_value_heads) if ".k_proj." in name else data


def with_one_added(name: str, data: np.ndarray, config: Any) -> np.ndarray:
    """Gemma2Model.modify_tensors and Gemma3Model.modify_tensors."""
    return data + np.float32(1) if name.endswith("norm.weight") else data


def turned(name: str, data: np.ndarray, config: Any) -> np.ndarray:
    """GPT2Model.modify_tensors."""
    linear = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
    return data.T if name.endswith(linear) else data


FOLDS: Mapping[str, Fold] = {
    "llama": with_permuted_queries_and_keys,
    "gemma2": with_one_added,
    "gemma3": with_one_added,
    "gpt2": turned,
}


def of_any(config: Any) -> dict[str, Any]:
    """Header keys that every architecture has."""
    d_model = config.hidden_size
    return {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": d_model,
        "feed_forward_length": getattr(config, "intermediate_size", None)
        or (config.n_inner or 4 * d_model),
        "attention.head_count": config.num_attention_heads,
    }


def of_rms(config: Any) -> dict[str, Any]:
    """Header keys of the architectures that are built like Llama."""
    return of_any(config) | {
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
    }


def of_rms_with_d_head(config: Any) -> dict[str, Any]:
    """The same, where a head's width is a setting of its own."""
    d_head = config.head_dim
    return of_rms(config) | {"attention.value_length": d_head, "attention.key_length": d_head}


def rope_base(config: Any, layers: str = "full_attention") -> float:
    """The base of the rotations, of the layers of a kind."""
    parameters = config.rope_parameters
    return float(parameters.get(layers, parameters)["rope_theta"])


HEADERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "llama": lambda config: (
        of_rms_with_d_head(config)
        | {"rope.dimension_count": config.head_dim, "vocab_size": config.vocab_size}
    ),
    "qwen2": lambda config: of_rms(config) | {"rope.freq_base": rope_base(config)},
    "qwen3": lambda config: of_rms_with_d_head(config) | {"rope.freq_base": rope_base(config)},
    "gemma2": lambda config: (
        of_rms_with_d_head(config)
        | {
            "attn_logit_softcapping": config.attn_logit_softcapping,
            "final_logit_softcapping": config.final_logit_softcapping,
            "attention.sliding_window": config.sliding_window,
        }
    ),
    "gemma3": lambda config: (
        of_rms_with_d_head(config)
        | {
            "rope.freq_base": rope_base(config),
            "rope.freq_base_swa": rope_base(config, "sliding_attention"),
            "attention.sliding_window": config.sliding_window,
        }
    ),
    "gpt2": lambda config: (
        of_any(config) | {"attention.layer_norm_epsilon": float(config.layer_norm_epsilon)}
    ),
    "phi3": lambda config: (
        of_rms(config)
        | {
            "rope.scaling.original_context_length": config.original_max_position_embeddings,
            "rope.dimension_count": config.hidden_size // config.num_attention_heads,
            "rope.freq_base": rope_base(config),
            "attention.sliding_window": config.sliding_window or 0,
        }
    ),
}


def write(
    path: Path,
    model: transformers.PreTrainedModel,
    kind: GGMLQuantizationType = GGMLQuantizationType.F32,
    *,
    architecture: str = "llama",
    more: dict[str, Any] | None = None,
    fold: Fold | None = None,
    tokenizer: Mapping[str, Any] | None = None,
    beside: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """A GGUF file of a model; matrices are stored as `kind`, vectors as F32.

    Args:
        path: the file.
        model: a transformers model.
        kind: storage of the matrices.
        architecture: its name in the header; one that is not known here is written like a llama.
        more: header keys beside the usual ones; None leaves one out.
        fold: in place of the converter's.
        tokenizer: keys of the header's tokenizer, without which llama.cpp loads no model.
        beside: further tensors, by their GGUF names.
    """
    config: Any = model.config
    writer = gguf.GGUFWriter(path, architecture)
    keys = HEADERS.get(architecture, HEADERS["llama"])(config) | (more or {})
    for key, value in keys.items():
        if isinstance(value, float):
            writer.add_float32(f"{architecture}.{key}", value)
        elif value is not None:
            writer.add_uint32(f"{architecture}.{key}", value)
    if tokenizer:
        add_tokenizer(writer, tokenizer)
    known = architecture if architecture in HEADERS else "llama"
    for name, data in {**tensors(model, known, fold), **(beside or {})}.items():
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


def tensors(
    model: transformers.PreTrainedModel, architecture: str = "llama", fold: Fold | None = None
) -> dict[str, np.ndarray]:
    """GGUF name -> data, as llama.cpp's converter stores a model."""
    config: Any = model.config
    fold = fold or FOLDS.get(architecture, as_it_is)
    tied = bool(config.tie_word_embeddings)
    converted: dict[str, np.ndarray] = {}
    for name, tensor in model.state_dict().items():
        if tied and name.startswith("lm_head"):
            continue
        data = fold(name, tensor.to(torch.float32).numpy(), config)
        converted[gguf_name(name, architecture)] = np.ascontiguousarray(data)
    return converted
