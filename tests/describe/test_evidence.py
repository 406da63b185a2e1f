from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict

import pytest

from annotator.describe.evidence import Evidence, ShownMapping, evidence_of
from annotator.errors import SettingInvalid
from annotator.records import HeadId, HeadMap, SalientMapping, Signatures, Target, Token

SIGNATURES = Signatures(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 8.0)


def head_map(sources: int, targets: int, head: str = "L23H4") -> HeadMap:
    """A head whose source s is shown as s0, s1, ... and its targets as s0t0, s0t1, ..."""
    mappings = tuple(
        SalientMapping(
            Token(1000 + s, f"s{s}"),
            9.875 - s,
            tuple(Target(Token(2000 + t, f"s{s}t{t}"), 7.625 - t) for t in range(targets)),
            (Target(Token(3000, f"s{s}low"), -5.5),),
        )
        for s in range(sources)
    )
    return HeadMap(HeadId.parse(head), 1, mappings, SIGNATURES)


def test_the_published_evidence_is_the_first_thirty_sources_and_five_targets() -> None:
    evidence = evidence_of(head_map(45, 8))
    assert [one.source for one in evidence.mappings] == [f"s{s}" for s in range(30)]
    for s, one in enumerate(evidence.mappings):
        assert one.targets == tuple(f"s{s}t{t}" for t in range(5))


def test_other_numbers_can_be_asked_for() -> None:
    evidence = evidence_of(head_map(45, 8), sources=2, targets=1)
    assert evidence == Evidence((ShownMapping("s0", ("s0t0",)), ShownMapping("s1", ("s1t0",))))


def test_a_head_with_less_is_shown_with_what_there_is() -> None:
    evidence = evidence_of(head_map(3, 2))
    assert [len(one.targets) for one in evidence.mappings] == [2, 2, 2]


@pytest.mark.parametrize("wrong", [{"sources": 0}, {"targets": 0}, {"sources": -1}])
def test_no_evidence_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingInvalid, match=next(iter(wrong))):
        evidence_of(head_map(3, 2), **wrong)


def test_nothing_but_shown_text_is_in_it() -> None:
    """Two heads of other names, saliencies and signatures with the same tokens show the same."""
    kept = evidence_of(head_map(4, 3))
    assert kept == evidence_of(head_map(4, 3, "L0H1"))
    assert asdict(kept).keys() == {"mappings"}
    for one in asdict(kept)["mappings"]:
        assert one.keys() == {"source", "targets"}
        assert all(isinstance(text, str) for text in (one["source"], *one["targets"]))


def test_it_cannot_be_changed() -> None:
    evidence = evidence_of(head_map(1, 1))
    with pytest.raises(FrozenInstanceError):
        evidence.mappings[0].source = "other"
