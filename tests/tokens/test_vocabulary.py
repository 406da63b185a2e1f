"""The bytes of each id, which ids count, and text to ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from annotator.errors import TokenInvalid, TokenizerMissing
from annotator.tokens.load import load_vocabulary
from annotator.tokens.vocabulary import Vocabulary, byte_level_alphabet, from_tokenizer
from annotator.weights.open_source import open_source
from tests import tiny

texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def small() -> Vocabulary:
    return from_tokenizer(tiny.tokenizer(), tiny.VOCAB, "tiny")


@pytest.fixture(scope="module")
def real(real_gguf: Path) -> Vocabulary:
    return load_vocabulary(open_source(real_gguf), 49152)


def sentencepiece(*added: AddedToken) -> Tokenizer:
    """Spaces written ▁, bytes as <0x0A>; the words of a Gemma-like vocabulary."""
    ids = {"<unk>": 0, "<s>": 1} | {f"<0x{byte:02X}>": 2 + byte for byte in range(256)}
    for piece in ("▁", "a", "b", "é", "▁a", "ab", "▁ab", "▁▁"):
        ids[piece] = len(ids)
    merges = [("▁", "▁"), ("▁", "a"), ("a", "b"), ("▁a", "b")]
    made = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    made.add_tokens([AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>")])
    made.add_tokens(list(added))
    return made


def plain(vocab: dict[str, int], decoder: decoders.Decoder | None) -> Tokenizer:
    made = Tokenizer(models.WordLevel(vocab, unk_token="a"))
    if decoder is not None:
        made.decoder = decoder
    return made


def joined(vocabulary: Vocabulary, text: str) -> bytes:
    return b"".join(vocabulary.pieces[id] or b"<no token>" for id in vocabulary.encode(text))


def test_the_byte_level_alphabet_is_that_of_tokenizers() -> None:
    alphabet = byte_level_alphabet()
    assert set(alphabet) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(alphabet.values()) == list(range(256))


@given(texts)
def test_its_letters_stand_for_the_bytes_tokenizers_means(text: str) -> None:
    alphabet = byte_level_alphabet()
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    letters = "".join(piece for piece, _ in level.pre_tokenize_str(text))
    assert bytes(alphabet[letter] for letter in letters) == text.encode()


@given(texts)
def test_the_pieces_of_a_text_are_its_bytes(real: Vocabulary, text: str) -> None:
    # SmolLM2's vocabulary lacks 21 bytes (rare controls, what UTF-8 never has, unassigned planes):
    # every tokenizer for it, llama.cpp's too, leaves them out.
    own = {piece for piece in real.pieces if piece and len(piece) == 1}
    assert len(own) == 256 - 21
    assert joined(real, text) == bytes(byte for byte in text.encode() if bytes([byte]) in own)


@given(texts)
def test_the_pieces_of_a_text_are_its_bytes_in_sentencepiece(text: str) -> None:
    vocabulary = from_tokenizer(sentencepiece(), 266, "spm")
    written = text.replace("▁", " ")  # sentencepiece keeps no lower block of its own
    assert joined(vocabulary, written) == written.encode()


def test_every_real_piece_is_what_the_tokenizer_decodes(real: Vocabulary, real_gguf: Path) -> None:
    from annotator.tokens.gguf import gguf_tokenizer
    from annotator.weights.gguf import GgufFile

    tokenizer = gguf_tokenizer(GgufFile(real_gguf).metadata, "real")
    for id in range(49152):
        decoded = tokenizer.decode([id], skip_special_tokens=False)
        assert (real.pieces[id] or b"").decode(errors="replace") == decoded
        partial = "�" in decoded and real.pieces[id] != "�".encode()
        assert real.text(id) == (None if partial else decoded)


def test_sentencepiece_pieces_are_spaces_and_bytes() -> None:
    vocabulary = from_tokenizer(sentencepiece(), 268, "spm")
    assert vocabulary.pieces[:3] == (b"<unk>", b"<s>", b"\x00")
    assert vocabulary.pieces[2 + 0xE2] == b"\xe2"
    assert vocabulary.text(2 + 0xE2) is None
    assert vocabulary.pieces[258:] == (
        *(b" ", b"a", b"b", "é".encode(), b" a", b"ab", b" ab", b"  "),
        *(None, None),
    )
    assert vocabulary.special == {0, 1}
    assert vocabulary.one(" ab") == 264
    assert vocabulary.one("\n") == 2 + 10


def test_metaspace_is_sentencepiece_too() -> None:
    tokenizer = plain({"▁a": 0, "<0x0A>": 1, "a": 2}, decoders.Metaspace())
    assert from_tokenizer(tokenizer, 3, "m").pieces == (b" a", b"\n", b"a")


def test_added_tokens_of_sentencepiece() -> None:
    whitespace = [AddedToken(t, normalized=False) for t in ("▁▁", "\t\t")]
    tokenizer = sentencepiece(*whitespace, AddedToken("<▁>", special=True, normalized=False))
    vocabulary = from_tokenizer(tokenizer, 268, "spm")
    assert vocabulary.pieces[265:] == (b"  ", b"\t\t", "<▁>".encode())
    assert vocabulary.special == {0, 1, 267}
    assert vocabulary.shown(265) == "␣␣"
    assert vocabulary.shown(266) == r"\t\t"
    assert joined(vocabulary, "a  b\t\ta") == b"a  b\t\ta"


def test_added_tokens_of_byte_level_are_their_own_text() -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens([AddedToken("  ", special=False), AddedToken("Ġé", special=True)])
    vocabulary = from_tokenizer(tokenizer, tiny.VOCAB, "tiny")
    spaces, odd = tokenizer.token_to_id("  "), tokenizer.token_to_id("Ġé")
    assert vocabulary.pieces[spaces] == b"  "
    assert vocabulary.pieces[odd] == "Ġé".encode()
    assert spaces in vocabulary.usable()
    assert odd not in vocabulary.usable()
    assert vocabulary.one("  ") == spaces
    assert joined(vocabulary, "a  bĠé") == "a  bĠé".encode()


def test_rows_beyond_the_tokenizer_are_padding(small: Vocabulary) -> None:
    count = tiny.tokenizer().get_vocab_size()
    assert len(small) == tiny.VOCAB > count
    assert None not in small.pieces[:count]
    assert set(small.pieces[count:]) == {None}
    assert small.text(count) is None
    assert small.shown(count) == f"⟦#{count}⟧"
    assert small.token(count).text == f"⟦#{count}⟧"


def test_usable_leaves_out_special_unused_and_padding(small: Vocabulary) -> None:
    tokenizer = tiny.tokenizer()
    end, unused = tokenizer.token_to_id("<|end|>"), tokenizer.token_to_id("<unused0>")
    assert small.special == {end}
    assert small.unused == {unused}
    left_out = {end, unused, *range(tokenizer.get_vocab_size(), tiny.VOCAB)}
    assert small.usable() == [id for id in range(tiny.VOCAB) if id not in left_out]


@pytest.mark.parametrize(
    "name", ["<unused7>", "[unused12]", "<|reserved_special_token_3|>", "<extra_id_0>", "[PAD9]"]
)
def test_reserved_names_are_unused(name: str) -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens([AddedToken(name, special=False)])
    assert tokenizer.token_to_id(name) in from_tokenizer(tokenizer, tiny.VOCAB, "t").unused


def test_one_token_of_a_text(small: Vocabulary) -> None:
    tokenizer = tiny.tokenizer()
    assert small.one(" the") == tokenizer.token_to_id("Ġthe")
    assert small.one("a") == ord("a")
    assert small.one("<|end|>") == tokenizer.token_to_id("<|end|>")
    assert small.one("#3") == 3
    assert small.one(f"#{tiny.VOCAB - 1}") == tiny.VOCAB - 1


def test_several_tokens_are_named(small: Vocabulary) -> None:
    with pytest.raises(TokenInvalid, match="not one token") as caught:
        small.one("xy z")
    assert list(caught.value.pieces) == ["x", "y", "␣", "z"]
    assert caught.value.remedy == ""
    with pytest.raises(TokenInvalid) as caught:
        small.one(f"#{tiny.VOCAB}")
    assert caught.value.pieces[0] == "#"
    with pytest.raises(TokenInvalid, match="nothing"):
        small.one("")


def test_a_missing_leading_space_is_hinted(small: Vocabulary) -> None:
    with pytest.raises(TokenInvalid, match="' the', with a leading space, is one token"):
        small.one("the")


def test_a_token_beyond_the_embedding_is_not_left_out_of_the_count() -> None:
    tokenizer = tiny.tokenizer()
    end = tokenizer.token_to_id("<|end|>")
    vocabulary = from_tokenizer(tokenizer, end, "short")
    assert vocabulary.special == frozenset()
    for text in ("a<|end|>", "<|end|>"):
        with pytest.raises(TokenInvalid) as caught:
            vocabulary.one(text)
        assert caught.value.pieces[-1] == f"⟦#{end}⟧"


@pytest.mark.parametrize(
    ("decoder", "named"),
    [
        (decoders.WordPiece(), "WordPiece"),
        (decoders.BPEDecoder(), "BPEDecoder"),
        (decoders.Sequence([decoders.Replace(Regex("_"), " "), decoders.Fuse()]), "Fuse, Replace"),
        (None, "none"),
    ],
)
def test_an_unknown_decoder_is_refused(decoder: decoders.Decoder | None, named: str) -> None:
    with pytest.raises(TokenizerMissing, match=named):
        from_tokenizer(plain({"a": 0}, decoder), 4, "bert")


def test_truncation_and_padding_that_a_tokenizer_carries_are_not_followed() -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=8)
    vocabulary = from_tokenizer(tokenizer, tiny.VOCAB, "tiny")
    assert vocabulary.one(" the") == tokenizer.token_to_id("Ġthe")
    assert joined(vocabulary, "xyz the") == b"xyz the"
    assert tokenizer.padding
    assert tokenizer.truncation
