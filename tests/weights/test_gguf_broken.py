"""GGUF files cut short or with bytes changed: a ModelError or success, at once, nothing else."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.errors import CheckpointBroken, CheckpointRefused, ModelError
from annotator.tokens.load import load_vocabulary
from annotator.weights.check_tensors import verify
from annotator.weights.gguf import GgufFile
from annotator.weights.model import open_model
from tests import tiny
from tests.tokens.llama_cpp import byte_level, write_model
from tests.weights.gguf_files import write


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A complete small file."""
    path = tmp_path_factory.mktemp("whole") / "m.gguf"
    module = tiny.llama(vocab_size=4, hidden_size=16, intermediate_size=4, num_hidden_layers=2)
    return write(path, module).read_bytes()


@cache
def header_end(content: bytes, folder: Path) -> int:
    path = folder / "measured.gguf"
    path.write_bytes(content)
    return int(gguf.GGUFReader(path).data_offset)


def use(path: Path) -> None:
    """Everything that is done with a file before it is mapped."""
    model = open_model(path)
    verify(model.plan)
    for layer in range(model.dims.n_layers):
        model.heads(layer)
    model.first_mlp()
    model.embeddings()


def attempt(path: Path, content: bytes) -> ModelError | None:
    """Use a file of this content; any exception but a ModelError is the test's failure."""
    path.write_bytes(content)
    error: ModelError | None = None
    try:
        use(path)
    except ModelError as broken:
        error = broken
    assert error is None or path.name in str(error)
    return error


def test_the_whole_file_is_good(whole: bytes, tmp_path: Path) -> None:
    assert attempt(tmp_path / "m.gguf", whole) is None


def test_a_file_cut_anywhere_is_broken(whole: bytes, tmp_path: Path) -> None:
    path, end = tmp_path / "m.gguf", header_end(whole, tmp_path)
    assert end > 1000
    cuts = [*range(end + 8), *range(end + 8, len(whole) - 32, 61)]
    for cut in cuts:  # the last 32 bytes may be padding
        path.write_bytes(whole[:cut])
        with pytest.raises(CheckpointBroken):
            GgufFile(path)


