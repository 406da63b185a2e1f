"""Find the tokenizer that goes with a checkpoint."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from annotator.errors import TokenizerMissing
from annotator.paths import user_path
from annotator.tokens.gguf import gguf_tokenizer, unused_ids
from annotator.tokens.tokenizer_bounds import (
    failing_as,
    panics_unsaid,
    read_bounded,
    refuse_growth,
    refuse_ids,
)
from annotator.tokens.vocabulary import Vocabulary, from_tokenizer
from annotator.weights.checkpoint import Checkpoint
from annotator.weights.gguf import GgufFile
from annotator.weights.source import FileAbsent, Source

_FAST = "tokenizer.json"
_SLOW = (
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)


def load_vocabulary(source: Source, vocab: int, tokenizer: Any = None) -> Vocabulary:
    """The vocabulary of a checkpoint.

    Args:
        source: the checkpoint.
        vocab: rows of its embedding.
        tokenizer: in place of the checkpoint's own: a tokenizer.json or a folder that holds one,
            a `tokenizers.Tokenizer`, or a fast transformers tokenizer.

    Raises:
        TokenizerMissing: none is there, or of a kind that is not known.
    """
    if tokenizer is None:
        reserved = unused_ids(source.metadata) if isinstance(source, GgufFile) else ()
        return from_tokenizer(_own(source), vocab, source.id, reserved)
    if isinstance(tokenizer, str | Path):
        path = user_path(tokenizer)
        return from_tokenizer(_from_file(path / _FAST if path.is_dir() else path), vocab, str(path))
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(backend, Tokenizer):
        raise TokenizerMissing(source.id, f"a {type(tokenizer).__name__} is not a fast tokenizer")
    return from_tokenizer(backend, vocab, source.id)


def _own(source: Source) -> Tokenizer:
    if isinstance(source, GgufFile):
        return gguf_tokenizer(source.metadata, source.id)
    if isinstance(source, Checkpoint):
        try:
            return _from_file(source.fetch(_FAST))
        except FileAbsent:
            return _converted(source)
    raise TokenizerMissing(source.id, "a model in memory brings none")


def _from_file(path: Path) -> Tokenizer:
    if not path.is_file():
        raise TokenizerMissing(str(path), "there is no such file")
    described = read_bounded(str(path), path)
    with failing_as(str(path), "it cannot be read"), panics_unsaid():
        refuse_growth(str(path), described.get("normalizer"))
        return Tokenizer.from_file(str(path))


def _converted(source: Checkpoint) -> Tokenizer:
    """A tokenizer kept in an older form, converted by transformers."""
    present: list[Path] = []
    for file in _SLOW:
        try:
            present.append(source.fetch(file))
        except FileAbsent:
            continue
    if not any(path.name in ("tokenizer.model", "vocab.json") for path in present):
        raise TokenizerMissing(source.id, f"it holds neither {_FAST} nor an older form of one")
    for path in present:
        if path.name == "vocab.json":
            refuse_ids(source.id, read_bounded(source.id, path).values())
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        for path in [*present, source.fetch("config.json")]:
            (Path(folder) / path.name).symlink_to(path.resolve())
        with failing_as(source.id, "its older form cannot be converted"), panics_unsaid():
            try:
                return _backend(AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
            except Exception as error:
                if "trust_remote_code" not in str(error):
                    raise
                reason = "it wants code of its own to be run, and no checkpoint's code is run here"
                raise TokenizerMissing(source.id, reason) from None


def _backend(found: Any) -> Tokenizer:
    """The fast form of one of transformers; not all have one."""
    return found.backend_tokenizer
