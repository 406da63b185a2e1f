"""The tokenizer of a GGUF header against llama.cpp's own; its cache; what is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annotator.errors import TokenizerMissing
from annotator.tokens.gguf import SPLITS, gguf_tokenizer
from annotator.tokens.load import load_vocabulary
from annotator.tokens.vocabulary import Vocabulary
from annotator.weights.gguf import GgufFile
from tests.tokens.llama_cpp import (
    LlamaCpp,
    byte_level,
    first_difference,
    sentencepiece,
    write_model,
)

TEXTS = [
    "Hello, world! The capital of France is Paris.",
    "It's 12345 o'clock; we're here, they'LL go, I'd've said I'm",
    "3.14159 1,000,000 2024-11-22 ½ ² Ⅷ ٣٤ 一二",
    "    four   three  two one \t\ttabs\t \t",
    "\n\n\nlines\r\n\r\n  indented\n \n  \n",
    "naïve café déjà e\u0301 Ünïcödé ß ŉ ǅ",
    "日本語のテキスト 中文 한국어 עברית العربية हिन्दी ไทย",
    "😀👍🏽👨‍👩‍👧 ❤️ 🇫🇷",
    "\u00a0nbsp\u2003em\u3000wide\u200bzero\u2028line\u0085next\ufeffbom",
    "def f(x):\n    return x**2 + 1  # comment\n\n\nclass A(B): ...",
    "<|im_start|>user\nHi<|im_end|>\n<|endoftext|>",
    "<|im_start|> spaces <|im_end|>  round ",
    "<|im_start", "|im_end|>", "_under_score__", "C++/C# (a,b)[0]{}", "...!!!???", "''''s 's's 'S",
    "http://example.com/a?b=c&d=%20", " ", "", "a", "\n", "1", "�",
]  # fmt: skip
PARTS = [
    *("a", "the", " the", " ", "  ", "\n", "\t", "\r", "1", "22", "²", "é", "e\u0301", "中", "😀"),
    *("'s", "'LL", "’", "-", "_", "\u200b", "\u00a0", "\u3000", "<|im_end|>", "<repo_name>"),
    *("<|user|>", "</s>", "<unk>", "<0x0A>", "<s", "ing", "other", "▁", "and", "E", "\ufffd", "½"),
]
POOL = ["a", "S", "'s", "'S", "1", ".", "$", " ", "\n", "\r", "é", "aaaa", "<|end|>", "xyz", "+"]
texts = st.lists(st.sampled_from(PARTS)).map("".join)


@pytest.fixture(scope="module")
def real(real_gguf: Path) -> Vocabulary:
    return load_vocabulary(GgufFile(real_gguf), 49152)


@pytest.fixture(scope="module")
def real_llama_cpp(real_gguf: Path) -> Iterator[LlamaCpp]:
    served = LlamaCpp(real_gguf)
    yield served
    served.close()


@pytest.fixture(scope="module")
def spm_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("spm") / "spm.gguf", sentencepiece())


@pytest.fixture(scope="module")
def spm(spm_gguf: Path) -> Vocabulary:
    return load_vocabulary(GgufFile(spm_gguf), len(sentencepiece()["tokens"]))


@pytest.fixture(scope="module")
def spm_llama_cpp(spm_gguf: Path) -> Iterator[LlamaCpp]:
    served = LlamaCpp(spm_gguf)
    yield served
    served.close()


@pytest.mark.parametrize("text", TEXTS)
def test_the_real_model_splits_as_llama_cpp(
    real: Vocabulary, real_llama_cpp: LlamaCpp, text: str
) -> None:
    assert real.encode(text) == real_llama_cpp.ids(text)


@given(texts)
@settings(max_examples=300, deadline=None)
def test_any_mixture_splits_as_llama_cpp(
    real: Vocabulary, real_llama_cpp: LlamaCpp, text: str
) -> None:
    assert real.encode(text) == real_llama_cpp.ids(text)


def test_every_character_of_the_first_two_planes_splits_as_llama_cpp(
    real: Vocabulary, real_llama_cpp: LlamaCpp
) -> None:
    chars = [chr(c) for c in range(0x20, 0x20000) if not 0xD800 <= c < 0xE000]
    for at in range(0, len(chars), 1024):
        lines = [f"a{c}1{c} {c}{c}" for c in chars[at : at + 1024]]
        assert first_difference(lines, real.encode, real_llama_cpp.ids) is None


def test_every_word_of_the_real_vocabulary_splits_as_llama_cpp(
    real: Vocabulary, real_llama_cpp: LlamaCpp
) -> None:
    words = [text for id in real.usable() if (text := real.text(id))]
    random.Random(0).shuffle(words)
    for at in range(0, len(words), 2048):
        assert first_difference(words[at : at + 2048], real.encode, real_llama_cpp.ids) is None


@given(st.one_of(texts, st.text(st.characters(exclude_categories=["Cs"]))))
@settings(max_examples=300, deadline=None)
@example("the other and  the    thing né中\n<|user|> the<|user|></s>a<unk>")
@example("<unk>")
@example(" <|user|>  <s> ")
def test_sentencepiece_splits_as_llama_cpp(
    spm: Vocabulary, spm_llama_cpp: LlamaCpp, text: str
) -> None:
    assert spm.encode(text) == spm_llama_cpp.ids(text)


@pytest.mark.parametrize("pre", SPLITS)
def test_every_splitting_rule_is_llama_cpps(tmp_path: Path, pre: str) -> None:
    described = byte_level(pre)
    path = write_model(tmp_path / "bpe.gguf", described)
    ours = load_vocabulary(GgufFile(path), len(described["tokens"]))
    theirs = LlamaCpp(path)
    choose = random.Random(0)
    lines = ["".join(choose.choices(POOL, k=choose.randint(1, 9))) for _ in range(3000)]
    try:
        assert first_difference([*lines, *TEXTS], ours.encode, theirs.ids) is None
        assert all(ours.encode(line) == theirs.ids(line) for line in lines[:300])
    finally:
        theirs.close()


def test_the_kinds_of_sentencepiece_tokens(spm: Vocabulary) -> None:
    tokens = sentencepiece()["tokens"]
    assert spm.special == {0, 1, 2}
    assert spm.pieces[3 + 0xE2] == b"\xe2"
    assert spm.one(" other") == tokens.index("▁other")
    assert spm.one("<|user|>") == len(tokens) - 1
    assert len(tokens) - 1 in spm.usable()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ANNOTATOR_CACHE", str(folder))
    return folder


def header(path: Path, **changes: Any) -> dict[str, Any]:
    metadata = dict(GgufFile(path).metadata)
    return metadata | {f"tokenizer.ggml.{key}": value for key, value in changes.items()}


def kept(cache: Path) -> list[Path]:
    return sorted((cache / "tokenizers").iterdir())


def test_the_second_opening_reads_what_the_first_kept(spm_gguf: Path, cache: Path) -> None:
    metadata = header(spm_gguf)
    built = gguf_tokenizer(metadata, "m")
    (file,) = kept(cache)
    assert file.suffix == ".json"
    # Only what is read from the file can know a token that was added to the file alone.
    built.add_tokens(["<marked>"])
    file.write_text(built.to_str(), encoding="utf-8")
    assert gguf_tokenizer(metadata, "m").token_to_id("<marked>") is not None
    assert kept(cache) == [file]


def test_another_header_is_another_entry(spm_gguf: Path, cache: Path) -> None:
    gguf_tokenizer(header(spm_gguf), "m")
    scores = [-score for score in sentencepiece()["scores"]]
    worst_first = gguf_tokenizer(header(spm_gguf, scores=scores), "m")
    assert len(kept(cache)) == 2
    assert worst_first.encode("there").tokens == ["t", "h", "er", "e"]
    assert gguf_tokenizer(header(spm_gguf), "m").encode("there").tokens == ["ther", "e"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xff", b'{"version": "1.0"}'])
def test_a_corrupt_entry_is_built_again(spm_gguf: Path, cache: Path, content: bytes) -> None:
    metadata = header(spm_gguf)
    expected = gguf_tokenizer(metadata, "m").to_str()
    (file,) = kept(cache)
    good = file.read_bytes()
    file.write_bytes(content)
    assert gguf_tokenizer(metadata, "m").to_str() == expected
    assert file.read_bytes() == good
    assert kept(cache) == [file]


def test_a_cache_that_cannot_be_written_is_harmless(spm_gguf: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert gguf_tokenizer(header(spm_gguf), "m").encode(" the").tokens == ["▁the"]
    assert cache.is_file()


@pytest.mark.parametrize("pre", ["deepseek-llm", "", "smollm "])
def test_an_unknown_splitting_rule_is_refused(real_gguf: Path, cache: Path, pre: str) -> None:
    with pytest.raises(TokenizerMissing, match=f"rule '{pre}'"):
        gguf_tokenizer(header(real_gguf, pre=pre), "m")
    assert not cache.exists()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": "bert"}, "'bert'"),
        ({"model": None}, "None"),
        ({"tokens": []}, "no tokens"),
        ({"scores": [0.0]}, "corrupt"),
        ({"unknown_token_id": 10**6}, "corrupt"),
        ({"model": "gpt2", "merges": ["no such"]}, "corrupt"),
        ({"model": "gpt2", "merges": ["single"]}, "corrupt"),
        ({"tokens": [1, 2, 3]}, "corrupt"),
    ],
)
def test_an_unknown_or_corrupt_tokenizer_is_refused(
    spm_gguf: Path, cache: Path, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(TokenizerMissing, match=named):
        gguf_tokenizer(header(spm_gguf, **changes), "m")
    assert not cache.exists()


def test_a_header_without_a_tokenizer_is_refused() -> None:
    with pytest.raises(TokenizerMissing, match="no tokens"):
        gguf_tokenizer({"general.architecture": "llama"}, "m")
