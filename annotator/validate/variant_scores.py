"""Variants of the static score, beside the paper's; the dynamic side stays the paper's.

A head map leaves the norms' gains out, and the residual out of X. Whether that costs anything is
a question for the same pairs and heads, scored otherwise (docs/definitions.md, "Variants of the
static score"):

- A gain is linear: x g W_V is x (diag(g) W_V), and z g W_U is z diag(g) W_U, which W_O can take.
- Gains are measured, not looked up by name: the input norm is the module whose output attention
  reads, the final norm the one whose output the unembedding reads, in whatever family.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from annotator.errors import SettingInvalid
from annotator.maps.relations import relation_scores
from annotator.maps.settings import MapSettings
from annotator.records import RelationPairs
from annotator.validate.hook_points import parts_of, watch
from annotator.weights.mlp import FirstMlp
from annotator.weights.model import LayerHeads, Model

VARIANTS: Mapping[str, str] = {
    "value gain": "the gain of the norm that attention reads through, folded into W_V",
    "unembedding gain": "the gain of the final norm, folded into W_U",
    "residual": "the residual kept in X: MLP_0(norm_2(W_E)) + W_E",
    "embedding": "X is the bare embedding in every layer",
}
"""What each variant changes; everything else is the catalog's."""

LARGE_LOGIT = 2.0**20
"""Size of the probe: no epsilon of a norm counts beside its square."""
PROMPT = 4
"""Tokens of the prompt that shows which norms are read."""


@dataclass(frozen=True)
class Gains:
    """What a model's norms multiply by, offsets included.

    Attributes:
        inputs: by layer, of the norm whose output attention reads; None: it reads no norm's.
        final: of the norm whose output the unembedding reads; None: it reads no norm's.
    """

    inputs: Sequence[Float[Tensor, " d_model"] | None]
    final: Float[Tensor, " d_model"] | None


def gains_of(model: Model, module: nn.Module) -> Gains:
    """Measure the gains of a running model's norms.

    Args:
        model: the checkpoint.
        module: what `annotator.weights.full_module.module_of` made of it.
    """
    read: dict[int, Tensor] = {}
    written: list[tuple[nn.Module, Tensor]] = []
    seen: list[Tensor] = []

    def see(_: nn.Module, args: Any) -> None:
        seen.append(args[0])

    def keep(part: nn.Module, args: Any, out: Any) -> None:
        if args and isinstance(out, Tensor) and args[0].shape == out.shape:
            written.append((part, out))

    hooks = [
        part.register_forward_hook(keep) for part in module.modules() if not list(part.children())
    ]
    unembedding: Any = module.get_output_embeddings()  # pyright: ignore[reportCallIssue]
    hooks.append(unembedding.register_forward_pre_hook(see))
    ids = torch.arange(min(PROMPT, model.dims.vocab), device=model.device)[None]
    try:
        with watch(parts_of(model, module), read=read.__setitem__), torch.no_grad():
            module(ids)
    finally:
        for hook in hooks:
            hook.remove()
    d_model = model.dims.d_model
    inputs = [_gain(read[layer], written, d_model) for layer in range(model.dims.n_layers)]
    return Gains(inputs, _gain(seen[0], written, d_model))


def absent_variants(model: Model, module: nn.Module, settings: MapSettings) -> dict[str, str]:
    """Variants that a model does not have, and why.

    Args:
        model: the checkpoint.
        module: what `annotator.weights.full_module.module_of` made of it.
        settings: of the scores that a variant stands beside.
    """
    return _absent(gains_of(model, module), settings)


