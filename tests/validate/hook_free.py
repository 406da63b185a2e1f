"""Dynamic scores the naive way: from the patterns and hidden states that transformers returns.

Nothing is hooked, nothing is cached, and neither the table nor the kernel is used: values are cut
out of each family's own modules by hand, every row of logits is formed whole, and sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from annotator.validate.prompts import SourcePrompt
from tests.oracle import Modules, order


@dataclass(frozen=True)
class Cut:
    """One layer: value projections by value head, their biases, output projections by head."""

    norm: Any
    W_V: Tensor
    b_V: Tensor | None
    W_O: Tensor
    b_O: Tensor | None


def _by_head(rows: Tensor, d_head: int) -> Tensor:
    return rows.reshape(-1, d_head, *rows.shape[1:])


def _cut(norm: Any, value: Tensor, bias: Tensor | None, output: Any, d_head: int) -> Cut:
    """From the rows [n_kv * d_head, d_model] of the values."""
    weight = output.weight.T if type(output).__name__ == "Conv1D" else output.weight
    return Cut(
        norm,
        _by_head(value, d_head).transpose(1, 2),
        None if bias is None else _by_head(bias, d_head),
        _by_head(weight.T, d_head),
        output.bias,
    )


def _separate(block: Any, norm: Any, output: str = "o_proj") -> Cut:
    attention = block.self_attn
    value, out = attention.v_proj, getattr(attention, output)
    return _cut(norm, value.weight, value.bias, out, attention.head_dim)


def _gpt2(block: Any) -> Cut:
    d = block.attn.embed_dim
    fused = block.attn.c_attn
    return _cut(
        block.ln_1, fused.weight[:, 2 * d :].T, fused.bias[2 * d :], block.attn.c_proj,
        block.attn.head_dim,
    )  # fmt: skip


def _third_of_each(attention: Any, norm: Any, d_head: int) -> Cut:
    """Query, key and value of one head after the other."""
    fused = attention.query_key_value
    value = fused.weight.reshape(-1, 3, d_head, fused.weight.shape[1])[:, 2].flatten(0, 1)
    bias = fused.bias.reshape(-1, 3, d_head)[:, 2].flatten()
    return _cut(norm, value, bias, attention.dense, d_head)


CUTS: dict[str, Callable[[Any], Cut]] = {
    **dict.fromkeys(("llama", "gemma2", "gpt_oss"), lambda b: _separate(b, b.input_layernorm)),
    "olmo2": lambda b: _separate(b, lambda x: x),
    "opt": lambda b: _separate(b, b.self_attn_layer_norm, "out_proj"),
    "gpt2": _gpt2,
    "gpt_neox": lambda b: _third_of_each(b.attention, b.input_layernorm, b.attention.head_size),
    "bloom": lambda b: _third_of_each(b.self_attention, b.input_layernorm, 8),
}


@dataclass(frozen=True)
class Wrong:
    """A neighbour of the definition, which must not give the same scores."""

    source: int = 0
    head: int = 0
    interleaved: bool = False
    value_bias: bool = True
    output_bias: bool = False
    normed: bool = False


RIGHT = Wrong()


@torch.no_grad()
def written(
    module: Any, prompts: Sequence[SourcePrompt], layers: Sequence[int], wrong: Wrong = RIGHT
) -> Tensor:
    """What heads write: [without and with context, prompts, layers, n_heads, d_model]."""
    modules = Modules(module)
    cuts = [CUTS[modules.config.model_type](modules.blocks[layer]) for layer in layers]
    rows: list[Tensor] = []
    for prompt in prompts:
        ids = torch.tensor([prompt.ids])
        out = module(ids, output_attentions=True, output_hidden_states=True, use_cache=False)
        own: list[Tensor] = []
        for layer, cut in zip(layers, cuts, strict=True):
            read = cut.norm(out.hidden_states[layer])[0]
            pattern = out.attentions[layer][0, :, -1]
            for head in range(len(cut.W_O)):
                share = len(cut.W_O) // len(cut.W_V)
                kv = head % len(cut.W_V) if wrong.interleaved else head // share
                values = read @ cut.W_V[kv]
                if cut.b_V is not None and wrong.value_bias:
                    values = values + cut.b_V[kv]
                z = torch.stack([values[prompt.source + wrong.source], pattern[head] @ values])
                wrote = z @ cut.W_O[(head + wrong.head) % len(cut.W_O)]
                own.append(wrote + cut.b_O if wrong.output_bias else wrote)
        rows.append(torch.stack(own, dim=1).unflatten(1, (len(cuts), -1)))
    found = torch.stack(rows, dim=1)
    if wrong.normed:
        found = getattr(modules.decoder, modules.parts.final)(found)
    return found


def shares(
    module: Any,
    W_U: Tensor,
    prompts: Sequence[SourcePrompt],
    targets: Sequence[set[int]],
    k: int,
    *,
    layers: Sequence[int] | None = None,
    usable: Sequence[int] | None = None,
    wrong: Wrong = RIGHT,
) -> Tensor:
    """Shares of prompts with a target among the k largest: [without and with, layers, n_heads]."""
    chosen = range(len(Modules(module).blocks)) if layers is None else layers
    ids = list(range(W_U.shape[1])) if usable is None else sorted(usable)
    wrote = written(module, prompts, chosen, wrong)
    hits = wrote.new_zeros(wrote.shape[:-1], dtype=torch.float64)
    for at in range(len(prompts)):
        logits = wrote[:, at] @ W_U[:, ids]
        for index in torch.cartesian_prod(*map(torch.arange, logits.shape[:-1])).tolist():
            best = order(logits[tuple(index)].tolist(), k)
            success = bool(targets[at] & {ids[place] for place in best})
            hits[index[0], at, index[1], index[2]] = success
    return hits.mean(dim=1)
