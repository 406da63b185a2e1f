from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from annotator.maps import projection
from annotator.maps.projection import project
from annotator.maps.top_k import finite_or_last, largest, rank_of
from tests import oracle

# Few distinct values: ties everywhere, at the edge of the k kept above all.
tied_rows = st.integers(1, 40).flatmap(
    lambda width: st.lists(
        st.lists(
            st.sampled_from([-2.0, -1.0, 0.0, 1.0, 3.5, float("-inf")]),
            min_size=width,
            max_size=width,
        ),
        min_size=1,
        max_size=4,
    )
)


@given(tied_rows, st.integers(1, 45))
def test_largest_is_a_stable_sort(rows: list[list[float]], k: int) -> None:
    values, index = largest(torch.tensor(rows), k)
    for row, kept, at in zip(rows, values.tolist(), index.tolist(), strict=True):
        expected = sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]
        assert at == expected
        assert kept == [row[i] for i in expected]


@given(tied_rows, st.data())
def test_rank_is_the_place_in_that_order(rows: list[list[float]], data: st.DataObject) -> None:
    target = data.draw(st.integers(0, len(rows[0]) - 1))
    ranks = rank_of(torch.tensor(rows), target).tolist()
    for row, rank in zip(rows, ranks, strict=True):
        assert sorted(range(len(row)), key=lambda i: (-row[i], i)).index(target) == rank


def test_what_is_not_finite_comes_last() -> None:
    values = torch.tensor([[1.0, float("nan"), float("inf"), -5.0]])
    assert largest(finite_or_last(values), 4)[1].tolist() == [[0, 3, 1, 2]]


def integers(seed: int, *shape: int) -> Tensor:
    """Small whole numbers: sums are exact in float32, and ties abound."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-2, 3, shape, generator=generator).float()


@given(
    seed=st.integers(0, 1 << 30),
    vocab=st.sampled_from([1, 3, 63, 64, 65, 640, 1000, 1024, 2048, 2500]),
    k=st.integers(1, 12),
)
def test_blockwise_projection_equals_one_sort(seed: int, vocab: int, k: int) -> None:
    z, W_U = integers(seed, 3, 4), integers(seed + 1, 4, vocab)
    before, projection.BLOCK = projection.BLOCK, 1024
    try:
        kept = project(z, W_U, k, suppress=True)
    finally:
        projection.BLOCK = before
    logits = z @ W_U
    assert kept.bottom_ids is not None
    for row in range(3):
        values = logits[row].tolist()
        assert kept.top_ids[row].tolist() == oracle.order(values, k)
        assert kept.bottom_ids[row].tolist() == oracle.order([-v for v in values], k)
    torch.testing.assert_close(kept.mean, logits.mean(1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kept.sd, logits.std(1, correction=0), atol=1e-3, rtol=1e-5)
