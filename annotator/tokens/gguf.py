"""The tokenizer that a GGUF header describes, built once and cached as a tokenizer.json.

Byte-level BPE ("gpt2") splits text before merging by a rule that the header only names; each name
below is taken from llama.cpp's table of them (src/llama-vocab.cpp) and checked in the tests
against llama.cpp's own tokens. Sentencepiece ("llama") keeps scores, not
merges: a pair merges when its join is a token, the better score first. What llama.cpp puts around
a prompt (begin and end tokens, sentencepiece's leading space) is the post-processor's and the
normaliser's part, with llama.cpp's own defaults where the header is silent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from annotator.atomic_files import make_folder, whole_file
from annotator.errors import CatalogUnwritable, HomeMissing, TokenizerMissing
from annotator.paths import cache_folder
from annotator.tokens.tokenizer_bounds import failing_as, panics_unsaid

_UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED = 2, 3, 4, 5
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SPLITS: Mapping[str, tuple[str, ...]] = {
    "default": (
        r"[\p{P}\$\+<=>\^~\|]+",
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
        r"\p{N}+",
        r"[0-9][0-9][0-9]",
    ),
    "gpt-2": (_GPT2,),
    "smollm": (r"\p{N}", _GPT2),
    "llama-bpe": (_LLAMA3,),
    "qwen2": (_QWEN2,),
}
_WHOLE_WORDS_FIRST = ("llama-bpe",)  # a word that is a token is not cut, whatever the merges say
_BEGIN_ADDED = ("llama-bpe",)  # a prompt has a begin token although the header does not say so
_LONGEST_TOKEN = 4096  # letters; each of its cuts in two is looked up
_ENDS = {"llama": (1, 2), "gpt2": (11, 11)}  # the begin and end tokens of headers that name none


def gguf_tokenizer(metadata: Mapping[str, Any], model: str) -> Tokenizer:
    """The tokenizer of a GGUF header, from the cache where it was built before.

    The cache is $ANNOTATOR_CACHE, else $XDG_CACHE_HOME/annotator, else ~/.cache/annotator; where
    there is none, or it cannot be written, the tokenizer is built each time.

    Raises:
        TokenizerMissing: the header has none, or one of a kind that is not known.
    """
    described = {key: value for key, value in metadata.items() if key.startswith("tokenizer.ggml.")}
    key = hashlib.sha256(json.dumps(["3", described], sort_keys=True).encode()).hexdigest()
    try:
        path = cache_folder() / "tokenizers" / f"{key}.json"
    except HomeMissing:
        return _build(described, model)
    if path.is_file():
        try:
            return Tokenizer.from_file(str(path))
        except Exception:  # noqa: BLE001  (tokenizers raises bare Exception; a bad cache is rebuilt)
            path.unlink(missing_ok=True)
    tokenizer = _build(described, model)
    _save(tokenizer, path)
    return tokenizer


def unused_ids(metadata: Mapping[str, Any]) -> list[int]:
    """Ids that a GGUF header marks as reserved for later use."""
    types: Any = metadata.get("tokenizer.ggml.token_type")
    found = types if isinstance(types, list) else []
    return [id for id, kind in enumerate(found) if kind == _UNUSED]


def _save(tokenizer: Tokenizer, path: Path) -> None:
    with suppress(CatalogUnwritable):
        make_folder(path.parent)
        with whole_file(path) as file:
            file.write(tokenizer.to_str().encode())


def _build(described: Mapping[str, Any], model: str) -> Tokenizer:
    tokens: list[str] = described.get("tokenizer.ggml.tokens", [])
    if not tokens:
        raise TokenizerMissing(model, "its header holds no tokens")
    kind = described.get("tokenizer.ggml.model")
    if kind not in ("gpt2", "llama"):
        raise TokenizerMissing(
            model, f"its header names the tokenizer {kind!r}; gpt2 and llama are known"
        )
    with failing_as(model, "its header's tokenizer is corrupt"), panics_unsaid():
        if any(len(token) > _LONGEST_TOKEN for token in tokens):
            raise ValueError(f"a token has over {_LONGEST_TOKEN:,} letters")
        return _assemble(described, tokens, model)


def _assemble(described: Mapping[str, Any], tokens: list[str], model: str) -> Tokenizer:
    if described["tokenizer.ggml.model"] == "gpt2":
        tokenizer = _byte_level(described, tokens, model)
    else:
        tokenizer = _sentencepiece(described, tokens)
    types: list[int] = described.get("tokenizer.ggml.token_type", [])
    for wanted, special in ((_UNKNOWN, True), (_CONTROL, True), (_USER_DEFINED, False)):
        chosen = [token for token, type in zip(tokens, types, strict=False) if type == wanted]
        tokenizer.add_tokens([AddedToken(t, normalized=False, special=special) for t in chosen])
    tokenizer.post_processor = _around(described, tokens)
    return tokenizer


def _around(
    described: Mapping[str, Any], tokens: list[str]
) -> processors.TemplateProcessing | None:
    """The begin and end tokens that llama.cpp puts around a prompt; None: it puts none."""
    header = {key.removeprefix("tokenizer.ggml."): value for key, value in described.items()}
    kind = header["model"]
    begins = kind == "llama" or header.get("pre") in _BEGIN_ADDED
    begin, end = _ENDS[kind]
    added: dict[str, int] = {}
    if header.get("add_bos_token", begins):
        added["begin"] = header.get("bos_token_id", begin)
    if header.get("add_eos_token", False):
        added["end"] = header.get("eos_token_id", end)
    if not added:
        return None
    return processors.TemplateProcessing(
        single=[name for name in ("begin", "$A", "end") if name in added or name == "$A"],
        special_tokens=[
            {"id": name, "ids": [id], "tokens": [tokens[id]]} for name, id in added.items()
        ],
    )


def _byte_level(described: Mapping[str, Any], tokens: list[str], model: str) -> Tokenizer:
    pre = described.get("tokenizer.ggml.pre", "default")
    if pre not in SPLITS:
        raise TokenizerMissing(
            model, f"its header splits text by the rule {pre!r}; known are {', '.join(SPLITS)}"
        )
    merges = [tuple(merge.split(" ", 1)) for merge in described.get("tokenizer.ggml.merges", [])]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: id for id, token in enumerate(tokens)},
            merges=merges,
            ignore_merges=pre in _WHOLE_WORDS_FIRST,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(split), behavior="isolated") for split in SPLITS[pre]),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(described: Mapping[str, Any], tokens: list[str]) -> Tokenizer:
    ids = {token: id for id, token in enumerate(tokens)}
    scores: list[float] = described["tokenizer.ggml.scores"]
    merges = [
        (scores[id], token[:cut], token[cut:])
        for token, id in ids.items()
        for cut in range(1, len(token))
        if token[:cut] in ids and token[cut:] in ids
    ]
    merges.sort(key=lambda merge: (-merge[0], ids[merge[1]], ids[merge[2]]))
    unknown = described.get("tokenizer.ggml.unknown_token_id")
    tokenizer = Tokenizer(
        models.BPE(
            vocab=ids,
            merges=[(left, right) for _, left, right in merges],
            unk_token=None if unknown is None else tokens[unknown],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    if described.get("tokenizer.ggml.add_space_prefix", True):
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend(" "), normalizers.Replace(" ", "▁")]
        )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return tokenizer
