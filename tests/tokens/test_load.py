"""Where a vocabulary comes from: beside the checkpoint, named, an older form, or an object."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
import transformers

from annotator.errors import TokenizerMissing
from annotator.tokens.load import load_vocabulary
from annotator.tokens.vocabulary import Vocabulary, from_tokenizer
from annotator.weights.in_memory import from_module
from annotator.weights.open_source import open_source
from tests import tiny


@pytest.fixture
def bare(tiny_folder: Path, tmp_path: Path) -> Path:
    """The checkpoint without a tokenizer."""
    folder = tmp_path / "bare"
    shutil.copytree(tiny_folder, folder)
    (folder / "tokenizer.json").unlink()
    return folder


def assert_same(got: Vocabulary) -> None:
    expected = from_tokenizer(tiny.tokenizer(), tiny.VOCAB, "tiny")
    assert got.pieces == expected.pieces
    assert (got.special, got.unused) == (expected.special, expected.unused)
    assert got.encode(" the of<|end|>é") == expected.encode(" the of<|end|>é")


def test_the_checkpoints_own(tiny_folder: Path) -> None:
    assert_same(load_vocabulary(open_source(tiny_folder), tiny.VOCAB))


@pytest.mark.parametrize("as_text", [str, Path])
def test_a_named_file_or_folder(bare: Path, tiny_folder: Path, as_text: type) -> None:
    source = open_source(bare)
    for named in (tiny_folder, tiny_folder / "tokenizer.json"):
        assert_same(load_vocabulary(source, tiny.VOCAB, as_text(named)))


def test_an_object(bare: Path) -> None:
    source, backend = open_source(bare), tiny.tokenizer()
    assert_same(load_vocabulary(source, tiny.VOCAB, backend))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=backend)
    assert_same(load_vocabulary(source, tiny.VOCAB, fast))


def test_an_object_that_is_no_fast_tokenizer_is_refused(bare: Path) -> None:
    with pytest.raises(TokenizerMissing, match="dict"):
        load_vocabulary(open_source(bare), tiny.VOCAB, {"a": 1})


def test_one_named_takes_the_place_of_the_own(tiny_folder: Path) -> None:
    other = tiny.tokenizer(vocab=262)
    got = load_vocabulary(open_source(tiny_folder), tiny.VOCAB, other)
    assert got.pieces == from_tokenizer(other, tiny.VOCAB, "other").pieces
    with pytest.raises(AssertionError):
        assert_same(got)


def test_an_older_form_is_converted_by_transformers(bare: Path) -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.model.save(str(bare))  # vocab.json and merges.txt
    (bare / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    vocabulary = load_vocabulary(open_source(bare), tiny.VOCAB)
    bpe = tokenizer.get_vocab_size(with_added_tokens=False)
    expected = from_tokenizer(tokenizer, tiny.VOCAB, "tiny")
    assert vocabulary.pieces[:bpe] == expected.pieces[:bpe]
    assert vocabulary.encode(" the of it, é") == expected.encode(" the of it, é")


@pytest.mark.parametrize("files", [["vocab.json"], ["vocab.json", "merges.txt"]])
def test_an_older_form_that_cannot_be_converted(bare: Path, files: list[str]) -> None:
    for file in files:
        (bare / file).write_text("{ not a vocabulary")
    with pytest.raises(TokenizerMissing, match=r"cannot be (converted|read)"):
        load_vocabulary(open_source(bare), tiny.VOCAB)


def test_a_tokenizer_that_wants_code_is_refused_by_name_whoever_would_say_yes(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.tokenizer().model.save(str(bare))
    own = {"auto_map": {"AutoTokenizer": ["tok.Own", None]}, "tokenizer_class": "Own"}
    for file in ("tokenizer_config.json", "config.json"):
        said = json.loads((bare / file).read_text()) if (bare / file).exists() else {}
        (bare / file).write_text(json.dumps(said | own))
    ran = bare / "ran"
    (bare / "tok.py").write_text(f"open({str(ran)!r}, 'w')\nclass Own: pass\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    with pytest.raises(TokenizerMissing, match="it wants code of its own to be run"):
        load_vocabulary(open_source(bare), tiny.VOCAB)
    assert not ran.exists()


def test_no_tokenizer_at_all(bare: Path) -> None:
    with pytest.raises(TokenizerMissing, match=r"neither tokenizer\.json nor an older form"):
        load_vocabulary(open_source(bare), tiny.VOCAB)


def test_a_module_in_memory_brings_none() -> None:
    with pytest.raises(TokenizerMissing, match="in memory"):
        load_vocabulary(from_module(tiny.llama(num_hidden_layers=1)), tiny.VOCAB)


def test_a_named_path_that_is_not_there(bare: Path, tmp_path: Path) -> None:
    source = open_source(bare)
    for named in (tmp_path / "nowhere.json", bare):
        with pytest.raises(TokenizerMissing, match="no such file"):
            load_vocabulary(source, tiny.VOCAB, named)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"version": "1.0"}'])
def test_a_corrupt_file(bare: Path, tmp_path: Path, content: bytes) -> None:
    named = tmp_path / "named.json"
    named.write_bytes(content)
    with pytest.raises(TokenizerMissing, match="cannot be read"):
        load_vocabulary(open_source(bare), tiny.VOCAB, named)
    (bare / "tokenizer.json").write_bytes(content)
    with pytest.raises(TokenizerMissing, match="cannot be read"):
        load_vocabulary(open_source(bare), tiny.VOCAB)


def test_an_older_form_without_a_fast_one_is_refused(bare: Path) -> None:
    tiny.tokenizer().model.save(str(bare))
    (bare / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CTRLTokenizer"}))
    with pytest.raises(TokenizerMissing, match="cannot be converted"):
        load_vocabulary(open_source(bare), tiny.VOCAB)
