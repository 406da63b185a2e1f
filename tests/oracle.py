"""The independent oracles: a model's own modules, and the definitions done the naive way.

Nothing here imports the engine or its table; what is compared with it is computed by transformers'
modules, which are found by the paths below, read off transformers' modeling files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import nsmallest
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn


def _fc(block: Any, x: Tensor) -> Tensor:
    """OPT keeps its MLP in the block itself."""
    return block.fc2(block.activation_fn(block.fc1(x)))


def _adds_residual(name: str) -> Callable[[Any, Tensor], Tensor]:
    """An MLP that adds the residual stream to what it computes: given zeros here."""
    return lambda block, x: getattr(block, name)(x, torch.zeros_like(x))


@dataclass(frozen=True)
class Parts:
    """Where transformers keeps the modules of one architecture.

    Attributes:
        decoder: path from the causal model to its decoder.
        blocks: path from there to the blocks.
        attention: path from a block to its attention.
        output: its output projection, inside the attention.
        norm: the norm that feeds the MLP, in a block; None: the MLP reads the residual stream.
        mlp: the MLP in a block, or how to run it.
        after: a norm of the MLP's output before it is added.
        final: the norm before the unembedding, in the decoder.
        positions: learned positions that are added to the embedding, in the decoder.
    """

    decoder: str = "model"
    blocks: str = "layers"
    attention: str = "self_attn"
    output: str = "o_proj"
    norm: str | None = "post_attention_layernorm"
    mlp: str | Callable[[Any, Tensor], Any] = "mlp"
    after: str | None = None
    final: str = "norm"
    positions: str = ""


def _gpt2(**changes: Any) -> Parts:
    common = {"decoder": "transformer", "blocks": "h", "attention": "attn", "output": "c_proj"}
    return Parts(**(common | {"norm": "ln_2", "final": "ln_f", "positions": "wpe"} | changes))


def _falcon(config: Any) -> Parts:
    new, parallel = config.new_decoder_architecture, config.parallel_attn
    two = new and config.num_ln_in_parallel_attn == 2
    norm = "ln_mlp" if two else "input_layernorm" if parallel else "post_attention_layernorm"
    return Parts("transformer", "h", "self_attention", "dense", norm, final="ln_f")


def _opt(config: Any) -> Parts:
    norm = "final_layer_norm" if config.do_layer_norm_before else "self_attn_layer_norm"
    ends = {"final": "final_layer_norm", "positions": "embed_positions"}
    return Parts("model.decoder", output="out_proj", norm=norm, mlp=_fc, **ends)


def _stablelm(config: Any) -> Parts:
    parallel = config.use_parallel_residual
    return Parts(norm="input_layernorm" if parallel else "post_attention_layernorm")


_GEMMA2 = Parts(norm="pre_feedforward_layernorm", after="post_feedforward_layernorm")
_OLMO2 = Parts(norm=None, after="post_feedforward_layernorm")

# Those that are not named here keep their modules as Llama does.
PARTS: dict[str, Parts | Callable[[Any], Parts]] = {
    **dict.fromkeys(("gemma2", "gemma3_text"), _GEMMA2),
    **dict.fromkeys(("olmo2", "olmo3", "exaone4"), _OLMO2),
    **dict.fromkeys(("cohere", "cohere2"), Parts(norm="input_layernorm")),
    "glm4": Parts(after="post_mlp_layernorm"),
    "llama4_text": Parts(mlp="feed_forward"),
    "phi": Parts(output="dense", norm="input_layernorm", final="final_layernorm"),
    "stablelm": _stablelm,
    **dict.fromkeys(("gpt2", "gpt_bigcode"), _gpt2()),
    "gpt_neo": _gpt2(attention="attn.attention", output="out_proj"),
    **dict.fromkeys(("gptj", "codegen"), _gpt2(norm="ln_1", output="out_proj", positions="")),
    "gpt_neox": Parts("gpt_neox", "layers", "attention", "dense", final="final_layer_norm"),
    "persimmon": Parts(output="dense", final="final_layernorm"),
    "opt": _opt,
    "bloom": Parts(
        *("transformer", "h", "self_attention", "dense"), mlp=_adds_residual("mlp"), final="ln_f"
    ),
    "falcon": _falcon,
    "mpt": Parts(
        *("transformer", "blocks", "attn", "out_proj", "norm_2", _adds_residual("ffn")),
        final="norm_f",
    ),
}
TOWERS = {
    "llama4": "language_model.model",
    **dict.fromkeys(("idefics3", "smolvlm"), "model.text_model"),
}
"""Where a multimodal model keeps its decoder, if not in model.language_model."""


class Modules:
    """The parts of a model, found by hand.

    Args:
        module: a causal language model or a multimodal one, with eager attention.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.config = module.config.get_text_config()
        parts = PARTS.get(self.config.model_type, Parts())
        self.parts = parts if isinstance(parts, Parts) else parts(self.config)
        wrapped = self.config is not module.config
        tower = TOWERS.get(module.config.model_type, "model.language_model")
        self.decoder = module.get_submodule(tower if wrapped else self.parts.decoder)
        self.blocks: Any = self.decoder.get_submodule(self.parts.blocks)
        self.attention: list[Any] = [b.get_submodule(self.parts.attention) for b in self.blocks]
        # Gemma squashes its logits, which is undone below: it is no part of W_U.
        self.caps = not wrapped or module.config.model_type == "paligemma"
        # Granite weighs what its blocks add to the residual stream.
        self.weight: float = getattr(self.config, "residual_multiplier", 1.0)

    def output_biases(self) -> list[Tensor]:
        """What each layer's attention adds whatever it attends to."""
        outputs = [getattr(attention, self.parts.output) for attention in self.attention]
        return [
            out.weight.new_zeros(self.config.hidden_size)
            if out.bias is None
            else out.bias.detach() * self.weight
            for out in outputs
        ]

    def written(self, rows: Tensor) -> Tensor:
        """X: what the first block's MLP writes when it reads rows [vocab, d_model] alone."""
        parts, block, x = self.parts, self.blocks[0], rows[None]
        with torch.no_grad():
            if parts.norm:
                x = getattr(block, parts.norm)(x)
            out = parts.mlp(block, x) if callable(parts.mlp) else getattr(block, parts.mlp)(x)
            out = out[0] if isinstance(out, tuple) else out  # beside the router's scores
            out = out.reshape(rows.shape)
            return self.weight * (getattr(block, parts.after)(out) if parts.after else out)


