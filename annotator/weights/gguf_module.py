"""A GGUF file as what transformers loads: a config to run it with, and tensors by its names.

A map needs little of a header; a forward pass needs positions, windows and caps too. They are
translated here as llama.cpp's loader takes them (src/llama-model.cpp), since transformers' own
reader drops several without a word. What GGUF folds in names and weights is undone by the tables
of transformers (modeling_gguf_pytorch_utils). What neither knows is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from annotator.errors import NotRun
from annotator.weights.gguf import GgufFile
from annotator.weights.plan import Plan

REMEDY = "Run the safetensors checkpoint that the file was made from."
_SIZES = {"context_length": "max_position_embeddings"}
_CAPPED = {"final_logit_softcapping": "final_logit_softcapping"}
_WINDOW = {"attention.sliding_window": "sliding_window"}
_RUN: Mapping[str, Mapping[str, str]] = {
    "llama": _SIZES,
    "qwen2": _SIZES,
    "qwen3": _SIZES,
    "gemma2": _SIZES | _WINDOW | _CAPPED | {"attn_logit_softcapping": "attn_logit_softcapping"},
    "gemma3": _SIZES | _WINDOW | _CAPPED,
    "gpt2": {"context_length": "n_positions"},
    "phi3": _SIZES,
}
"""GGUF key -> transformers config key, of what a map does not need and a forward pass does."""

_LARGEST = {"gemma2": 46, "gemma3": 62}
"""The layers of the one size of each that scales queries by d_model / n_heads, not by d_head."""


def gguf_config(plan: Plan, source: GgufFile) -> Any:
    """The transformers config with which a GGUF file is run.

    Raises:
        NotRun: positions that are scaled in a way that is not taken over, and the like.
    """
    from transformers import CONFIG_MAPPING

    name, said = _said(source)
    if wrong := _not_taken_over(plan, said):
        raise NotRun(source.id, "its header has " + ", ".join(wrong), REMEDY)
    config: dict[str, Any] = {**source.config, "pad_token_id": None}
    config |= {ours: said[key] for key, ours in _RUN[name].items() if key in said}
    if name != "gpt2":
        config["rope_parameters"] = _rope(name, said)
    if name in _LARGEST:
        d = plan.dims
        large = d.n_layers == _LARGEST[name]
        config["query_pre_attn_scalar"] = d.d_model // d.n_heads if large else d.d_head
    kind: Any = CONFIG_MAPPING[plan.family.model_type]
    return kind.from_dict(config)


def gguf_state(source: GgufFile, module: nn.Module) -> Mapping[str, Tensor]:
    """Every tensor of a GGUF file, dequantised, under the names of transformers' module.

    Args:
        source: the file.
        module: the model it is for, which may be without storage (on the meta device).

    Raises:
        NotRun: tensors that transformers has no place for.
    """
    from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor

    name, _ = _said(source)
    config: Any = module.config
    kind: Any = TENSOR_PROCESSORS.get(name, TensorProcessor)
    unfolds, names = kind(config=config.to_dict()), _names(name, module)
    state: dict[str, Tensor] = {}
    unplaced: list[str] = []
    for stored in source.stored_names():
        if stored not in names:
            unplaced.append(stored)
            continue
        aside: dict[str, Any] = {}  # where GPT-2's own leaves its output matrix, which is as it is
        said = {"parsed_parameters": {"tensors": aside}, "tensor_key_mapping": names}
        made = unfolds.process(weights=source.stored(stored).numpy(), name=stored, **said)
        weights = np.ascontiguousarray(made.weights)
        state[names[stored]] = torch.from_numpy(weights)
    if unplaced:
        reason = "transformers has no place for its tensors " + ", ".join(unplaced[:5])
        raise NotRun(source.id, reason, REMEDY)
    return state


def _names(architecture: str, module: nn.Module) -> dict[str, str]:
    """GGUF name -> transformers name, of every weight of a module."""
    import gguf

    known = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    config: Any = module.config
    table = gguf.get_tensor_name_map(known, config.num_hidden_layers)
    found = {name: table.get_name(name, (".weight", ".bias")) for name in module.state_dict()}
    return {theirs: name for name, theirs in found.items() if theirs}


def _said(source: GgufFile) -> tuple[str, dict[str, Any]]:
    """The architecture, and what the header says of it, without its name before each key."""
    name = str(source.metadata["general.architecture"])
    start = f"{name}."
    said = {key: value for key, value in source.metadata.items() if key.startswith(start)}
    return name, {key.removeprefix(start): value for key, value in said.items()}


def _not_taken_over(plan: Plan, said: Mapping[str, Any]) -> list[str]:
    """Settings that change a forward pass and are at a value that is not known here."""
    d_head = plan.dims.d_head
    wanted: dict[str, tuple[Any, ...]] = {
        "rope.scaling.type": ("none", "linear"),
        "rope.scaling.attn_factor": (1.0,),
        "rope.scaling.yarn_attn_factor": (1.0,),
        "rope.dimension_count": (d_head,),
        "attention.key_length": (d_head,),
        "attention.sliding_window_pattern": (),
    }
    return [
        f"{key} = {said[key]!r:.60}"
        for key, values in wanted.items()
        if key in said and said[key] not in values
    ]


def _rope(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """How positions turn queries and keys; 10,000 is llama.cpp's base where a header has none."""
    full: dict[str, Any] = {"rope_type": "default", "rope_theta": said.get("rope.freq_base", 1e4)}
    factor = said.get("rope.scaling.factor") or said.get("rope.scale_linear") or 1
    if factor != 1 and said.get("rope.scaling.type") != "none":
        full |= {"rope_type": "linear", "factor": float(factor)}
    if name != "gemma3":
        return full
    local = {"rope_type": "default", "rope_theta": said.get("rope.freq_base_swa", 1e4)}
    return {"full_attention": full, "sliding_attention": local}
