"""Which items there are, when two are the same, and in which order a rater gets them."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.judge.items import item_of, order
from annotator.judge.kinds import Shown
from annotator.label_studio.task import description_text
from annotator.records import REAL, Describer, HeadMap, Item
from tests.judge.made import CAPITALS, WEIGHTS, description, head_map, item

TEXTS = st.text(max_size=3)
SHOWN = st.tuples(
    st.sampled_from(["L0H0", "L0H1"]),
    st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=2)), min_size=1, max_size=2),
    st.sampled_from(["described", "unclear"]),
    TEXTS,
    TEXTS,
)
ITEMS = [item(f"L{layer}H{head}") for layer in range(5) for head in range(5)]


def one(head: HeadMap, weights: str = WEIGHTS, kind: str = REAL, **said: Any) -> Item:
    """The item of a description of this head."""
    return item_of(Shown(head, description(str(head.head), **said)), weights, kind)


@given(SHOWN, SHOWN)
def test_ids_differ_where_anything_shown_differs_and_only_there(first: Any, second: Any) -> None:
    def made(shown: Any) -> tuple[str, tuple[Any, ...]]:
        head, rows, status, inputs, pattern = shown
        said = description(head, status=status, inputs=inputs, pattern=pattern)
        found = one(head_map(head, rows), status=status, inputs=inputs, pattern=pattern)
        return found.id, (head, rows, status, description_text(said))

    (id, seen), (other, other_seen) = made(first), made(second)
    assert (id == other) == (seen == other_seen)


@pytest.mark.parametrize(
    "other",
    [
        one(head_map("L0H1")),
        one(head_map(), weights="1" * 64),
        one(head_map(), kind="shuffled"),
        one(head_map(), inputs="cities"),
        one(head_map(), pattern="their rivers"),
        one(head_map(), inputs="", pattern="countries their capitals"),
        one(head_map(), status="unclear"),
        one(head_map(mappings=CAPITALS[::-1])),
        one(head_map(mappings=CAPITALS[:1])),
        one(head_map(mappings=[(s, t[::-1]) for s, t in CAPITALS])),
    ],
)
def test_another_item_has_another_id(other: Item) -> None:
    assert other.id != one(head_map()).id


@pytest.mark.parametrize(
    "other",
    [
        one(head_map(), llm="anthropic:another"),
        one(head_map(), key="another request"),
        one(head_map(), template="b" * 64, name="v2"),
        one(head_map(), reasoning="another", category="general", at=9.0, seconds=9.0),
        one(head_map(logits=(2.0000001, 1.0, 0.5))),
    ],
)
def test_who_wrote_it_and_the_last_bits_make_no_other_id(other: Item) -> None:
    assert other.id == one(head_map()).id


def test_an_id_is_the_same_for_ever() -> None:
    """Judgments in ledgers refer to it; where this fails, they would be orphaned."""
    assert one(head_map()).id == "9f645c6247ae5061"
    assert re.fullmatch("[0-9a-f]{16}", one(head_map()).id)


@pytest.mark.parametrize("status", ["refused", "truncated", "malformed"])
def test_only_what_can_be_judged_is_an_item(status: str) -> None:
    with pytest.raises(ValueError, match=status):
        one(head_map(), status=status)


def test_an_item_says_what_is_seen() -> None:
    made = one(head_map("L0H1"), status="unclear", template="a" * 64, name="v2", kind="shuffled")
    assert (str(made.head), made.status, made.key) == ("L0H1", "unclear", "key of L0H1")
    assert (made.kind, made.who) == ("shuffled", Describer("openai:some-model", "a" * 64, "v2"))


@given(st.lists(st.sampled_from(ITEMS), unique=True), st.integers(), st.text())
def test_an_order_is_a_permutation(items: list[Item], seed: int, rater: str) -> None:
    found = order(items, seed, rater)
    assert sorted(found, key=lambda i: i.id) == sorted(items, key=lambda i: i.id)
    assert order(items[::-1], seed, rater) == found


@given(st.integers(), st.text(), st.text())
def test_each_rater_and_seed_has_an_order_of_its_own(seed: int, rater: str, other: str) -> None:
    assert (order(ITEMS, seed, rater) == order(ITEMS, seed, other)) == (rater == other)
    assert order(ITEMS, seed, rater) != order(ITEMS, seed + 1, rater)


def test_an_order_is_no_order_of_the_heads() -> None:
    """Over many raters every item stands anywhere: its mean place is near the middle."""
    places = {one.id: 0 for one in ITEMS}
    for rater in range(400):
        for place, one in enumerate(order(ITEMS, 7, f"rater {rater}")):
            places[one.id] += place
    assert all(abs(total / 400 - 12) < 2 for total in places.values())  # 5.5 standard errors


def test_an_added_item_leaves_the_others_in_their_order() -> None:
    before = order(ITEMS[:-1], 1, "ana")
    assert [one for one in order(ITEMS, 1, "ana") if one != ITEMS[-1]] == before


def test_the_order_is_the_same_in_another_process() -> None:
    code = "from tests.judge.test_items import *; print(*[i.id for i in order(ITEMS, 3, 'ana')])"
    run = [sys.executable, "-c", code]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert said == [one.id for one in order(ITEMS, 3, "ana")]


def test_two_who_say_the_same_stand_in_an_order_of_their_own() -> None:
    pair = [item(), replace(item(), llm="anthropic:another")]
    assert order(pair, 1, "ana") == order(pair[::-1], 1, "ana")
