"""Mixtures of experts: each token's own experts, and all ways in which checkpoints keep them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from annotator.weights.families import FAMILIES
from annotator.weights.family import Experts
from annotator.weights.mlp import Mixture
from tests.weights.conftest import Subject

SPARSE = (
    *("mixtral-gqa", "mixtral-one-expert", "olmoe-gqa", "olmoe-renormalised", "qwen2_moe-gqa"),
    *("qwen2_moe-renormalised", "qwen3_moe-gqa", "qwen3_moe-renormalised", "gpt_oss-gqa"),
    *("gpt_oss-clamped", "llama4_text-gqa", "llama4_text-one-expert", "llama4"),
)


def mixture_of(subject: Subject) -> tuple[Mixture, torch.Tensor]:
    """The mixture, and what it reads for each token."""
    first = subject.model.first_mlp()
    assert first.mixture
    assert first.norm
    return first.mixture, first.norm(subject.ends.embedded)


def test_every_sparse_family_is_here(subject_of: Callable[[str], Subject]) -> None:
    here = {subject_of(recipe).model.plan.family.name for recipe in SPARSE}
    entries = [entry for entries in FAMILIES.values() for entry in entries]
    assert here == {entry.name for entry in entries if isinstance(entry.mlp, Experts)}


@pytest.mark.parametrize("recipe", SPARSE)
def test_tokens_take_different_experts_and_every_expert_is_taken(
    recipe: str, subject_of: Callable[[str], Subject]
) -> None:
    """Otherwise the proof of X would say little about routing."""
    subject = subject_of(recipe)
    mixture, read = mixture_of(subject)
    taken = mixture.router(read) != 0
    assert (taken.sum(dim=1) == mixture.router.per_token).all()
    assert taken.any(dim=0).all()
    assert len({tuple(row.tolist()) for row in taken}) > 2


@pytest.mark.parametrize("recipe", SPARSE)
def test_the_module_itself_takes_these_experts(
    recipe: str, subject_of: Callable[[str], Subject]
) -> None:
    subject = subject_of(recipe)
    mixture, read = mixture_of(subject)
    block = subject.modules.blocks[0]
    router = next(part for name, part in block.named_modules() if name in ROUTERS)
    with torch.no_grad():
        out = router(read)
    if "llama4" in recipe:  # gives a score for every expert, 0 where it is not taken
        theirs = out[0] != 0
    else:  # logits, weights and indices of those chosen
        theirs = torch.zeros(read.shape[0], 4, dtype=torch.bool).scatter(1, out[2], True)
    assert torch.equal(mixture.router(read) != 0, theirs)


ROUTERS = ("mlp.gate", "mlp.router", "feed_forward.router")


def test_the_clamp_of_gpt_oss_bites(subject_of: Callable[[str], Subject]) -> None:
    mixture, read = mixture_of(subject_of("gpt_oss-clamped"))
    expert = mixture.expert(0)
    assert expert.gate
    assert (expert.gate(read) > 7).any()
    assert (expert.up(read) > 7).any()
    assert (expert.up(read) < -7).any()


@pytest.mark.parametrize("recipe", SPARSE)
def test_experts_count_by_the_token_and_not_by_the_batch(
    recipe: str, subject_of: Callable[[str], Subject]
) -> None:
    first, rows = subject_of(recipe).model.first_mlp(), subject_of(recipe).ends.embedded
    alone = torch.cat([first(rows[at : at + 1]) for at in range(8)])
    torch.testing.assert_close(alone, first(rows)[:8], atol=1e-12, rtol=1e-12)


DENSE = (
    *("qwen2_moe-dense", "qwen2_moe-every-second", "qwen3_moe-dense", "qwen3_moe-every-second"),
    *("llama4_text-dense", "llama4_text-every-second", "llama4-dense"),
)


@pytest.mark.parametrize("recipe", DENSE)
def test_a_first_block_may_be_dense_and_another_sparse(
    recipe: str, subject_of: Callable[[str], Subject]
) -> None:
    subject = subject_of(recipe)
    experts = [
        any("experts" in name for name, _ in block.named_parameters())
        for block in subject.modules.blocks
    ]
    assert experts == [False, True]
    assert subject.model.plan.n_experts == 0
    assert subject.model.first_mlp().mixture is None
