"""A model's vocabulary: the bytes of each id, which ids are special or unused, text to ids."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from annotator.errors import TokenInvalid, TokenizerMissing
from annotator.records import Token
from annotator.tokens.display import show_absent, show_bytes, show_special
from annotator.tokens.tokenizer_bounds import failing_as, panics_unsaid, refuse_ids

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_UNUSED = re.compile(
    r"<unused_?\d+>|\[unused_?\d+\]|<\|?(reserved|unused|dummy|extra)[^>]*>|\[PAD\d*\]"
)
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_TRIAL = "The 12 cafés of Paris are open.\n"
_ID = re.compile(r"#(\d+)", re.ASCII)


@dataclass(frozen=True)
class Vocabulary:
    """The rows of a model's embedding as tokens.

    Attributes:
        pieces: the bytes of each row's token; None where the row has no token (padding rows).
        special: ids of control tokens.
        unused: ids of tokens reserved for later use.
        encode: text -> ids, as it stands in the middle of a sentence, no special tokens added.
        prompt: text -> ids, as the model's own tokenizer makes a prompt of it: with the special
            tokens and the leading space that it adds, never cut or padded.
    """

    pieces: tuple[bytes | None, ...]
    special: frozenset[int]
    unused: frozenset[int]
    encode: Callable[[str], list[int]]
    prompt: Callable[[str], list[int]]
    _tokens: dict[int, Token] = field(default_factory=dict[int, Token], repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.pieces)

    def text(self, id: int) -> str | None:
        """The token's text; None where it has none, or is not whole characters."""
        piece = self.pieces[id]
        try:
            return None if piece is None else piece.decode("utf-8")
        except UnicodeDecodeError:
            return None

    def shown(self, id: int) -> str:
        """The token as a person sees it; see `annotator.tokens.display`."""
        piece = self.pieces[id]
        if piece is None:
            return show_absent(id)
        if id in self.special:
            return show_special(piece.decode("utf-8", errors="replace"))
        return show_bytes(piece)

    def token(self, id: int) -> Token:
        """The record of a token."""
        if id not in self._tokens:
            self._tokens[id] = Token(id, self.shown(id))
        return self._tokens[id]

    def usable(self) -> list[int]:
        """Ids that are neither special nor unused nor padding, in order."""
        skipped = self.special | self.unused
        return [i for i, piece in enumerate(self.pieces) if piece is not None and i not in skipped]

    def one(self, text: str) -> int:
        """The id of a text that is exactly one token; "#123" names an id.

        Raises:
            TokenInvalid: it is none, or several.
        """
        named = _ID.fullmatch(text)
        if named and int(named[1]) < len(self.pieces):
            return int(named[1])
        ids = self.encode(text)
        if self._is_one(ids, text):
            return ids[0]
        spaced = self._is_one(self.encode(" " + text), " " + text)
        remedy = f"{' ' + text!r}, with a leading space, is one token." if spaced else ""
        shown = [self.shown(id) if id < len(self.pieces) else show_absent(id) for id in ids]
        raise TokenInvalid(text, shown, remedy)

    def _is_one(self, ids: list[int], text: str) -> bool:
        # A tokenizer may drop or change characters: the token must be the text, byte for byte.
        return len(ids) == 1 and ids[0] < len(self.pieces) and self.text(ids[0]) == text


