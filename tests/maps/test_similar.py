from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import SettingInvalid
from annotator.maps import similar as module
from annotator.maps.similar import similar

Ids = Sequence[Sequence[int]]
HEADS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 12), max_size=6),
        st.lists(st.integers(0, 40) | st.just(128_255), max_size=12),
        st.integers(0, 3),
    ),
    max_size=12,
)


def weights(ids: Ids) -> dict[int, float]:
    having = {id: sum(id in one for one in ids) for one in ids for id in one}
    return {id: math.log((1 + len(ids)) / (1 + n)) for id, n in having.items()}


def cosine(a: Sequence[int], b: Sequence[int], weight: dict[int, float]) -> float:
    lengths = [math.sqrt(math.fsum(weight[id] ** 2 for id in set(one))) for one in (a, b)]
    if not all(lengths):
        return 0.0
    return math.fsum(weight[id] ** 2 for id in set(a) & set(b)) / math.prod(lengths)


def naive(sources: Ids, targets: Ids) -> list[list[float]]:
    """As the docstring says it, with sets, a pair of heads at a time."""
    sides = [(ids, weights(ids)) for ids in (sources, targets)]
    every = range(len(sources))
    return [[sum(cosine(s[a], s[b], w) for s, w in sides) / 2 for b in every] for a in every]


def split(heads: Sequence[tuple[list[int], list[int], int]]) -> tuple[Ids, Ids, list[int]]:
    return [h[0] for h in heads], [h[1] for h in heads], [h[2] for h in heads]


@given(HEADS, st.integers(1, 14))
def test_it_is_what_the_definition_says(heads, top) -> None:
    sources, targets, groups = split(heads)
    wanted = naive(sources, targets)
    found = similar(sources, targets, groups, top)
    assert len(found) == len(heads)
    for head, those in enumerate(found):
        others = {j: v for j, v in enumerate(wanted[head]) if groups[j] != groups[head] and v > 0}
        assert len(those) == min(top, len(others))
        for other, value in those:
            assert value == pytest.approx(others[other], abs=1e-8)
            assert 0 < value <= 1
        best = sorted(others.values(), reverse=True)[: len(those)]
        assert [value for _, value in those] == pytest.approx(best, abs=1e-8)
        assert those == sorted(those, key=lambda one: (-one[1], one[0]))


@given(HEADS, st.randoms(use_true_random=False))
def test_the_order_of_tokens_and_how_often_they_come_do_not_count(heads, random) -> None:
    sources, targets, groups = split(heads)
    shuffled = [random.sample(one * 2, 2 * len(one)) for one in sources]
    assert similar(shuffled, [set(one) for one in targets], groups) == similar(*split(heads))


@given(HEADS)
def test_blocks_change_nothing(heads) -> None:
    whole = similar(*split(heads))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_HEADS", 3)
        assert similar(*split(heads)) == whole


def test_equal_heads_come_in_order_and_the_own_group_is_left_out() -> None:
    ids = [[1, 2], [3], [1, 2], [1, 2], [2, 1], [9]]
    found = similar(ids, ids, [0, 1, 2, 0, 3, 4])
    assert found[0] == [(2, 1.0), (4, 1.0)]
    assert found[2] == [(0, 1.0), (3, 1.0), (4, 1.0)]
    assert found[1] == found[5] == []


def test_half_is_of_the_sources_and_half_of_the_targets() -> None:
    sources, targets = [[1], [1], [7], [8]], [[4], [5], [4], [6]]
    found = similar(sources, targets, range(4))
    assert found[0] == [(1, 0.5), (2, 0.5)]
    assert found[3] == []


def test_a_rare_token_says_more_than_a_common_one() -> None:
    common, rare = 1, 2
    sources = [[common, rare], [common, 3], [rare, 4], [common, 5], [common, 6], [7]]
    found = similar(sources, [[]] * 6, range(6))
    assert [head for head, _ in found[0]] == [2, 1, 3, 4]
    assert found[0][0][1] > 2 * found[0][1][1]


def test_what_all_heads_have_says_nothing() -> None:
    assert similar([[1], [1], [1]], [[2], [2], [2]], [0, 1, 2]) == [[], [], []]


@pytest.mark.parametrize("ids", [[], [[]], [[3]], [[], []]])
def test_few_heads_and_heads_without_tokens(ids: Ids) -> None:
    assert similar(ids, ids, range(len(ids))) == [[] for _ in ids]


def test_one_group_has_nothing_to_show() -> None:
    assert similar([[1], [1], [2]], [[1], [1], [2]], [0, 0, 0]) == [[], [], []]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="top"):
        similar([[1]], [[1]], [0], top=0)
    with pytest.raises(SettingInvalid, match="targets"):
        similar([[1]], [], [0])
    with pytest.raises(SettingInvalid, match="groups"):
        similar([[1]], [[1]], [])
