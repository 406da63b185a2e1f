"""Files that ask for gigabytes, or break what reads them: one error, at once, in little memory."""

from __future__ import annotations

import base64
import json
import resource
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pyarrow as pa
import pytest

from annotator.catalog.read import open_catalog
from annotator.catalog.table_files import read_table
from annotator.errors import (
    AnnotatorError,
    CatalogBroken,
    CheckpointBroken,
    CheckpointUnreadable,
    TokenizerMissing,
)
from annotator.json_file import JsonInvalid, read_json
from annotator.pipeline.map import map_model
from annotator.pipeline.open_model import open_model
from annotator.tokens.load import load_vocabulary
from annotator.weights.gguf import GgufFile
from annotator.weights.open_source import open_source
from tests import tiny
from tests.weights.gguf_files import write

SECONDS = 10.0
ROOM = 500_000_000
"""Bytes of memory that a test may take beyond what its process has."""


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Little room and little time: what asks for more fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + ROOM, hard))
    began = monotonic()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert monotonic() - began < SECONDS


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def array(kind: int, count: int) -> bytes:
    return text("tokenizer.ggml.token_type") + struct.pack("<IIQ", 9, kind, count)


def header(*keys: bytes, n_tensors: int = 0, n_keys: int | None = None) -> bytes:
    count = len(keys) if n_keys is None else n_keys
    return b"GGUF" + struct.pack("<IQQ", 3, n_tensors, count) + b"".join(keys)


GGUFS = {
    "an array of a billion": (header(array(7, 10**9)), 99_000_000, "values in arrays"),
    "60 million numbers": (header(array(0, 60_000_000)), 61_000_000, "values in arrays"),
    "arrays one after the other": (
        header(*[array(7, 3_000_000)[:-1] + b"\0" + bytes(3_000_000)] * 2),
        7_000_000,
        "values in arrays",
    ),
    "strings without letters": (header(array(8, 10**8)), 99_000_000, "values in arrays"),
    "keys without end": (header(n_keys=1 << 40), 99_000_000, "keys"),
    "tensors without end": (header(n_tensors=1 << 40), 99_000_000, "tensors"),
    "a text of a book": (
        header(text("x") + struct.pack("<IQ", 8, 90_000_000)),
        99_000_000,
        "letters in a text",
    ),
}


@pytest.mark.parametrize("what", GGUFS)
def test_a_gguf_header_that_becomes_a_billion_objects(tmp_path: Path, what: str) -> None:
    head, size, said = GGUFS[what]
    with (tmp_path / "m.gguf").open("wb") as file:
        file.write(head)
        file.truncate(size)  # a hole: it takes no disk
    with pytest.raises(CheckpointBroken, match=rf"truncated or corrupt \([\d,]+ {said}, more than"):
        GgufFile(tmp_path / "m.gguf")


