"""False discovery rates against scipy's, and against the definition."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from annotator.errors import SettingInvalid
from annotator.maps.false_discovery import benjamini_hochberg

some_p = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.05, 1 / 20_001])), min_size=1
)


@given(some_p)
def test_q_equals_scipy(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p).tolist(), abs=1e-12)


@given(some_p, st.floats(0.001, 0.999))
def test_discoveries_are_those_of_the_step_up_procedure(p: list[float], level: float) -> None:
    """All p up to the largest p_i with p_i <= i level / m."""
    ordered, m = sorted(p), len(p)
    passing = [value for i, value in enumerate(ordered, 1) if value * (m / i) <= level]
    limit = max(passing, default=-1.0)
    assert [q <= level for q in benjamini_hochberg(p)] == [value <= limit for value in p]


@given(some_p)
def test_q_is_no_smaller_than_p_and_keeps_its_order(p: list[float]) -> None:
    q = benjamini_hochberg(p)
    assert all(a <= b <= 1 for a, b in zip(p, q, strict=True))
    by_p = sorted(zip(p, q, strict=True))
    assert all(a[1] <= b[1] for a, b in pairwise(by_p))
    assert all(a[1] == b[1] for a, b in pairwise(by_p) if a[0] == b[0])


def test_leaving_out_the_ones_would_make_q_smaller() -> None:
    assert benjamini_hochberg([0.01, 0.02, 1.0, 1.0]) == [0.04, 0.04, 1.0, 1.0]
    assert benjamini_hochberg([0.01, 0.02]) == [0.02, 0.02]


def test_no_test_has_no_q() -> None:
    assert benjamini_hochberg([]) == []


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_a_p_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(SettingInvalid, match="from 0 to 1"):
        benjamini_hochberg([0.5, wrong])