def variant_scores(
    model: Model,
    module: nn.Module,
    pairs: Sequence[RelationPairs],
    settings: MapSettings,
    variant: str,
    usable: Sequence[int] | None = None,
) -> Iterator[tuple[int, dict[str, Float[Tensor, " n_heads"]]]]:
    """Score all heads on relations by a variant.

    Args:
        model: the checkpoint.
        module: what `annotator.weights.full_module.module_of` made of it.
        pairs: what counts of each relation.
        settings: X, as far as the variant leaves it.
        variant: one of `VARIANTS`.
        usable: token ids that count; None: every row of the embedding.

    Yields:
        Layer after layer, each relation's score at its k, in float64 on the CPU.

    Raises:
        SettingInvalid: no such variant, or one that the model does not have.
    """
    if variant not in VARIANTS:
        raise SettingInvalid("variant", variant, "one of " + ", ".join(VARIANTS))
    gains = gains_of(model, module)
    if reason := _absent(gains, settings).get(variant):
        raise SettingInvalid("variant", variant, f"one that this model has: {reason}")
    if variant == "embedding":
        settings = replace(settings, source_form="embedding")
    changed, ids = _Changed(model, gains, variant), {one.name: one.ids for one in pairs}
    k_max = max(one.k for one in pairs)
    for layer in relation_scores(changed, ids, settings, k_max, usable=usable):
        found = layer.relations
        yield layer.layer, {one.name: found[one.name].phi()[:, one.k - 1] for one in pairs}


def _absent(gains: Gains, settings: MapSettings) -> dict[str, str]:
    absent: dict[str, str] = {}
    if without := [str(layer) for layer, gain in enumerate(gains.inputs) if gain is None]:
        some = len(without) < len(gains.inputs)
        where = f" in layers {', '.join(without)}" if some else ""
        absent["value gain"] = f"no norm stands before attention{where}"
    if gains.final is None:
        absent["unembedding gain"] = "no norm stands directly before the unembedding"
    if settings.source_form == "embedding":
        for name in ("residual", "embedding"):
            absent[name] = "X is the bare embedding already"
    return absent


class _Changed(Model):
    """A model whose matrices are a variant's.

    Args:
        model: the checkpoint.
        gains: the model's.
        variant: which.
    """

    def __init__(self, model: Model, gains: Gains, variant: str) -> None:
        super().__init__(model.plan, model.dtype, model.device)
        self.gains, self.variant = gains, variant

    def heads(self, layer: int) -> LayerHeads:
        own, value, final = super().heads(layer), self.gains.inputs[layer], self.gains.final
        if self.variant == "value gain" and value is not None:
            return replace(own, W_V=own.W_V * value[:, None])
        if self.variant == "unembedding gain" and final is not None:
            return replace(own, W_O=own.W_O * final)
        return own

    def first_mlp(self) -> FirstMlp:
        mlp = super().first_mlp()
        if self.variant != "residual":
            return mlp
        return _WithResidual(**{field.name: getattr(mlp, field.name) for field in fields(mlp)})


class _WithResidual(FirstMlp):
    """The residual stream after the first MLP, instead of what the MLP adds to it."""

    def __call__(self, x: Tensor) -> Tensor:
        return x + super().__call__(x)


def _gain(
    read: Tensor, written: Sequence[tuple[nn.Module, Tensor]], d_model: int
) -> Float[Tensor, " d_model"] | None:
    """The gain of the norm that wrote what was read; None where no norm did.

    All that was written is kept until now, so that equal addresses are the same tensor.
    """
    for part, out in written:
        if out.data_ptr() == read.data_ptr() and out.shape == read.shape:
            gain = _probed(part, read.new_ones(d_model))
            if gain is not None:
                return gain
    return None


@torch.no_grad()
def _probed(part: nn.Module, ones: Float[Tensor, " d_model"]) -> Float[Tensor, " d_model"] | None:
    """What a norm multiplies by; None for a module that is no norm: what it writes grows with x.

    A vector of entries +1 and -1 in turn is its own norm, by RMS or, of mean 0, by layer norm; the
    half difference to its negative is without the bias.
    """
    x = ones.clone()
    x[1::2] = -1
    both = torch.stack([x, -x])[:, None] * LARGE_LOGIT
    once, twice = part(both), part(2 * both)
    if not torch.allclose(once, twice, rtol=1e-4, atol=1e-6):
        return None
    return (once[0, 0] - once[1, 0]) / 2 * x
