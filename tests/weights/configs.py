"""Configs without a checkpoint: a small one for each entry of the table, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import torch
from transformers import CONFIG_MAPPING

from annotator.weights.check_tensors import verify
from annotator.weights.config import ConfigSettings, assumed
from annotator.weights.families import FAMILIES
from annotator.weights.family import Axes, Experts, Family
from annotator.weights.find_family import make_plan
from annotator.weights.in_memory import InMemory
from annotator.weights.plan import Plan

SIZES = {
    "vocab": 32,
    "d_model": 16,
    "n_layers": 2,
    "n_heads": 4,
    "n_kv_heads": 2,
    "d_head": 8,
    "d_mlp": 24,
}

# What a config says to have each layout of its model_type; the first says nothing.
LAYOUTS: dict[str, list[dict[str, Any]]] = {
    "falcon": [
        {},
        {"parallel_attn": False},
        {"multi_query": False},
        {"multi_query": False, "parallel_attn": False},
        {"new_decoder_architecture": True},
        {"new_decoder_architecture": True, "num_ln_in_parallel_attn": 1},
    ],
    "gpt_bigcode": [{}, {"multi_query": False}],
    "llama4_text": [{}, {"moe_layers": []}],
    "opt": [{}, {"do_layer_norm_before": False}],
    "qwen2_moe": [{}, {"mlp_only_layers": [0]}],
    "qwen3_moe": [{}, {"mlp_only_layers": [0]}],
    "stablelm": [{}, {"use_parallel_residual": True}],
}

CASES = [(name, says) for name in FAMILIES for says in LAYOUTS.get(name, [{}])]


class Header(InMemory):
    """What a GGUF file says of itself."""

    format = "gguf"


def named(family: Family, count: int = 300) -> dict[str, torch.Tensor]:
    """Enough tensors' names for a plan, which reads none."""
    return dict.fromkeys((f"{family.prefix}{index}" for index in range(count)), torch.zeros(1))


def plan(config: Mapping[str, Any], source: type[InMemory] = InMemory, count: int = 300) -> Plan:
    entries = FAMILIES.get(str(config.get("model_type")), FAMILIES["llama"])
    return make_plan(source(named(entries[0], count), config, "the-model"))


def layout(config: Mapping[str, Any]) -> Family:
    """The entry that a config has, whatever else it says."""
    model_type: str = config["model_type"]
    get = ConfigSettings("the-model", config, assumed()[model_type]).get
    return next(entry for entry in FAMILIES[model_type] if not entry.when or entry.when(get))


def small(model_type: str, **says: Any) -> dict[str, Any]:
    """A config of small sizes in one layout: all that the model_type's entries name as a size."""
    config: dict[str, Any] = {"model_type": model_type, **says}
    for family in [layout(config), *FAMILIES[model_type]]:
        axes = {axis.name: getattr(family.axes, axis.name) for axis in fields(Axes)}
        sizes = {key: SIZES[axis] for axis, key in axes.items() if axis in SIZES}
        if isinstance(family.mlp, Experts):
            sizes |= {family.mlp.count: 2, family.mlp.per_token: 1}
            sizes |= {family.mlp.shared.width: 20} if family.mlp.shared else {}
        config = {key: size for key, size in sizes.items() if isinstance(key, str)} | config
    return config


def digest(config: Mapping[str, Any]) -> str:
    """The digest of a checkpoint that has what the config asks for."""
    generator = torch.Generator().manual_seed(0)
    needs = {need.name: need.shape for need in plan(config).needs()}
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in needs.items()}
    return verify(make_plan(InMemory(tensors, config, "the-model")))


@cache
def published(model_type: str) -> dict[str, Any]:
    """The config that transformers' own class writes."""
    return CONFIG_MAPPING[model_type]().to_dict()
