from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.maps.signatures import signatures
from annotator.records import Signatures
from annotator.tokens.vocabulary import Vocabulary

FIVE = " a", " b", " c", " d", " e"


def of(*rows: tuple[str | bytes | None, tuple[str | bytes | None, ...]]) -> Signatures:
    """The signatures of rows given as text; None is a row of the embedding without a token."""
    texts = list(dict.fromkeys(t for source, targets in rows for t in (source, *targets)))
    pieces = tuple(t.encode() if isinstance(t, str) else t for t in texts)
    vocabulary = Vocabulary(pieces, frozenset(), frozenset(), lambda text: [], lambda text: [])
    ids = [(texts.index(s), [texts.index(t) for t in ts]) for s, ts in rows]
    return signatures(ids, vocabulary, focus=0.25, strength=3.0)


@pytest.mark.parametrize(
    ("source", "first", "copies"),
    [
        (" Paris", "Paris", True),
        (" PARIS", "paris ", True),
        (" café", "Cafe", True),
        ("É", "e", True),
        (" straße", "STRASSE", True),
        (" Paris", " France", False),
        (" ", "\n", False),  # nothing left to be equal
        (b"\xe2", b"\xe2", False),  # no characters to compare
        (None, None, False),
    ],
)
def test_copy(source: str, first: str, copies: bool) -> None:
    assert of((source, (first, *FIVE[1:]))).copy == float(copies)


def test_copy_looks_at_the_first_target_alone() -> None:
    assert of((" Paris", (" x", " Paris"))).copy == 0


@pytest.mark.parametrize(
    ("source", "target", "stems"),
    [
        (" nation", " national", True),
        (" nature", " nation", False),  # three letters
        (" natural", " nature", True),
        (" go", " going", True),  # the whole shorter word
        (" going", "GO", True),
        (" Paris", "paris", False),  # a copy
        (" über", " ubern", True),
        (" 1990", " 1991", False),  # digits are no letters
        (" x", " y", False),
        ("", " y", False),
    ],
)
def test_stem(source: str, target: str, stems: bool) -> None:
    assert of((source, (" qqq", target, " zzz"))).stem == float(stems)


def test_hub_counts_rows_not_tokens() -> None:
    rows = [(" s", (" a", " a", " b")), (" t", (" c", " d", " a")), (" u", (" x", " y", " z"))]
    assert of(*rows).hub == 2 / 3


def test_distinct() -> None:
    assert of((" s", (" a", " b")), (" t", (" a", " c"))).distinct == 3 / 4


@pytest.mark.parametrize(
    ("source", "target", "differ"),
    [
        (" Moscow", " Москва", True),
        (" Tokyo", "東", True),
        ("かな", "カナ", True),  # Hiragana and Katakana are scripts of their own
        (" Paris", " Rome", False),
        (" Paris", " 12", False),  # common characters belong to any script
        ("…", "東", False),
        (b"\xe2", "東", False),
    ],
)
def test_script(source: str, target: str, differ: bool) -> None:
    assert of((source, (target,))).script == float(differ)


@pytest.mark.parametrize(
    ("token", "fragment"),
    [
        (" ", True),
        ("\n\n", True),
        ("...", True),
        (" ,", True),
        ("$+", True),
        ("»", True),
        (b"\xe2\x80", True),
        ("", True),
        (" a", False),
        ("a.", False),
        ("1", False),
        ("😀", False),
        (None, False),
    ],
)
def test_fragment(token: str | bytes | None, fragment: bool) -> None:
    assert of((" word", (token,))).fragment == (0.5 if fragment else 0)


def test_focus_and_strength_pass_through() -> None:
    numbers = of((" a", (" b",)))
    assert (numbers.focus, numbers.strength) == (0.25, 3.0)


tokens = st.one_of(st.text(max_size=6), st.binary(max_size=4), st.none())


@given(st.lists(st.tuples(tokens, st.tuples(*[tokens] * 5)), min_size=1, max_size=8))
def test_all_but_strength_lie_between_0_and_1(rows: list) -> None:
    numbers = of(*rows)
    for name in Signatures.names():
        if name != "strength":
            assert 0 <= getattr(numbers, name) <= 1


def test_telling_is_the_product_it_says() -> None:
    numbers = Signatures(0.0, 0.0, 0.5, 1.0, 0.0, 0.2, 0.0, 5.0)
    assert numbers.telling == pytest.approx(5 * 0.5 * 0.8)