def test_truncation_says_how_much_is_missing(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(whole[: header_end(whole, tmp_path) + 64])
    with pytest.raises(CheckpointBroken, match=r"truncated: [\d,]+ bytes of [\d,]+"):
        GgufFile(path)


@pytest.mark.parametrize("content", [b"", b"GGU", b"GGUX" + bytes(64), b"PK\x03\x04" + bytes(64)])
def test_another_magic(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointBroken, match="does not begin as a GGUF file"):
        GgufFile(path)


@pytest.mark.parametrize("version", [0, 1, 4, 3 << 24])
def test_another_version(whole: bytes, tmp_path: Path, version: int) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(whole[:4] + struct.pack("<I", version) + whole[8:])
    with pytest.raises(CheckpointRefused, match=f"GGUF version {version}"):
        GgufFile(path)


def test_version_two_is_read_as_three(whole: bytes, tmp_path: Path) -> None:
    assert attempt(tmp_path / "m.gguf", whole[:4] + struct.pack("<I", 2) + whole[8:]) is None


@given(data=st.data())
@settings(
    max_examples=200, deadline=20_000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_changed_bytes_of_the_header(whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
    end = header_end(whole, tmp_path)
    changed = bytearray(whole)
    spots = st.tuples(st.integers(0, end - 1), st.integers(0, 255))
    for at, byte in data.draw(st.lists(spots, min_size=1, max_size=4)):
        changed[at] = byte
    attempt(tmp_path / "m.gguf", bytes(changed))


def test_bytes_changed_throughout_the_header(whole: bytes, tmp_path: Path) -> None:
    outcomes: set[type | None] = set()
    for at in range(4, header_end(whole, tmp_path), 3):
        error = attempt(tmp_path / "m.gguf", whole[:at] + b"\x7f" + whole[at + 1 :])
        outcomes.add(type(error) if error else None)
    assert outcomes >= {CheckpointBroken, CheckpointRefused, None}


@pytest.mark.parametrize("blocks", [3, 2**32 - 1])
def test_more_blocks_claimed_than_there_are(whole: bytes, tmp_path: Path, blocks: int) -> None:
    key = text("llama.block_count") + U32
    content = whole.replace(key + struct.pack("<I", 2), key + struct.pack("<I", blocks))
    assert content != whole
    assert f"says {blocks} blocks, it has 2" in str(attempt(tmp_path / "m.gguf", content))


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def header(keys: list[bytes], stored: Sequence[bytes] = (), *, n_keys: int | None = None) -> bytes:
    """The bytes of a header, counts as they are or as they are claimed."""
    count = len(keys) if n_keys is None else n_keys
    start = b"GGUF" + struct.pack("<IQQ", 3, len(stored), count)
    return start + b"".join([*keys, *stored]) + bytes(64)


LLAMA = text("general.architecture") + struct.pack("<I", 8) + text("llama")
U32 = struct.pack("<I", 4)
HUGE = 2**62


def tensor(name: str, *shape: int, kind: int = 0, offset: int = 0) -> bytes:
    axes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + axes + struct.pack("<IQ", kind, offset)


@pytest.mark.parametrize(
    "content",
    [
        header([], n_keys=HUGE),
        header([text("k") + struct.pack("<IIQ", 9, 4, HUGE)]),
        header([text("k") + struct.pack("<IIQ", 9, 8, HUGE)]),
        header([text("k") + struct.pack("<IIQ", 9, 4, 2**64 - 1)]),
        header([text("k") + struct.pack("<IIQ", 9, 99, 1)]),
        header([text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5000]),
        header([text("k") + struct.pack("<IQ", 8, 2**64 - 1)]),
        header([struct.pack("<Q", HUGE)]),
        header([text("general.alignment") + U32 + struct.pack("<I", 0)]),
        header([text("general.alignment") + struct.pack("<I", 8) + text("wide")]),
        header([text("general.alignment") + struct.pack("<IIQI", 9, 4, 1, 32)]),
        header([LLAMA], [text("t") + struct.pack("<I", 2**32 - 1)]),
        header([LLAMA], [tensor("t", *[2] * 5)]),
        header([LLAMA], [tensor("t", 2**63, 2**63)]),
        header([LLAMA], [tensor("t", 1, offset=2**64 - 1)]),
        header([LLAMA], [tensor("token_embd.weight", 33, 32, kind=8)]),
    ],
)
def test_absurd_claims_cost_no_memory(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    gguf.GGML_QUANT_SIZES  # noqa: B018  (its import is not what is measured)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointBroken):
            GgufFile(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_refusals_that_say_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(header([LLAMA], [tensor("t", 1, kind=4)]))
    with pytest.raises(CheckpointRefused, match="t is stored as kind 4"):
        GgufFile(path)
    path.write_bytes(header([LLAMA, text("split.count") + U32 + struct.pack("<I", 3)]))
    with pytest.raises(CheckpointRefused, match="one of 3 parts"):
        GgufFile(path)


@pytest.mark.parametrize("name", ["blk.999999999999.attn_v.weight", "blk.x.attn_v.weight", "blk."])
def test_an_absurd_layer_costs_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(header([LLAMA], [tensor(name, 1)]))
    with pytest.raises(CheckpointBroken, match="lacks"):
        use(path)


@pytest.mark.parametrize("block", range(8))
def test_a_changed_tokenizer_is_a_model_error_or_read(tmp_path: Path, block: int) -> None:
    path = write_model(tmp_path / "bpe.gguf", byte_level("smollm"))
    content = path.read_bytes()
    start = content.index(b"tokenizer.ggml.model")
    for at in range(start + block * 30, start + block * 30 + 30, 5):
        path.write_bytes(content[:at] + b"\xee" + content[at + 1 :])
        with contextlib.suppress(ModelError):
            load_vocabulary(GgufFile(path), 400)