def replaced(*path: str, by: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one value of a tokenizer.json."""

    def change(described: dict[str, Any]) -> None:
        for name in path[:-1]:
            described = described[name]
        described[path[-1]] = by

    return change


def charsmap(content: bytes) -> dict[str, str]:
    encoded = base64.b64encode(content).decode()
    return {"type": "Precompiled", "precompiled_charsmap": encoded}


BROKE = r"it fails \(|it cannot be read \("
REPLACE = {"type": "Replace", "pattern": {"Regex": "."}, "content": "a" * 32}
ONLY_B = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B", "type_id": 0}}]}
WORD_LEVEL = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "z"}
UNIGRAM = {"type": "Unigram", "unk_id": None, "vocab": [["q", -1.0]], "byte_fallback": False}
WORD_PIECE = {
    **{"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"a": 0}},
    **{"continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
}
TOKENIZERS = {
    "an id of four billion": (replaced("model", "vocab", "a", by=4_000_000_000), "ids of tokens"),
    "an id of 100 million": (replaced("model", "vocab", "a", by=10**8), "ids of tokens"),
    "replacements on replacements": (
        replaced("normalizer", by={"type": "Sequence", "normalizers": [REPLACE] * 8}),
        "its normalizer makes over",
    ),
    "a book before each text": (
        replaced("normalizer", by={"type": "Prepend", "prepend": "x" * 2_000_000}),
        "its normalizer makes over",
    ),
    "panic: no charsmap": (replaced("normalizer", by=charsmap(b"")), BROKE),
    "panic: a wild charsmap": (
        replaced("normalizer", by=charsmap(struct.pack("<I", 16) + b"\xff\xff\xff\x7f" * 4 + b"a")),
        BROKE,
    ),
    "panic: a template of another": (
        replaced("post_processor", by={**ONLY_B, "pair": [], "special_tokens": {}}),
        BROKE,
    ),
    "panic: a prefix": (replaced("model", "continuing_subword_prefix", by="x" * 99), BROKE),
}


@pytest.fixture
def model(tiny_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_folder, tmp_path / "model")


@pytest.mark.parametrize("what", TOKENIZERS)
def test_a_tokenizer_that_panics_or_asks_for_gigabytes(
    model: Path, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    change, said = TOKENIZERS[what]
    described = json.loads((model / "tokenizer.json").read_text())
    change(described)
    (model / "tokenizer.json").write_text(json.dumps(described))
    with pytest.raises(TokenizerMissing, match=said):
        load_vocabulary(open_source(model), tiny.VOCAB)
    assert "panicked" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("by", [WORD_LEVEL, UNIGRAM, WORD_PIECE])
def test_a_text_that_a_tokenizer_has_no_tokens_for_is_an_error_of_that_text(
    model: Path, by: dict[str, Any]
) -> None:
    described = json.loads((model / "tokenizer.json").read_text())
    replaced("model", by=by)(described)
    (model / "tokenizer.json").write_text(json.dumps(described))
    vocabulary = load_vocabulary(open_source(model), tiny.VOCAB)
    with pytest.raises(TokenizerMissing, match="it fails"):
        vocabulary.encode("zebra")


def test_a_tokenizer_of_terabytes(model: Path) -> None:
    with (model / "tokenizer.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TokenizerMissing, match=r"more than 67,108,864 bytes"):
        load_vocabulary(open_source(model), tiny.VOCAB)


@pytest.mark.parametrize("id", [4_000_000_000, "4", -1, None])
def test_an_older_form_with_ids_that_are_none(model: Path, id: object) -> None:
    (model / "tokenizer.json").unlink()
    tiny.tokenizer().model.save(str(model))
    vocab = json.loads((model / "vocab.json").read_text())
    (model / "vocab.json").write_text(json.dumps(vocab | {"a": id}))
    with pytest.raises(TokenizerMissing, match="ids of tokens"):
        load_vocabulary(open_source(model), tiny.VOCAB)


def test_a_token_of_megabytes(tmp_path: Path) -> None:
    """Each of its cuts in two would be looked up."""
    from annotator.tokens.gguf import gguf_tokenizer

    header = {"model": "llama", "tokens": ["a" * 1_000_000, "b"], "scores": [0.0, 0.0]}
    metadata = {f"tokenizer.ggml.{name}": value for name, value in header.items()}
    with pytest.raises(TokenizerMissing, match="over 4,096 letters"):
        gguf_tokenizer(metadata, "m")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000])
def test_json_nested_without_end(model: Path, content: bytes) -> None:
    for name in ("config.json", "model.safetensors.index.json", "tokenizer.json"):
        folder = shutil.copytree(model, model.with_name(name))
        (folder / name).write_bytes(content)
        with pytest.raises(AnnotatorError, match=name) as caught:
            open_model(folder, "float32").digests()
        assert len(str(caught.value)) < 1000


def test_json_of_terabytes(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(JsonInvalid, match=r"more than 33,554,432 bytes"):
        read_json(tmp_path / "config.json")


@pytest.mark.parametrize(("name", "value"), [("vocab_size", 10**9), ("vocab_size", 2**31)])
def test_a_size_that_the_file_does_not_have(model: Path, name: str, value: int) -> None:
    config = json.loads((model / "config.json").read_text()) | {name: value}
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointBroken, match=r"has shape \[320, 32\], not"):
        open_model(model, "float32").digests()


def test_the_largest_vocabularies_that_are_about_are_read(tmp_path: Path) -> None:
    """262,144 tokens with a number each: what is refused is far from it."""
    module = tiny.llama(vocab_size=4, hidden_size=16, intermediate_size=4, num_hidden_layers=1)
    content = write(tmp_path / "m.gguf", module).read_bytes()
    n_keys = struct.unpack_from("<Q", content, 16)[0]
    many = array(5, 1_000_000) + bytes(4_000_000)
    filled = text("general.note") + struct.pack("<I", 8)
    many += filled + text("x" * (-(len(many) + len(filled) + 8) % 32))
    start = content[:16] + struct.pack("<Q", n_keys + 2)
    (tmp_path / "m.gguf").write_bytes(start + many + content[24:])
    read = GgufFile(tmp_path / "m.gguf")
    assert len(read.metadata["tokenizer.ggml.token_type"]) == 1_000_000


def test_what_cannot_be_read_is_not_called_truncated(model: Path) -> None:
    """As root too, whom no permission stops: a file of /proc can be opened, and not be read."""
    (model / "model.safetensors").unlink()
    (model / "model.safetensors").symlink_to("/proc/self/mem")
    with pytest.raises(CheckpointUnreadable, match=r"model.safetensors of model cannot be read"):
        open_model(model, "float32").digests()
    (model / "m.gguf").mkdir()
    with pytest.raises(CheckpointUnreadable, match=r"m.gguf of .*model cannot be read"):
        GgufFile(model / "m.gguf")
    (model / "config.json").unlink()
    (model / "config.json").symlink_to("/proc/self/mem")
    with pytest.raises(CheckpointUnreadable, match=r"config.json of model cannot be read"):
        open_model(model, "float32")


def test_nobody_is_told_to_delete_what_is_not_at_fault(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "circle.parquet").symlink_to(tmp_path / "circle.parquet")  # cannot be opened
    with pytest.raises(CatalogBroken, match=r"Too many levels .* See its permissions") as caught:
        read_table(tmp_path / "circle.parquet", pa.schema([]))
    assert "Delete" not in str(caught.value)
    map_model(tiny_folder, tmp_path / "catalog", progress=False)
    (tmp_path / "catalog" / "catalog.json").unlink()
    (tmp_path / "catalog" / "catalog.json").symlink_to("/proc/self/mem")
    with pytest.raises(CatalogBroken, match=r"Input/output error.* See its permissions") as caught:
        open_catalog(tmp_path / "catalog")
    assert "Delete" not in str(caught.value)


def test_a_path_that_looks_like_an_address_is_a_path(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("s3:x", "file:x"):
        catalog = map_model(tiny_folder, f"{name}/catalog", progress=False)
        assert len(catalog.frame("signatures")) == 12