def from_tokenizer(
    tokenizer: Tokenizer, vocab: int, model: str, reserved: Collection[int] = ()
) -> Vocabulary:
    """A vocabulary of `vocab` rows from a Hugging Face tokenizer.

    Args:
        tokenizer: the tokenizer.
        vocab: rows of the model's embedding.
        model: what messages call it.
        reserved: ids that are known to be unused, beside those whose name says so.

    Raises:
        TokenizerMissing: its decoder is of a kind whose bytes cannot be told, it has more tokens
            than the embedding has rows (tokens added later aside), or it fails.
    """
    own = tokenizer.get_vocab_size(with_added_tokens=False)
    if own > vocab:
        reason = f"it has {own:,} tokens, the embedding {vocab:,} rows: it is another model's"
        raise TokenizerMissing(model, reason)
    refuse_ids(model, tokenizer.get_vocab(with_added_tokens=False).values())
    with failing_as(model), panics_unsaid():
        described: dict[str, Any] = json.loads(tokenizer.to_str())
        own_way = described | {"truncation": None, "padding": None}
        whole = _changed(tokenizer, described, own_way)
        tokenizer = _changed(whole, own_way, _as_written(own_way))
        with suppress(Exception):  # a text without tokens is no fault; a panic is
            tokenizer.encode(_TRIAL, add_special_tokens=False)
            whole.encode(_TRIAL, add_special_tokens=True)
    to_bytes = _piece_reader(described, model)
    added = {entry["id"]: entry for entry in described.get("added_tokens", [])}
    special = frozenset(id for id, entry in added.items() if entry["special"] and id < vocab)
    # An added token's content is the text itself; the others are in the model's alphabet. But "▁"
    # is a space wherever a sentencepiece model has it, but for its special tokens.
    literal = special if to_bytes is _sentencepiece_bytes else added.keys()
    pieces: list[bytes | None] = [None] * vocab
    unused = {id for id in reserved if id < vocab}
    for piece, id in tokenizer.get_vocab(with_added_tokens=True).items():
        if id >= vocab:
            continue
        pieces[id] = piece.encode() if id in literal else to_bytes(piece)
        if _UNUSED.fullmatch(piece):
            unused.add(id)

    def encode(text: str) -> list[int]:
        with failing_as(model):
            return tokenizer.encode(text, add_special_tokens=False).ids

    def prompt(text: str) -> list[int]:
        with failing_as(model):
            return whole.encode(text, add_special_tokens=True).ids

    return Vocabulary(tuple(pieces), special, frozenset(unused), encode, prompt)


def _changed(tokenizer: Tokenizer, is_now: dict[str, Any], wanted: dict[str, Any]) -> Tokenizer:
    """A tokenizer as described; the very same where nothing is to be changed."""
    return tokenizer if wanted == is_now else type(tokenizer).from_str(json.dumps(wanted))


def _as_written(described: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer without the space that it puts before a whole text.

    A token is asked for as it is written, in the middle of a sentence: " Paris" is one token of a
    sentencepiece model, and "Paris" is another.
    """
    changed = dict(described)
    for step, parts in (("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers")):
        changed[step] = _without_prefix(described.get(step), parts)
    return changed


def _without_prefix(step: dict[str, Any] | None, parts: str) -> dict[str, Any] | None:
    if step is None or step["type"] == "Prepend":
        return None
    if step["type"] == "Sequence":
        kept = [_without_prefix(part, parts) for part in step[parts]]
        return step | {parts: [part for part in kept if part is not None]}
    if step["type"] == "Metaspace":
        return step | {"prepend_scheme": "never"}
    return step | {"add_prefix_space": False} if "add_prefix_space" in step else step


def _piece_reader(described: dict[str, Any], model: str) -> Callable[[str], bytes]:
    """How a piece's letters stand for bytes, as the tokenizer's own decoder says."""
    kinds = set(re.findall(r'"type": ?"(\w+)"', json.dumps(described.get("decoder"))))
    if "ByteLevel" in kinds:
        return byte_level_bytes
    if kinds & {"ByteFallback", "Metaspace"}:
        return _sentencepiece_bytes
    named = ", ".join(sorted(kinds)) or "none"
    raise TokenizerMissing(model, f"its decoder ({named}) is neither byte-level nor sentencepiece")


def byte_level_alphabet() -> dict[str, int]:
    """The letters in which byte-level BPE writes the 256 bytes.

    Printable Latin-1 characters stand for themselves, the other bytes, in order, for U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


_LETTERS = byte_level_alphabet()


def byte_level_bytes(piece: str) -> bytes:
    """The bytes of a byte-level piece; a piece outside the alphabet is its own text."""
    try:
        return bytes(_LETTERS[letter] for letter in piece)
    except KeyError:
        return piece.encode()


def _sentencepiece_bytes(piece: str) -> bytes:
    byte = _BYTE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace("▁", " ").encode()
