"""The oracle of GGUF files: llama.cpp itself, through xllamacpp's server; and small models.

llama.cpp serves a vocabulary only with a model round it, so the small files are complete ones.
"""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gguf
import numpy as np
import xllamacpp
from tokenizers import pre_tokenizers

from tests import PATIENCE

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
WORDS = (
    *("▁t", "he", "▁the", "in", "er", "▁a", "on", "▁▁", "▁▁▁▁", "ing", "▁in", "or", "▁b", "an"),
    *("and", "▁and", "▁the▁", "ll", "oo", "▁o", "the", "ther", "▁other", "é", "中", "né"),
)
LETTERS = "▁etaoinsrhldcumfpgwybvkxjqzABCDEPT1234567890.,'-!"
# In byte-level letters: what splitting rules tell apart (letters, digits, marks, spaces, lines).
SPLITTING = ("a", "S", "s", "'", "1", ".", "$", "Ġ", "Ċ", "č", "Ã", "©")


class LlamaCpp:
    """llama.cpp with a model loaded: its tokenizer, special tokens in a text parsed; its logits."""

    def __init__(self, model: Path) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx, params.n_parallel, params.n_gpu_layers = 64, 1, 0
        params.warmup = params.enable_chat_template = False
        # Nothing is rounded between the weights and the logits, as far as llama.cpp can help it.
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cpuparams.n_threads = 1  # its models are small
        params.port, params.verbosity = 0, -1
        self._server = xllamacpp.Server(params)
        self._connection = http.client.HTTPConnection(
            urlsplit(self._server.listening_address).netloc, timeout=PATIENCE
        )

    def ids(self, text: str) -> list[int]:
        return self._ask("/tokenize", content=text, add_special=False, parse_special=True)["tokens"]

    def prompt(self, text: str) -> list[int]:
        """The ids of a prompt, with what llama.cpp puts around it."""
        return self._ask("/tokenize", content=text, add_special=True, parse_special=True)["tokens"]

    def log_probabilities(self, prompt: list[int], vocab: int) -> np.ndarray:
        """Of every token of the vocabulary to come after the prompt, no sampler applied."""
        answer = self._ask(
            "/completion",
            prompt=prompt,
            n_predict=1,
            n_probs=vocab,
            samplers=[],
            post_sampling_probs=False,
            cache_prompt=False,
            # What is drawn does not matter, but the server sends no probabilities beside a byte
            # that is no whole character. They are those before this bias.
            logit_bias=[[self.ids("e")[-1], 1000.0]],
        )
        assert answer["tokens_evaluated"] == len(prompt)
        (position,) = answer["completion_probabilities"]
        found = {token["id"]: token["logprob"] for token in position["top_logprobs"]}
        return np.array([found[id] for id in range(vocab)])

    def _ask(self, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", path, json.dumps(body), headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return json.loads(content)

    def close(self) -> None:
        self._connection.close()
        del self._server


def first_difference(
    texts: list[str], ours: Callable[[str], list[int]], theirs: Callable[[str], list[int]]
) -> str | None:
    """The first text on which two tokenizers differ, asked for in bulk and narrowed down."""
    whole = "\n".join(texts)
    if ours(whole) == theirs(whole):
        return None
    if len(texts) == 1:
        return f"{whole!r}: {ours(whole)} here, {theirs(whole)} in llama.cpp"
    half = len(texts) // 2
    parts = (texts[:half], texts[half:])
    found = (first_difference(part, ours, theirs) for part in parts)
    return next((difference for difference in found if difference), f"only together: {whole!r}")


def sentencepiece() -> dict[str, Any]:
    """The header of a small sentencepiece vocabulary with every kind of token."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces = [*WORDS, *LETTERS]
    return {
        "model": "llama",
        "pre": "default",
        "tokens": [*tokens, *pieces, "<|user|>"],
        "scores": [0.0] * len(tokens) + [-float(at) for at in range(len(pieces))] + [0.0],
        "token_type": [
            *[UNKNOWN, CONTROL, CONTROL],
            *[BYTE] * 256,
            *[NORMAL] * len(pieces),
            USER_DEFINED,
        ],
        "unknown_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def byte_level(pre: str) -> dict[str, Any]:
    """The header of a byte-level vocabulary that merges whatever its splitting rule leaves whole.

    Tokens are the bytes and every pair and triple of SPLITTING, and some that no merge makes.
    """
    pairs = list(itertools.product(SPLITTING, repeat=2))
    triples = [("".join(pair), last) for pair, last in itertools.product(pairs, SPLITTING)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    unmerged = ["aaaa", "Ġaaaa", "1111", "xyz"]
    tokens = [*letters, *("".join(merge) for merge in [*pairs, *triples]), *unmerged, "<|end|>"]
    return {
        "model": "gpt2",
        "pre": pre,
        "tokens": tokens,
        "merges": [" ".join(merge) for merge in [*pairs, *triples]],
        "token_type": [*[NORMAL] * (len(tokens) - 1), CONTROL],
        "bos_token_id": len(tokens) - 1,
        "eos_token_id": len(tokens) - 1,
    }


AS_WRITTEN = {"add_space_prefix": False, "add_bos_token": False}


def add_tokenizer(
    writer: gguf.GGUFWriter, tokenizer: Mapping[str, Any], *, as_it_is: bool = False
) -> None:
    """Put a vocabulary into a header; texts are tokenised as written, or by the header's rules."""
    for key, value in {**tokenizer, **({} if as_it_is else AS_WRITTEN)}.items():
        if isinstance(value, list):
            writer.add_array(f"tokenizer.ggml.{key}", value)
        elif isinstance(value, bool):
            writer.add_bool(f"tokenizer.ggml.{key}", value)
        elif isinstance(value, int):
            writer.add_uint32(f"tokenizer.ggml.{key}", value)
        else:
            writer.add_string(f"tokenizer.ggml.{key}", value)


def write_model(path: Path, tokenizer: Mapping[str, Any], *, as_it_is: bool = False) -> Path:
    """A complete llama model of one layer with a vocabulary."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in {
        "block_count": 1,
        "context_length": 64,
        "embedding_length": 32,
        "feed_forward_length": 32,
        "attention.head_count": 2,
        "attention.head_count_kv": 2,
        "rope.dimension_count": 16,
    }.items():
        writer.add_uint32(f"llama.{key}", value)
    writer.add_layer_norm_rms_eps(1e-5)
    add_tokenizer(writer, tokenizer, as_it_is=as_it_is)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (len(tokenizer["tokens"]), 32), "output_norm": (32,)}
    shapes |= {f"blk.0.{norm}": (32,) for norm in ("attn_norm", "ffn_norm")}
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        shapes[f"blk.0.{name}"] = (32, 32)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
