"""The independent oracles: a model's own attention module, and the definitions done the naive way.

Nothing here imports the engine; what is compared with it is computed from transformers' modules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Parts:
    """Where transformers keeps the modules of one architecture."""

    blocks: Callable[[Any], nn.ModuleList]
    attention: str
    mlp: str
    norm: str


PARTS = {
    "llama": Parts(lambda m: m.model.layers, "self_attn", "mlp", "post_attention_layernorm"),
    "gpt2": Parts(lambda m: m.transformer.h, "attn", "mlp", "ln_2"),
    "gpt_neox": Parts(lambda m: m.gpt_neox.layers, "attention", "mlp", "post_attention_layernorm"),
}


def attention_residuals(
    module: Any, heads_of: Callable[[int], tuple[Tensor, Tensor | None, Tensor]]
) -> list[Tensor]:
    """What the heads leave of attn_out: it minus the sum of A_h (X W_V^h + b_V^h) W_O^h.

    Args:
        module: a causal language model, eager attention.
        heads_of: layer -> (W_V [n_kv, d_model, d_head], b_V [n_kv, d_head] or None,
            W_O [n_heads, d_head, d_model]).

    Returns:
        For each layer a tensor [prompts * positions, d_model]; a right layout leaves one constant
        vector, the output bias.
    """
    module.set_attn_implementation("eager")
    parts = PARTS[module.config.model_type]
    seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        inputs = args[0] if args else kwargs["hidden_states"]
        seen.append((inputs, out[0], out[1]))

    hooks = [
        getattr(block, parts.attention).register_forward_hook(keep, with_kwargs=True)
        for block in parts.blocks(module)
    ]
    ids = torch.randint(
        0, module.config.vocab_size, (3, 7), generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        module(ids, output_attentions=True, use_cache=False)
    for hook in hooks:
        hook.remove()
    residuals: list[Tensor] = []
    for layer, (inputs, output, pattern) in enumerate(seen):
        W_V, b_V, W_O = heads_of(layer)
        total = output.clone()
        for head in range(W_O.shape[0]):
            kv = head // (W_O.shape[0] // W_V.shape[0])
            values = inputs @ W_V[kv] + (0 if b_V is None else b_V[kv])
            total -= pattern[:, head] @ values @ W_O[head]
        residuals.append(total.flatten(0, 1))
    return residuals


def spread(residual: Tensor) -> float:
    """How far the rows are from one constant vector."""
    return float((residual - residual[0]).abs().max())


def first_mlp_output(module: Any) -> Tensor:
    """X [vocab, d_model]: the first block's MLP on the bare embedding, by the module itself."""
    parts = PARTS[module.config.model_type]
    block = parts.blocks(module)[0]
    with torch.no_grad():
        return getattr(block, parts.mlp)(
            getattr(block, parts.norm)(module.get_input_embeddings().weight[None])
        )[0]


@dataclass(frozen=True)
class Dense:
    """A whole head map and its saliency, materialised."""

    M: Tensor
    sigma: Tensor


def dense_head(x: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> Dense:
    """M = x W_V W_O W_U and sigma = ||x W_V W_O|| / ||x||, straight from the definitions."""
    out = x @ W_V @ W_O
    return Dense(M=out @ W_U, sigma=out.norm(dim=1) / x.norm(dim=1))


def order(values: list[float], k: int) -> list[int]:
    """The k largest by value, equal ones by smaller index, NaN last; a plain Python sort."""

    def key(index: int) -> tuple[bool, float, int]:
        value = values[index]
        missing = value != value or value in (float("inf"), float("-inf"))
        return (missing, 0.0 if missing else -value, index)

    return sorted(range(len(values)), key=key)[:k]
