"""What a model says with some heads ablated: their z is zero at the last position of a prompt.

Only the last position changes, so the earlier ones are run once, and their keys and values serve
every set of heads; what prompts begin with in common is run once for all of them. Many sets go
through together: each row of a pass has a set of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from annotator.errors import NotRun
from annotator.records import HeadId
from annotator.validate.batches import memory, prompt_bytes
from annotator.validate.hook_points import parts_of, watch
from annotator.weights.dims import Dims
from annotator.weights.model import Model

TOLERANCE = 1e-2
"""How far logits over kept keys and values may be from those of a whole pass, relative to the
largest. Rounding leaves 1e-6; a model whose positions are not causal leaves about 1."""


Watched = Callable[[Sequence[Any]], Iterable[Any]]
"""Passes through what it is given, and may show how far that is."""


@dataclass(frozen=True)
class Past:
    """Prompts that have been run but for their last position.

    Attributes:
        kept: keys and values of the earlier positions, as transformers keeps them; None where
            there are none.
        last: the last tokens.
    """

    kept: Any
    last: Int[Tensor, " prompts"]


def count_right(
    model: Model,
    module: nn.Module,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Collection[int]],
    ablated: Sequence[Collection[HeadId]],
    watched: Watched = iter,
) -> list[int]:
    """How many prompts are answered rightly, with each set of heads ablated at the last position.

    An answer is the token of the largest logit, the model's own, over the whole vocabulary.

    Args:
        model: the checkpoint.
        module: what `annotator.weights.full_module.module_of` made of it.
        prompts: token ids, each at least one.
        answers: the tokens of which any is right, for each prompt.
        ablated: the sets; an empty one leaves the model as it is.
        watched: passes the batches of prompts through, to show how far it is.

    Returns:
        A count for each set.

    Raises:
        NotRun: earlier positions of this model depend on later ones.
    """
    right = [0] * len(ablated)
    if not ablated:
        return right
    proved = False
    for chosen, sets in watched(list(_passes(model, prompts, len(ablated)))):
        ids = torch.tensor([list(prompts[at]) for at in chosen], device=model.device)
        if not proved:
            _refuse_unless_causal(model, module, ids[:2])
            proved = True
        past = run_past(module, ids)
        for these in sets:
            mask = as_mask(model.dims, [ablated[at] for at in these]).to(model.device)
            said = last_logits(model, module, past, mask).argmax(dim=-1).tolist()
            for at, row in zip(chosen, said, strict=True):
                for one, token in zip(these, row, strict=True):
                    right[one] += token in answers[at]
    return right


def as_mask(
    dims: Dims, ablated: Sequence[Collection[HeadId]]
) -> Bool[Tensor, "columns n_layers n_heads"]:
    """Sets of heads as truth values, a column each."""
    mask = torch.zeros(len(ablated), dims.n_layers, dims.n_heads, dtype=torch.bool)
    for column, heads in enumerate(ablated):
        for head in heads:
            mask[column, head.layer, head.head] = True
    return mask


@torch.no_grad()
def run_past(module: nn.Module, ids: Int[Tensor, "prompts positions"]) -> Past:
    """Run all positions but the last; nothing is ablated there, and no unembedding is needed."""
    decoder: Any = module.base_model
    earlier, kept = ids[:, :-1], None
    shared = int((earlier == earlier[0]).all(dim=0).cumprod(dim=0).sum())
    if shared:
        kept = decoder(earlier[:1, :shared], use_cache=True).past_key_values
        kept.batch_repeat_interleave(len(ids))
    if shared < earlier.shape[1]:
        own = decoder(earlier[:, shared:], past_key_values=kept, use_cache=True)
        kept = own.past_key_values
    return Past(kept, ids[:, -1])


@torch.no_grad()
def last_logits(
    model: Model,
    module: nn.Module,
    past: Past,
    ablated: Bool[Tensor, "columns n_layers n_heads"],
) -> Float[Tensor, "prompts columns vocab"]:
    """The last position's logits for each prompt and each set of ablated heads; `past` stays."""
    prompts, sets = len(past.last), len(ablated)
    touched = ablated.any(dim=2).any(dim=0).tolist()
    heard = ~ablated.repeat(prompts, 1, 1)  # sets within prompts, as the rows are

    def muted(layer: int, z: Tensor) -> Tensor | None:
        if not touched[layer]:
            return None
        by_head = z.unflatten(-1, (model.dims.n_heads, model.dims.d_head))
        return (by_head * heard[:, layer, None, :, None]).flatten(-2)

    kept = copy.deepcopy(past.kept)
    if kept is not None:
        kept.batch_repeat_interleave(sets)
    last = past.last.repeat_interleave(sets)[:, None]
    with watch(parts_of(model, module), z=muted):
        out = module(last, past_key_values=kept, use_cache=kept is not None)
    return out.logits[:, -1].unflatten(0, (prompts, sets))


def _passes(
    model: Model, prompts: Sequence[Sequence[int]], sets: int
) -> Iterator[tuple[list[int], list[range]]]:
    """Prompts of one length, and the sets that go through with all of them at once."""
    dims, limit = model.dims, memory(model.device)
    by_length = sorted(range(len(prompts)), key=lambda at: len(prompts[at]))
    for length, group in groupby(by_length, key=lambda at: len(prompts[at])):
        alike = list(group)
        rows = max(1, limit // _row_bytes(dims, length, model.dtype))
        fitting = max(1, limit // prompt_bytes(dims, length, model.dtype))
        together = min(rows, fitting, len(alike))
        step = min(sets, rows // together)
        columns = [range(at, min(at + step, sets)) for at in range(0, sets, step)]
        for at in range(0, len(alike), together):
            yield alike[at : at + together], columns


def _row_bytes(dims: Dims, length: int, dtype: torch.dtype) -> int:
    """Bytes of a row: keys and values of all layers, which are copied once more, and logits."""
    kept = 4 * dims.n_layers * dims.n_kv_heads * dims.d_head * length
    return (kept + 2 * dims.vocab) * dtype.itemsize + prompt_bytes(dims, 1, dtype)


def _refuse_unless_causal(
    model: Model, module: nn.Module, ids: Int[Tensor, "prompts positions"]
) -> None:
    """A whole pass says the same as one over kept keys and values, where nothing is ablated."""
    with torch.no_grad():
        whole = module(ids).logits[:, -1]
    none = as_mask(model.dims, [()]).to(model.device)
    kept = last_logits(model, module, run_past(module, ids), none)[:, 0]
    if not bool((whole - kept).abs().max() <= TOLERANCE * whole.abs().max()):
        raise NotRun(
            model.source.id,
            "its earlier positions depend on later ones, or its cache does not hold them",
            "Heads cannot be ablated at the last position alone; map and correlate it instead.",
        )
