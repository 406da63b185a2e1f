from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from annotator.maps.duplicates import find_duplicates
from annotator.maps.top_k import largest


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(kinds=st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_finds_exactly_the_repeated_rows(dtype: torch.dtype, kinds: list[int]) -> None:
    rows = torch.randn(7, 5, generator=torch.Generator().manual_seed(3)).to(dtype)[kinds]
    found = find_duplicates(rows)
    expected = {i: kinds.index(kind) for i, kind in enumerate(kinds) if kinds.index(kind) < i}
    if found is None:
        assert expected == {}
        return
    assert dict(zip(found.later.tolist(), found.first.tolist(), strict=True)) == expected


@given(
    kinds=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    scores=st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0]), min_size=10, max_size=10),
    k=st.integers(1, 45),
)
def test_expanding_equals_a_sort_of_everything(
    kinds: list[int], scores: list[float], k: int
) -> None:
    found = find_duplicates(torch.eye(10)[kinds])
    values = torch.tensor([[scores[kind] for kind in kinds]])
    expected = sorted(range(len(kinds)), key=lambda i: (-scores[kinds[i]], i))[:k]
    if found is None:
        return
    first = values.index_fill(1, found.later, -torch.inf)
    kept, ids = found.expand(*largest(first, k), min(k, len(kinds)))
    assert ids[0].tolist() == expected
    assert kept[0].tolist() == [scores[kinds[i]] for i in expected]


def test_a_column_view_is_read_by_rows() -> None:
    columns = torch.randn(6, 4)
    columns[:, 3] = columns[:, 1]
    found = find_duplicates(columns.T)
    assert found is not None
    assert (found.later.tolist(), found.first.tolist()) == ([3], [1])
