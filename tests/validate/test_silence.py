"""Silenced heads against a whole pass with that head's rows of W_O taken out at the last position.

The oracle knows nothing of caches, masks or prefixes: it runs the whole prompt, and takes from what
the output projection writes at the last position what the silent heads contribute, by the weights
that transformers holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from annotator.errors import NotRun
from annotator.records import HeadId
from annotator.validate import zero_ablation as silence
from annotator.validate.zero_ablation import as_mask, count_right, last_logits, run_past
from annotator.weights.full_module import module_of
from annotator.weights.model import Model, open_model
from tests.recipes import built

H = HeadId
NO_HEAD: tuple[HeadId, ...] = ()
SETS = (NO_HEAD, (H(0, 1),), (H(0, 1), H(1, 2)), (H(0, 2), H(1, 0), H(1, 3)))

Linear = Callable[[Any], Sequence[Any]]
FAMILIES: dict[str, tuple[Linear, str]] = {
    "llama-gqa": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "llama-biases": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "gpt2-tied": (lambda m: [b.attn.c_proj for b in m.transformer.h], "in_out"),
    "neox-parallel": (lambda m: [b.attention.dense for b in m.gpt_neox.layers], "out_in"),
    "gemma2-gqa": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "gemma3_text-window": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "bloom": (lambda m: [b.self_attention.dense for b in m.transformer.h], "out_in"),
    "falcon-alibi": (lambda m: [b.self_attention.dense for b in m.transformer.h], "out_in"),
    "opt": (lambda m: [b.self_attn.out_proj for b in m.model.decoder.layers], "out_in"),
    "gptj": (lambda m: [b.attn.out_proj for b in m.transformer.h], "out_in"),
    "mpt": (lambda m: [b.attn.out_proj for b in m.transformer.blocks], "out_in"),
    "gpt_oss-gqa": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "mixtral-gqa": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "llama4_text-temperature": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
}


@contextmanager
def without(
    linears: Sequence[Any], stored: str, heads: Collection[HeadId], d_head: int, at: int = -1
) -> Iterator[None]:
    """What the heads write at a position is subtracted from what their projection writes."""

    def subtracting(layer: int) -> Callable[..., Tensor]:
        def hook(linear: Any, args: Any, out: Tensor) -> Tensor:
            out = out.clone()
            for head in (head for head in heads if head.layer == layer):
                rows = slice(head.head * d_head, (head.head + 1) * d_head)
                weight = linear.weight if stored == "in_out" else linear.weight.T
                out[:, at] -= args[0][:, at, rows] @ weight[rows]
            return out

        return hook

    hooks = [one.register_forward_hook(subtracting(layer)) for layer, one in enumerate(linears)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@cache
def opened(recipe: str) -> tuple[Model, Any]:
    model = open_model(built(recipe), dtype="float64")
    return model, module_of(model)


def expected(recipe: str, model: Model, module: Any, ids: Tensor, at: int = -1) -> Tensor:
    """[prompts, sets, vocab] of whole passes."""
    linears, stored = FAMILIES[recipe][0](module), FAMILIES[recipe][1]
    said: list[Tensor] = []
    for heads in SETS:
        with torch.no_grad(), without(linears, stored, heads, model.dims.d_head, at):
            said.append(module(ids).logits[:, -1])
    return torch.stack(said, dim=1)


def prompts(shared: int, length: int = 6, count: int = 3) -> Tensor:
    """Prompts that begin alike."""
    ids = torch.randint(6, 40, (count, length), generator=torch.Generator().manual_seed(length))
    ids[:, :shared] = ids[0, :shared]
    return ids


@pytest.mark.parametrize("shared", [0, 2, 5])
@pytest.mark.parametrize("recipe", FAMILIES)
def test_logits_are_those_of_a_whole_pass_without_the_heads(recipe: str, shared: int) -> None:
    model, module = opened(recipe)
    ids = prompts(shared)
    ours = last_logits(model, module, run_past(module, ids), as_mask(model.dims, SETS))
    right = expected(recipe, model, module, ids)
    scale = float(right.abs().max())
    torch.testing.assert_close(ours / scale, right / scale, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours[:, 0], module(ids).logits[:, -1], rtol=1e-6, atol=1e-6 * scale)


@pytest.mark.parametrize("recipe", ["llama-gqa", "gpt2-tied", "bloom"])
def test_a_neighbour_head_or_position_is_another_model(recipe: str) -> None:
    model, module = opened(recipe)
    ids = prompts(shared=2)
    past = run_past(module, ids)
    right = expected(recipe, model, module, ids)
    neighbours = [tuple(H(one.layer, (one.head + 1) % 4) for one in heads) for heads in SETS]
    wrong = last_logits(model, module, past, as_mask(model.dims, neighbours))
    earlier = expected(recipe, model, module, ids, at=-2)
    for other in (wrong, earlier):
        assert (other[:, 1:] - right[:, 1:]).abs().amax(dim=(0, 2)).min() > 1e-3
        torch.testing.assert_close(other[:, 0], right[:, 0])


def test_what_is_kept_serves_every_set_unchanged() -> None:
    model, module = opened("gemma2-gqa")
    past = run_past(module, prompts(shared=2))
    mask = as_mask(model.dims, SETS)
    first = last_logits(model, module, past, mask)
    one_by_one = [last_logits(model, module, past, mask[at : at + 1]) for at in range(len(SETS))]
    torch.testing.assert_close(torch.cat(one_by_one, dim=1), first)
    torch.testing.assert_close(last_logits(model, module, past, mask), first, rtol=0, atol=0)


def test_a_prompt_of_one_token_has_no_past() -> None:
    model, module = opened("llama-gqa")
    ids = prompts(shared=0, length=1)
    past = run_past(module, ids)
    assert past.kept is None
    ours = last_logits(model, module, past, as_mask(model.dims, SETS))
    torch.testing.assert_close(ours, expected("llama-gqa", model, module, ids))


def test_a_model_whose_positions_are_not_causal_is_refused() -> None:
    model, module = opened("gemma3_text-both-ways")
    ids = prompts(shared=0).tolist()
    with pytest.raises(NotRun, match="earlier positions depend on later ones"):
        count_right(model, module, ids, [frozenset({1})] * 3, [()])


@pytest.mark.parametrize("limit", [1, 100_000, 1 << 30])
def test_counts_are_of_whole_passes_whatever_fits(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "memory", lambda device: limit)
    model, module = opened("llama-gqa")
    asked = [*prompts(2, 6, 9).tolist(), *prompts(1, 4, 5).tolist(), *prompts(0, 1, 2).tolist()]
    right = [
        [
            expected("llama-gqa", model, module, torch.tensor([ids]))[0, at].argmax().item()
            for ids in asked
        ]
        for at in range(len(SETS))
    ]
    answers = [frozenset({right[at % 4][at], 3}) for at in range(len(asked))]
    wanted = [sum(token in a for token, a in zip(said, answers, strict=True)) for said in right]
    assert count_right(model, module, asked, answers, SETS) == wanted
    assert len(set(wanted)) > 1
