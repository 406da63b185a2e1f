"""A model in inference: what its attention reads at a source, and what its heads gather.

One forward pass, without the language-model head, serves all heads of a batch. What the prompts of
a template have in common before the source goes through once, and its keys and values are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from annotator.errors import SettingInvalid
from annotator.maps.counted_rows import open_space
from annotator.maps.ranks import Columns, shuffle
from annotator.validate.batches import batches, memory
from annotator.validate.hook_points import Parts, parts_of, watch
from annotator.validate.prompts import SourcePrompt
from annotator.weights.model import Model

SAME = 1e-3
"""Relative difference up to which two passes are one: rounding leaves less, another model more."""


@dataclass(frozen=True)
class Inference:
    """A model that is run, and what it is measured with.

    Attributes:
        model: its matrices.
        module: the same model, as transformers runs it.
        parts: where its heads are.
        columns: the unembedding, columns that count.
        ids: the token id of each column of W_U, ascending.
    """

    model: Model
    module: nn.Module
    parts: Parts
    columns: Columns
    ids: Int[Tensor, " vocab"]

    def column(self, targets: Sequence[int]) -> Int[Tensor, " targets"]:
        """The columns of W_U of some tokens.

        Raises:
            SettingInvalid: one that does not count.
        """
        wanted = torch.tensor(targets, dtype=torch.int64, device=self.ids.device)
        found = torch.searchsorted(self.ids, wanted).clamp(max=len(self.ids) - 1)
        wrong = wanted[self.ids[found] != wanted].unique().tolist()
        if wrong:
            raise SettingInvalid("targets", wrong, "tokens that count")
        return found


def open_inference(
    model: Model, module: nn.Module, usable: Sequence[int] | None = None
) -> Inference:
    """Make a model ready for dynamic scores; it holds a copy of W_U beside the module's.

    Args:
        model: the checkpoint.
        module: what `annotator.weights.full_module.module_of` made of it.
        usable: token ids that count; None: every row of the embedding.
    """
    _, space = open_space(model, None if usable is None else sorted(usable))
    columns = shuffle(space.W_U, space.same_targets)
    return Inference(model, module, parts_of(model, module), columns, space.ids)


def may_share(inference: Inference, prompt: SourcePrompt) -> bool:
    """Whether what comes before a source is the same whatever follows: not if heads look ahead."""
    shared, alone = (_pass(inference, [one]) for one in (prompt, replace(prompt, first=0)))
    return all(
        bool((one - other).abs().max() <= SAME * other.abs().max())
        for one, other in zip(shared, alone, strict=True)
    )


def run_prompts(
    inference: Inference, prompts: Sequence[SourcePrompt]
) -> tuple[
    Float[Tensor, "n_layers prompts d_model"], Float[Tensor, "n_layers prompts n_heads d_head"]
]:
    """What attention read at the source, and every head's z at the last position."""
    model, dims = inference.model, inference.model.dims
    empty = inference.columns.W.new_empty
    read = empty(dims.n_layers, len(prompts), dims.d_model)
    z = empty(dims.n_layers, len(prompts), dims.n_heads, dims.d_head)
    for batch in batches(prompts, dims, model.dtype, memory(model.device)):
        own = torch.tensor(batch, device=model.device)
        read[:, own], z[:, own] = _pass(inference, [prompts[at] for at in batch])
    return read, z


@torch.inference_mode()
def _pass(
    inference: Inference, prompts: Sequence[SourcePrompt]
) -> tuple[
    Float[Tensor, "n_layers prompts d_model"], Float[Tensor, "n_layers prompts n_heads d_head"]
]:
    """The same of prompts of equal length and beginning, in one forward pass."""
    dims, device = inference.model.dims, inference.model.device
    decoder: Any = inference.module.base_model
    shared = prompts[0].first
    ids = torch.tensor([prompt.ids for prompt in prompts], device=device)
    source = torch.tensor([prompt.source - shared for prompt in prompts], device=device)
    each = torch.arange(len(prompts), device=device)
    read: dict[int, Tensor] = {}
    z: dict[int, Tensor] = {}

    def keep_read(layer: int, hidden: Tensor) -> None:
        read[layer] = hidden[each, source]

    def keep_z(layer: int, gathered: Tensor) -> None:
        z[layer] = gathered[:, -1].unflatten(1, (dims.n_heads, dims.d_head)).clone()

    cache: Any = None
    if shared:
        cache = decoder(ids[:1, :shared], use_cache=True).past_key_values
        cache.batch_repeat_interleave(len(prompts))
    with watch(inference.parts, read=keep_read, z=keep_z):
        decoder(ids[:, shared:], past_key_values=cache, use_cache=cache is not None)
    layers = range(dims.n_layers)
    return torch.stack([read[n] for n in layers]), torch.stack([z[n] for n in layers])
