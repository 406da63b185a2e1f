"""A text is tokenised as it stands in the middle of a sentence, whatever a tokenizer prepends."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from annotator.errors import TokenInvalid
from annotator.tokens.vocabulary import from_tokenizer

VOCAB = {"<unk>": 0, "▁": 1, "P": 2, "a": 3, "▁P": 4, "▁Pa": 5, "Pa": 6, "▁a": 7}
MERGES = [("▁", "P"), ("▁P", "a"), ("P", "a"), ("▁", "a")]


def sentencepiece(**parts: Any) -> Tokenizer:
    made = Tokenizer(models.BPE(VOCAB, MERGES, unk_token="<unk>", byte_fallback=True))
    for name, part in parts.items():
        setattr(made, name, part)
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return made


SPACES = normalizers.Replace(" ", "▁")
KINDS = {
    "prepends": {"normalizer": normalizers.Sequence([normalizers.Prepend("▁"), SPACES])},
    "metaspace": {"pre_tokenizer": pre_tokenizers.Metaspace(prepend_scheme="always")},
    "metaspace-first": {
        "pre_tokenizer": pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="first")])
    },
    "neither": {"normalizer": SPACES},
}


@pytest.mark.parametrize("kind", KINDS)
def test_leading_space_is_as_written(kind: str) -> None:
    tokenizer = sentencepiece(**KINDS[kind])
    vocabulary = from_tokenizer(tokenizer, len(VOCAB), "made")
    assert vocabulary.one(" Pa") == VOCAB["▁Pa"]
    assert vocabulary.one("Pa") == VOCAB["Pa"]
    assert vocabulary.encode("Pa a") == [VOCAB["Pa"], VOCAB["▁a"]]
    prepended = kind != "neither"
    assert (tokenizer.encode("Pa").ids == [VOCAB["▁Pa"]]) == prepended  # the caller's is untouched


def test_byte_level_prefix_space() -> None:
    from tests import tiny

    tokenizer = tiny.tokenizer()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    vocabulary = from_tokenizer(tokenizer, tiny.VOCAB, "made")
    assert vocabulary.encode("the") != vocabulary.encode(" the")
    assert vocabulary.shown(vocabulary.one(" the")) == "␣the"


def test_a_token_must_be_the_text_itself() -> None:
    """A normaliser that changes the text gives one token, but not of that text."""
    tokenizer = sentencepiece(normalizer=normalizers.Sequence([normalizers.Strip(), SPACES]))
    vocabulary = from_tokenizer(tokenizer, len(VOCAB), "made")
    assert vocabulary.encode(" Pa") == [VOCAB["Pa"]]
    with pytest.raises(TokenInvalid):
        vocabulary.one(" Pa")