@dataclass(frozen=True)
class Attended:
    """What one layer's attention read, how it attended and what it wrote.

    Each is [prompts, positions, ...].
    """

    read: Tensor
    pattern: Tensor
    wrote: Tensor


def attended(module: Any, prompts: int = 3, positions: int = 7) -> list[Attended]:
    """Every layer's attention on random prompts."""
    modules = Modules(module)
    seen: list[Attended] = []

    def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        read = args[0] if args else kwargs["hidden_states"]
        wrote = out[0]
        if modules.config.model_type == "bloom":  # adds the residual stream, its second argument
            wrote = wrote - args[1]
        seen.append(Attended(read, out[1], wrote * modules.weight))

    hooks = [part.register_forward_hook(keep, with_kwargs=True) for part in modules.attention]
    generator = torch.Generator().manual_seed(1)
    size = (prompts, positions)
    ids = torch.randint(0, modules.config.vocab_size, size, generator=generator)
    with torch.no_grad():
        module(ids, output_attentions=True, use_cache=False)
    for hook in hooks:
        hook.remove()
    return seen


def residuals(
    seen: list[Attended], heads_of: Callable[[int], tuple[Tensor, Tensor | None, Tensor]]
) -> list[Tensor]:
    """What the heads leave of attn_out: it minus the sum of A_h (x W_V^h + b_V^h) W_O^h.

    Args:
        seen: what the attentions did.
        heads_of: layer -> (W_V [n_kv, d_model, d_head], b_V [n_kv, d_head] or None,
            W_O [n_heads, d_head, d_model]).

    Returns:
        For each layer a tensor [prompts * positions, d_model]; a right layout leaves one constant
        vector, the output bias.
    """
    left: list[Tensor] = []
    for layer, one in enumerate(seen):
        W_V, b_V, W_O = heads_of(layer)
        total = one.wrote.clone()
        for head in range(W_O.shape[0]):
            kv = head // (W_O.shape[0] // W_V.shape[0])
            values = one.read @ W_V[kv] + (0 if b_V is None else b_V[kv])
            total -= one.pattern[:, head] @ values @ W_O[head]
        left.append(total.flatten(0, 1))
    return left


def spread(residual: Tensor) -> float:
    """How far the rows are from one constant vector."""
    return float((residual - residual[0]).abs().max())


@dataclass(frozen=True)
class Ends:
    """The ends of the residual stream.

    Attributes:
        embedded: what enters the first block for each token, positions aside; [vocab, d_model].
        final: what the last norm makes of it after all blocks; [vocab, d_model].
        logits: [vocab, vocab].
    """

    embedded: Tensor
    final: Tensor
    logits: Tensor


def ends(module: Any) -> Ends:
    """Every token once, as a prompt of its own."""
    modules = Modules(module)
    # OPT-350m has no final norm: what leaves the last block counts.
    final = getattr(modules.decoder, modules.parts.final) or modules.blocks[-1]
    watched = {"final": final}
    if modules.parts.positions:
        watched["positions"] = modules.decoder.get_submodule(modules.parts.positions)
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _, __, out: seen.update({name: out[0] if isinstance(out, tuple) else out})

    def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen["embedded"] = args[0] if args else kwargs["hidden_states"]

    hooks = [part.register_forward_hook(keep(name)) for name, part in watched.items()]
    hooks.append(modules.blocks[0].register_forward_pre_hook(enter, with_kwargs=True))
    with torch.no_grad():
        logits = module(torch.arange(modules.config.vocab_size)[:, None], use_cache=False).logits
    for hook in hooks:
        hook.remove()
    embedded = (seen["embedded"] - seen.get("positions", 0))[:, 0]
    cap = getattr(modules.config, "final_logit_softcapping", None) if modules.caps else None
    logits = logits[:, 0] if cap is None else cap * torch.atanh(logits[:, 0] / cap)
    return Ends(embedded, seen["final"].view_as(embedded), logits)


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
    """The k largest by value, equal ones by smaller index, NaN last; in plain Python."""

    def key(index: int) -> tuple[bool, float, int]:
        value = values[index]
        return (False, -value, index) if isfinite(value) else (True, 0.0, index)

    return nsmallest(k, range(len(values)), key=key)
