"""How tokens are shown: proved one to one by a reader of shown text that is written here."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.tokens.display import show_absent, show_bytes, show_special
from annotator.tokens.load import load_vocabulary
from annotator.weights.open_source import open_source

ESCAPE = re.compile(
    r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([ntr\\]))|(␣)|([^\\␣⟦⟧])", re.DOTALL
)
NAMED = {"n": b"\n", "t": b"\t", "r": b"\r", "\\": b"\\"}
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN", "B", "S", "WS"}
# What Unicode calls default-ignorable though its category is a letter's or a mark's.
IGNORABLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2800\u3164\ufe00\ufe0f\uffa0\U000e01ef"

texts = st.text(st.characters(exclude_categories=["Cs"]))
tricky = st.lists(
    st.sampled_from(
        [b" ", b"\n", b"\\", b"n", b"u0041", b"x41", b"\xe2", b"\x80", b"\xff", b"\x00", b"#1"]
        + [c.encode() for c in "␣⟦⟧é́\u200b\u202e\ue000中😀\U000e0001" + IGNORABLE]
    )
).map(b"".join)
anything = st.one_of(st.binary(), tricky, texts.map(str.encode))


def read_back(shown: str) -> bytes:
    """The inverse of show_bytes, written from its table; fails on what the table cannot make."""
    data, at = bytearray(), 0
    while at < len(shown):
        match = ESCAPE.match(shown, at)
        assert match, f"{shown!r} cannot be read at {at}"
        byte, short, long, named, space, plain = match.groups()
        if byte:
            data.append(int(byte, 16))
        elif short or long:
            data += chr(int(short or long, 16)).encode()
        elif named:
            data += NAMED[named]
        else:
            data += b" " if space else plain.encode()
        at = match.end()
    return bytes(data)


def assert_printable(shown: str) -> None:
    for char in shown:
        assert unicodedata.category(char)[0] not in "CZ", f"{char!r} in {shown!r}"
        assert unicodedata.bidirectional(char) not in BIDI, f"{char!r} in {shown!r}"
        assert char not in IGNORABLE, f"{char!r} in {shown!r}"
    assert not unicodedata.category(shown[:1] or "a").startswith("M")


@given(anything)
def test_shown_bytes_read_back_as_they_were(data: bytes) -> None:
    assert read_back(show_bytes(data)) == data


@given(anything, anything)
def test_two_pieces_never_look_the_same(left: bytes, right: bytes) -> None:
    assert (show_bytes(left) == show_bytes(right)) == (left == right)


@given(anything)
def test_nothing_shown_is_invisible(data: bytes) -> None:
    assert_printable(show_bytes(data))


@given(texts, anything)
def test_a_special_token_looks_like_no_ordinary_one(text: str, data: bytes) -> None:
    assert_printable(show_special(text))
    assert show_special(text) not in (show_bytes(data), show_bytes(text.encode()))
    assert show_bytes(show_special(text).encode()) != show_special(text)


@given(texts, texts)
def test_two_special_tokens_never_look_the_same(left: str, right: str) -> None:
    assert (show_special(left) == show_special(right)) == (left == right)


@given(st.integers(0, 10**6), texts, anything)
def test_an_absent_row_looks_like_no_token(id: int, text: str, data: bytes) -> None:
    assert show_absent(id) not in (show_special(text), show_special(f"#{id}"), show_bytes(data))


@given(texts)
def test_readable_text_is_left_readable(text: str) -> None:
    if text.isascii() and text.isalnum():
        assert show_bytes(text.encode()) == text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b" Paris", "␣Paris"),
        (b"Paris", "Paris"),
        (b"\n", r"\n"),
        (b"\n\n", r"\n\n"),
        (b"\\n", r"\\n"),
        (b"\t", r"\t"),
        (b"\r", r"\r"),
        (b"    ", "␣␣␣␣"),
        (b"\xe2", r"\xe2"),
        (b"\xe2\x80", r"\xe2\x80"),
        ("é".encode(), "é"),
        ("\u0301".encode(), r"\u0301"),
        ("e\u0301".encode(), "e\u0301"),
        ("\u200b".encode(), r"\u200b"),
        ("\u202e".encode(), r"\u202e"),
        ("\u00a0".encode(), r"\u00a0"),
        ("\u3164".encode(), r"\u3164"),
        ("❤\ufe0f".encode(), r"❤\ufe0f"),
        ("\ue000".encode(), r"\ue000"),
        ("\U000e0001".encode(), r"\U000e0001"),
        ("␣".encode(), r"\u2423"),
        ("⟦#1⟧".encode(), r"\u27e6#1\u27e7"),
        (b"", ""),
    ],
)
def test_the_table(data: bytes, shown: str) -> None:
    assert show_bytes(data) == shown


def test_the_brackets() -> None:
    assert show_special("<|im_start|>") == "⟦<|im_start|>⟧"
    assert show_special("a b\n") == r"⟦a␣b\n⟧"
    assert show_special("#7") == r"⟦\u00237⟧"
    assert show_absent(49153) == "⟦#49153⟧"


def test_every_token_of_the_real_vocabulary_is_shown_once(real_gguf: Path) -> None:
    vocabulary = load_vocabulary(open_source(real_gguf), 49152 + 2)
    shown = [vocabulary.shown(id) for id in range(len(vocabulary))]
    assert len(set(shown)) == len(shown) == 49154
    assert shown[-2:] == ["⟦#49152⟧", "⟦#49153⟧"]
    assert len(vocabulary.special) == 17
    for id, text in enumerate(shown[:-2]):
        assert_printable(text)
        bare = text[1:-1] if id in vocabulary.special else text
        assert read_back(bare) == vocabulary.pieces[id]
        assert text.startswith("⟦") == (id in vocabulary.special)
    assert shown[vocabulary.one(" Paris")] == "␣Paris"
    assert shown[vocabulary.one("Paris")] == "Paris"
    assert shown[vocabulary.one("\n")] == r"\n"
