"""Ranks without the rows' logits equal those read off whole rows: ties, copies, broken rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from annotator.maps.duplicates import find_duplicates
from annotator.maps.ranks import FIRST, LOGITS_AT_ONCE, Ranks, rank_targets, shuffle


def ranks(row: Tensor, targets: list[int]) -> list[int] | None:
    """docs/definitions.md, "Rank", target by target: None for a row that cannot be ranked."""
    if not row.isfinite().all() or (row == row[0]).all():
        return None
    own = row[targets][:, None]
    smaller = torch.arange(len(row)) < torch.tensor(targets)[:, None]
    return ((row > own) | ((row == own) & smaller)).sum(dim=1).tolist()


def rank(row: Tensor, target: int) -> int | None:
    """Of one target."""
    places = ranks(row, [target])
    return None if places is None else places[0]


def naive_ranks(
    y: Tensor, W_O: Tensor, W_U: Tensor, rows: Tensor, targets: Tensor, k_max: int
) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = []
    below: list[list[int]] = []
    for head in range(len(W_O)):
        M = y[head * len(y) // len(W_O)] @ W_O[head] @ W_U
        for sign, kept in ((1, above), (-1, below)):
            found = [rank(sign * M[r], t) for r, t in zip(rows, targets.tolist(), strict=True)]
            kept.append([k_max if place is None else min(place, k_max) for place in found])
    return above, below


def ranked(y: Tensor, W_O: Tensor, W_U: Tensor, *where: Any) -> Ranks:
    return rank_targets(y, W_O, shuffle(W_U, find_duplicates(W_U.T)), *where)


@given(
    seed=st.integers(0, 10_000),
    vocab=st.sampled_from([1, 2, 7, 64, 255, 300, 1500]),
    kinds=st.sampled_from([1, 2, 20, 2000]),
    span=st.sampled_from([0, 1, 2, 30]),
    shape=st.sampled_from([(1, 1), (1, 3), (2, 4)]),
    n_rows=st.integers(1, 40),
    broken=st.sampled_from([None, torch.nan, torch.inf, -torch.inf]),
    k_max=st.sampled_from([1, 2, 25, 255, 5000]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_whole_numbers_tie_and_equal_the_definition(
    seed: int,
    vocab: int,
    kinds: int,
    span: int,
    shape: tuple[int, int],
    n_rows: int,
    broken: float | None,
    k_max: int,
    dtype: torch.dtype,
) -> None:
    """Small whole numbers: every order of summation gives the same logits, and many are equal."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *size: int) -> Tensor:
        return torch.randint(low, high + 1, size, generator=generator)

    n_kv, n_heads = shape
    y = draw(-span, span, n_kv, n_rows, 3).to(dtype)
    W_O = draw(-2, 2, n_heads, 3, 6).to(dtype)
    W_U = draw(-2, 2, 6, kinds).to(dtype)[:, draw(0, kinds - 1, vocab)]
    rows, targets = draw(0, n_rows - 1, 50), draw(0, vocab - 1, 50)
    if broken is not None:
        y[0, draw(0, n_rows - 1, 3), 1] = broken
    found = ranked(y, W_O, W_U, rows, targets, k_max)
    expected = naive_ranks(y, W_O, W_U, rows, targets, k_max)
    assert (found.above.tolist(), found.below.tolist()) == expected
    assert (found.computed <= n_rows * vocab).all()


@pytest.mark.parametrize("where", ["W_U", "W_O"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 3e38])
def test_logits_that_are_not_finite_are_misses(where: str, value: float) -> None:
    """In one head only, or in one column, whose logit overflows in some rows and not in others."""
    generator = torch.Generator().manual_seed(0)
    y, W_O, W_U = (torch.randn(n, generator=generator) for n in ((2, 30, 4), (4, 4, 8), (8, 900)))
    y[1, 3] *= 1e-6
    if where == "W_U":
        W_U[2, 700] = value
    else:
        W_O[1, 2, 5] = value
    rows = torch.arange(30).repeat(2)
    targets = torch.randint(900, (60,), generator=generator)
    found = ranked(y, W_O, W_U, rows, targets, 900)
    above, below = naive_ranks(y, W_O, W_U, rows, targets, 900)
    missed = torch.tensor(above) == 900
    assert missed.any()
    assert torch.equal(found.above == 900, missed)
    assert torch.equal(found.below == 900, torch.tensor(below) == 900)


def test_more_rows_than_fit_a_chunk() -> None:
    n = LOGITS_AT_ONCE // FIRST + 500
    generator = torch.Generator().manual_seed(0)
    shapes = ((1, n, 2), (2, 2, 3), (3, 300))
    y, W_O, W_U = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
    rows = torch.arange(n).repeat(2)[torch.randperm(2 * n, generator=generator)]
    targets = torch.randint(300, (2 * n,), generator=generator)
    found = ranked(y, W_O, W_U, rows, targets, 25)
    for head in range(2):
        M = (y[0] @ W_O[head] @ W_U)[rows]
        own = M.gather(1, targets[:, None])
        place = (M - own > 0).sum(dim=1)
        assert torch.equal(found.above[head], place.clamp(max=25))
        assert torch.equal(found.below[head], (299 - place).clamp(max=25))
