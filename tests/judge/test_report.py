"""What a study comes to, against counts by hand and against statsmodels."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.judge.aggregate import Share
from annotator.judge.report import PUBLISHED_STUDY, Report, report
from annotator.records import Judgment
from tests.judge.made import item, judgment

# Four described heads and two abstentions, in a model of eight layers.
A, B, C, D = (item(f"L{layer}H0") for layer in (0, 1, 2, 7))
X, Y = item("L3H0", "unclear"), item("L6H0", "unclear")
ITEMS = {one.id: one for one in (A, B, C, D, X, Y)}
SAID = {A.key: "semantic", B.key: "language", C.key: "general"}  # of D it is not known
STUDY = [
    judgment(A, "ana", seconds=10.0),
    judgment(B, "ana", precision="scope", category="language", seconds=20.0),
    judgment(C, "ana", pattern=False, seconds=31.0),
    judgment(D, "ana", pattern=None, seconds=999.0),
    judgment(X, "ana", pattern=False, seconds=None),
    judgment(Y, "ana", precision="poor", category="unnatural", seconds=40.0),
    judgment(A, "ben", precision="partial", seconds=50.0),
    judgment(B, "ben", precision="scope", category="general", seconds=60.0),
    judgment(C, "ben", pattern=False, seconds=70.0),
    judgment(X, "ben", precision="poor", category="general", seconds=80.0),
    judgment(Y, "ben", precision="poor", category="unnatural", seconds=90.0),
    judgment(D, "eve", precision="accurate", category="general", seconds=5.0),
    judgment("0123456789abcdef", "eve"),  # of something else
]


@pytest.fixture(scope="module")
def study() -> Report:
    return report(ITEMS, STUDY, 8, SAID)


def test_question_1(study: Report) -> None:
    total = study.total
    assert (study.items, total.items, total.answered, total.skipped) == (6, 6, 11, 1)
    assert total.outcomes == {
        "described": Share(5, 11),  # A B, A B, D
        "missed": Share(3, 11),  # Y, X Y
        "abstained": Share(1, 11),  # X
        "invented": Share(2, 11),  # C, C
    }
    assert total.matched == Share(6, 11)
    assert total.invented_of_none == Share(2, 3)


def test_question_2_counts_where_a_pattern_was_described(study: Report) -> None:
    assert study.total.precision == {"accurate": 2, "scope": 2, "partial": 1, "poor": 0}
    assert study.total.accepted == Share(4, 5)
    assert study.total.strict == Share(2, 5)
    assert study.total.accepted_of_all == Share(4, 7)
    assert study.total.strict_of_all == Share(2, 7)


def test_question_3_counts_where_a_pattern_was_seen(study: Report) -> None:
    assert study.total.category == {"semantic": 2, "language": 1, "general": 3, "unnatural": 2}
    assert study.total.same_category == Share(3, 4)  # A B, A; not B of ben; D is not known


def test_agreement_is_of_what_two_were_asked(study: Report) -> None:
    agreement = study.total.agreement
    assert (agreement["pattern"].pairs, agreement["pattern"].items) == (Share(4, 5), 5)
    assert (agreement["precision"].pairs, agreement["precision"].items) == (Share(1, 2), 2)
    assert (agreement["category"].pairs, agreement["category"].items) == (Share(2, 3), 3)


def test_quarters_and_raters(study: Report) -> None:
    assert [(q.first, q.last) for q in study.quarters] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert [q.summary.answered for q in study.quarters] == [4, 4, 0, 3]
    assert [q.summary.skipped for q in study.quarters] == [0, 0, 0, 1]
    assert [q.summary.accepted.share for q in study.quarters] == [3 / 4, None, None, 1.0]
    assert list(study.raters) == ["ana", "ben", "eve"]
    assert [r.answered for r in study.raters.values()] == [5, 5, 1]
    assert [r.skipped for r in study.raters.values()] == [1, 0, 0]
    assert [r.seconds for r in study.raters.values()] == [25.5, 70.0, 5.0]
    assert study.total.seconds == 45.0


@pytest.mark.parametrize(
    ("n_layers", "layers"),
    [
        (1, [(0, 0)]),
        (2, [(0, 0), (1, 1)]),
        (3, [(0, 0), (1, 1), (2, 2)]),
        (5, [(0, 1), (2, 2), (3, 3), (4, 4)]),
        (30, [(0, 7), (8, 14), (15, 22), (23, 29)]),
    ],
)
def test_quarters_of_any_model(n_layers: int, layers: list[tuple[int, int]]) -> None:
    assert [(q.first, q.last) for q in report({}, [], n_layers).quarters] == layers


def test_what_is_not_defined_is_none() -> None:
    nothing = report(ITEMS, [judgment(A, pattern=None)], 8)
    total = nothing.total
    assert (total.answered, total.skipped, total.items, total.seconds) == (0, 1, 0, None)
    shares = [
        *(total.matched, total.invented_of_none, total.accepted, total.strict),
        *(total.accepted_of_all, total.strict_of_all, total.same_category),
        *total.outcomes.values(),
        *(one.pairs for one in total.agreement.values()),
    ]
    assert {(one.share, one.interval) for one in shares} == {(None, None)}
    assert report({}, [], 1).raters == {}


def test_agreement_of_three_raters_is_over_all_pairs() -> None:
    given = [judgment(A, rater, rater != "eve") for rater in ("ana", "ben", "eve")]
    found = report(ITEMS, given, 8).total.agreement["pattern"]
    assert (found.pairs, found.items) == (Share(1, 3), 1)
    one = report(ITEMS, given[:1], 8).total.agreement["pattern"]
    assert (one.pairs.share, one.items) == (None, 0)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # statsmodels 0.15.0: proportion_confint(count, of, method="wilson")
        (0, 10, 0.0, 0.27753279986288926),
        (10, 10, 0.7224672001371106, 1.0),
        (5, 10, 0.23659309051256394, 0.7634069094874361),
        (1, 1, 0.2065493143772374, 1.0),
        # these four are also Newcombe's, Statistics in Medicine 17 (1998), table I
        (81, 263, 0.2552885198782742, 0.36620957698280004),
        (15, 148, 0.06238639953073628, 0.16048724172330803),
        (0, 20, 0.0, 0.1611251580528194),
        (1, 29, 0.006113214292762667, 0.17175521879320294),
    ],
)
def test_intervals_as_statsmodels_has_them(count: int, of: int, low: float, high: float) -> None:
    interval = Share(count, of).interval
    assert interval == pytest.approx((low, high), abs=1e-12)
    assert Share(count, of).share == count / of


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share(share: tuple[int, int]) -> None:
    found = Share(*share)
    assert found.interval is not None
    assert found.share is not None
    low, high = found.interval
    assert 0 <= low <= found.share <= high <= 1
    mirrored = Share(share[1] - share[0], share[1]).interval
    assert mirrored == pytest.approx((1 - high, 1 - low))
    # Wilson's bounds are the proportions whose score test just does not reject the share.
    for bound in (low, high):
        if 0 < bound < 1:
            z = (found.share - bound) / (bound * (1 - bound) / share[1]) ** 0.5
            assert abs(z) == pytest.approx(1.959964, rel=1e-5)


def test_a_nominal_95_percent_interval_covers_about_as_much() -> None:
    for rate in (Fraction(1, 2), Fraction(3, 10)):
        covered = sum(
            comb(50, k) * rate**k * (1 - rate) ** (50 - k)
            for k in range(51)
            if (found := Share(k, 50).interval) and found[0] <= rate <= found[1]
        )
        assert 0.93 < covered < 0.97


ANY = st.builds(
    judgment,
    st.sampled_from(list(ITEMS.values())),
    st.sampled_from(["ana", "ben", "eve"]),
    st.sampled_from([True, False, None]),
    seconds=st.none() | st.floats(0, 1e5),
)


@given(st.lists(ANY, unique_by=lambda one: (one.item, one.rater)))
def test_the_parts_add_up(judgments: list[Judgment]) -> None:
    found = report(ITEMS, judgments, 8, SAID)
    total = found.total
    assert total.answered + total.skipped == len(judgments)
    assert sum(share.count for share in total.outcomes.values()) == total.answered
    assert sum(total.precision.values()) == total.described
    assert sum(total.category.values()) == total.described + total.missed
    assert total.strict.count <= total.accepted.count <= total.described
    for parts in ([q.summary for q in found.quarters], list(found.raters.values())):
        for name in ("answered", "skipped", "described", "missed", "abstained", "invented"):
            assert sum(getattr(part, name) for part in parts) == getattr(total, name)
    assert report(ITEMS, judgments[::-1], 8, SAID) == found


def test_what_was_published() -> None:
    assert [(one.figure, one.share) for one in PUBLISHED_STUDY] == [
        *(("matched", 0.798), ("matched", 0.739), ("matched", 0.858)),
        *(("invented_of_none", 0.345), ("strict", 0.66)),
    ]
