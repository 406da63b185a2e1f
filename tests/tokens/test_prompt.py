"""A prompt is tokenised as the model's own tokenizer does it, its special tokens included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from annotator.errors import TokenizerMissing
from annotator.tokens.gguf import SPLITS, gguf_tokenizer
from annotator.tokens.load import load_vocabulary
from annotator.tokens.vocabulary import Vocabulary, from_tokenizer
from annotator.weights.gguf import GgufFile
from tests import tiny
from tests.tokens.llama_cpp import LlamaCpp, byte_level, sentencepiece, write_model

TEXTS = ["a S aaaa", " the other", "", "<|end|>a<|end|> a", "<|user|>the<s> the", " "]
SPM_PARTS = ["the", " the", " ", "<|user|>", "<s>", "</s>", "and", "é", "\n", "▁", "<unk>"]
HEADERS: list[dict[str, Any]] = [
    {},
    {"add_bos_token": True},
    {"add_bos_token": False},
    {"add_eos_token": True, "eos_token_id": 5},
    {"add_space_prefix": True},
    {"add_space_prefix": False, "add_bos_token": True, "bos_token_id": 7},
    {"bos_token_id": None, "eos_token_id": None, "add_eos_token": True},
]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """A header's vocabulary here and in llama.cpp."""
    served: list[LlamaCpp] = []

    def opened(described: dict[str, Any]) -> tuple[Vocabulary, LlamaCpp]:
        described = {key: value for key, value in described.items() if value is not None}
        path = write_model(tmp_path_factory.mktemp("made") / "m.gguf", described, as_it_is=True)
        served.append(LlamaCpp(path))
        return load_vocabulary(GgufFile(path), len(described["tokens"])), served[-1]

    yield opened
    for one in served:
        one.close()


@pytest.mark.parametrize("header", HEADERS, ids=str)
@pytest.mark.parametrize("pre", [*SPLITS, "sentencepiece"])
def test_a_prompt_is_llama_cpps(
    serve: Callable[..., Any], pre: str, header: dict[str, Any]
) -> None:
    described = sentencepiece() if pre == "sentencepiece" else byte_level(pre)
    ours, theirs = serve(described | header)
    for text in TEXTS:
        assert ours.prompt(text) == theirs.prompt(text)
        as_written = b"".join(ours.pieces[id] or b"" for id in ours.encode(text))
        assert as_written == text.encode()


@given(st.lists(st.sampled_from(SPM_PARTS)).map("".join))
@example("<s>▁ the</s>")
def test_any_sentencepiece_prompt_is_llama_cpps(
    spm: tuple[Vocabulary, LlamaCpp], text: str
) -> None:
    ours, theirs = spm
    assert ours.prompt(text) == theirs.prompt(text)


@pytest.fixture(scope="module")
def spm(serve: Callable[..., Any]) -> tuple[Vocabulary, LlamaCpp]:
    return serve(sentencepiece())


def test_the_real_model_adds_nothing(real_gguf: Path) -> None:
    vocabulary, theirs = load_vocabulary(GgufFile(real_gguf), 49152), LlamaCpp(real_gguf)
    text = "This is a document about France"
    try:
        assert vocabulary.prompt(text) == theirs.prompt(text) == vocabulary.encode(text)
    finally:
        theirs.close()


def begins_and_ends(tokenizer: Tokenizer) -> Tokenizer:
    end = tokenizer.token_to_id("<|end|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|end|> $A <|end|>", special_tokens=[("<|end|>", end)]
    )
    return tokenizer


def test_special_tokens_that_a_tokenizer_adds_are_in_a_prompt_alone() -> None:
    tokenizer = begins_and_ends(tiny.tokenizer())
    vocabulary = from_tokenizer(tokenizer, tiny.VOCAB, "tiny")
    end = tokenizer.token_to_id("<|end|>")
    assert vocabulary.prompt("a b") == [end, *vocabulary.encode("a b"), end]
    assert vocabulary.prompt("") == [end, end]
    assert end not in vocabulary.encode("a b")


def test_a_prompt_is_what_transformers_makes_of_a_saved_folder(tmp_path: Path) -> None:
    tokenizer = begins_and_ends(tiny.tokenizer())
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path)
    own = transformers.AutoTokenizer.from_pretrained(tmp_path)
    vocabulary = from_tokenizer(
        Tokenizer.from_file(str(tmp_path / "tokenizer.json")), tiny.VOCAB, "tiny"
    )
    for text in ("This is the of", " a", "", "a<|end|>"):
        assert vocabulary.prompt(text) == own(text)["input_ids"]


def test_a_prompt_is_neither_cut_nor_padded() -> None:
    tokenizer = begins_and_ends(tiny.tokenizer())
    expected = tokenizer.encode("xyz the").ids
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=16)
    assert from_tokenizer(tokenizer, tiny.VOCAB, "tiny").prompt("xyz the") == expected


@pytest.mark.parametrize("kind", ["prepend", "metaspace", "byte-level"])
def test_the_space_before_a_whole_text_is_in_a_prompt_alone(kind: str) -> None:
    ids = {"<unk>": 0, "▁": 1, "a": 2, "b": 3, "▁a": 4, "Ġ": 5, "Ġa": 6}
    merges = [("Ġ", "a")] if kind == "byte-level" else [("▁", "a")]
    made = Tokenizer(models.BPE(ids, merges, unk_token="<unk>"))
    made.decoder = decoders.Metaspace()
    if kind == "prepend":
        spaces = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        made.normalizer = normalizers.Sequence(spaces)
    elif kind == "metaspace":
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    else:
        made.decoder = decoders.ByteLevel()
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    vocabulary = from_tokenizer(made, len(ids), "made")
    assert vocabulary.prompt("ab") == [ids["Ġa" if kind == "byte-level" else "▁a"], ids["b"]]
    assert vocabulary.encode("ab") == [ids["a"], ids["b"]]


def test_a_begin_token_that_is_not_there_is_refused() -> None:
    described = sentencepiece() | {"bos_token_id": 10**6}
    header = {f"tokenizer.ggml.{key}": value for key, value in described.items()}
    with pytest.raises(TokenizerMissing, match="corrupt"):
        gguf_tokenizer(header, "m")
