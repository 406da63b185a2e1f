"""Reads GGUF: header, dequantisation, and what the format folds.

The header is parsed here because the `gguf` package's reader takes over two seconds on a
vocabulary of 49k (an array object per string); this takes a tenth. Block formats and dequantisation
are that package's. Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

An architecture is translated into the transformers config and tensor names of its model_type (the
table is `annotator.weights.gguf_architectures`), and what GGUF folds is undone, so that nothing
outside these two files knows which format it reads. Fused QKV is contiguous, as in transformers;
queries and keys may be permuted, values are not.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from annotator.errors import (
    CheckpointBroken,
    CheckpointRefused,
    CheckpointUnreadable,
    MissingExtra,
    UnknownFamily,
)
from annotator.weights.gguf_architectures import ARCHITECTURES
from annotator.weights.gguf_values import MOST_ENTRIES, Cursor, require_at_most

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_MOST_AXES = 4  # GGML_MAX_DIMS
_CORRUPT = (struct.error, LookupError, ArithmeticError, ValueError, TypeError, MemoryError)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor in the file. shape is row-major; bytes lie at [start, end)."""

    shape: tuple[int, ...]
    kind: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Named:
    """A tensor under its transformers name; see `Architecture` for what has to be undone."""

    stored: _Stored
    turned: bool
    plus_one: bool


class GgufFile:
    """A GGUF file; see `Source`.

    Attributes:
        path: the file.
        metadata: every key of the header, tokenizer included.

    Raises:
        CheckpointBroken: not GGUF, or truncated.
        CheckpointUnreadable: the system does not let us read it.
        CheckpointRefused: another version, a part of several, or settings that are not handled.
        UnknownFamily: an architecture without an entry.
        MissingExtra: the gguf package is not installed.
    """

    format: Literal["gguf"] = "gguf"
    revision: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        try:
            self._data = self._mapped(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise CheckpointUnreadable(str(path.parent), self.id, reason) from error
        try:
            self.metadata, self._stored = self._header()
        except _CORRUPT as error:
            problem = f"its header is truncated or corrupt ({error})"
            raise CheckpointBroken(self.id, [problem]) from error
        name = str(self.metadata.get("general.architecture"))
        if name not in ARCHITECTURES:
            raise UnknownFamily(self.id, f"{name} (GGUF)", [f"{a} (GGUF)" for a in ARCHITECTURES])
        self.architecture = ARCHITECTURES[name]
        self._refuse_unknown_settings(name)
        self._blocks = sorted({n.split(".")[1] for n in self._stored if n.startswith("blk.")})
        self._names = self._translate()
        self.config = self._config(name)

    def _mapped(self, path: Path) -> mmap.mmap:
        with path.open("rb") as file:
            if path.stat().st_size < len(MAGIC) or file.read(len(MAGIC)) != MAGIC:
                raise CheckpointBroken(self.id, ["it does not begin as a GGUF file"])
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _header(self) -> tuple[dict[str, Any], dict[str, _Stored]]:
        sizes = _block_sizes()
        cursor = Cursor(self._data)
        cursor.at = len(MAGIC)
        version = cursor.take("I")
        if version not in VERSIONS:
            reason = f"it is GGUF version {version}"
            raise CheckpointRefused(self.id, reason, "Convert it to version 3.")
        n_tensors, n_keys = cursor.take("Q"), cursor.take("Q")
        require_at_most("tensors", n_tensors, MOST_ENTRIES)
        require_at_most("keys", n_keys, MOST_ENTRIES)
        metadata: dict[str, Any] = {}
        for _ in range(n_keys):
            key = cursor.text()
            metadata[key] = cursor.value(cursor.take("I"))
        entries: list[tuple[str, tuple[int, ...], int, int]] = []
        for _ in range(n_tensors):
            name = cursor.text()
            n_axes: int = cursor.take("I")
            if n_axes > _MOST_AXES:
                raise ValueError(f"{name} has {n_axes} axes")
            shape = tuple(cursor.take("Q") for _ in range(n_axes))[::-1]
            entries.append((name, shape, cursor.take("I"), cursor.take("Q")))
        if metadata.get("split.count", 1) > 1:
            reason = f"it is one of {metadata['split.count']} parts"
            raise CheckpointRefused(self.id, reason, "Join them: llama-gguf-split --merge.")
        alignment = int(metadata.get("general.alignment", 32))
        base = -(-cursor.at // alignment) * alignment
        stored: dict[str, _Stored] = {}
        for name, shape, kind, offset in entries:
            if kind not in sizes:
                reason = f"{name} is stored as kind {kind}, which the gguf package does not know"
                raise CheckpointRefused(self.id, reason, "Try a newer one: pip install -U gguf.")
            block, size = sizes[kind]
            if prod(shape[-1:]) % block:
                raise ValueError(f"{name} has rows of {shape[-1]}, in blocks of {block}")
            start = base + offset
            stored[name] = _Stored(shape, kind, start, start + prod(shape) // block * size)
        self._refuse_truncation(stored, len(self._data))
        return metadata, stored

    def _refuse_truncation(self, stored: Mapping[str, _Stored], size: int) -> None:
        outside = [name for name, tensor in stored.items() if tensor.end > size]
        if outside:
            needed = max(tensor.end for tensor in stored.values())
            named = ", ".join(outside[:3]) + (", ..." if len(outside) > 3 else "")
            problems = [
                f"it is truncated: {size:,} bytes of {needed:,}",
                f"{len(outside)} of {len(stored)} tensors lie past its end: {named}",
            ]
            raise CheckpointBroken(self.id, problems)

    def _refuse_unknown_settings(self, name: str) -> None:
        known = {*self.architecture.config.values(), *self.architecture.inert}
        ours = [key for key in self.metadata if key.startswith(f"{name}.")]
        unknown = [key for key in ours if key.removeprefix(f"{name}.") not in known]
        if unknown:
            reason = "its header has settings that may change the map and are not handled: "
            remedy = "Map the safetensors checkpoint it was made from."
            raise CheckpointRefused(self.id, reason + ", ".join(unknown), remedy)

    def _translate(self) -> dict[str, _Named]:
        """The tensors the file has, by their transformers names."""
        ours, known = self.architecture, set[str]()
        named: dict[str, _Named] = {}
        for theirs, pattern in ours.tensors.items():
            for layer in self._blocks if "{layer}" in theirs else ("",):
                for part in ("",) if theirs.endswith(".weight") else (".weight", ".bias"):
                    gguf_name = pattern.format(layer=layer) + part
                    if gguf_name in self._stored:
                        known.add(gguf_name)
                        named[theirs.format(layer=layer) + part] = _Named(
                            self._stored[gguf_name],
                            turned=theirs in ours.turned,
                            plus_one=theirs in ours.plus_one,
                        )
        self._refuse_unknown_parts(known)
        return named

    def _refuse_unknown_parts(self, known: Collection[str]) -> None:
        """A bias or a scale that llama.cpp would apply to one of our matrices, and we would not."""
        stems = {name.rpartition(".")[0] for name in known}
        beside = {name for name in self._stored if name.rpartition(".")[0] in stems}
        if unknown := sorted(beside.difference(known)):
            reason = "it has tensors that change the map and are not handled: "
            remedy = "Map the safetensors checkpoint it was made from."
            raise CheckpointRefused(self.id, reason + ", ".join(unknown), remedy)

    def _config(self, name: str) -> dict[str, Any]:
        ours = self.architecture
        config: dict[str, Any] = {"model_type": ours.model_type, **ours.constants}
        for key, gguf_key in ours.config.items():
            if f"{name}.{gguf_key}" in self.metadata:
                config[key] = self.metadata[f"{name}.{gguf_key}"]
        said: Any = self.metadata.get(f"{name}.block_count")
        if isinstance(said, int) and said > len(self._blocks):
            raise CheckpointBroken(
                self.id, [f"its header says {said} blocks, it has {len(self._blocks)}"]
            )
        config |= {k: any(name in self._stored for name in n) for k, n in ours.flags.items()}
        # The format's own rule: a file without an output matrix ties it to the embedding.
        config["tie_word_embeddings"] = "output.weight" not in self._stored
        if "token_embd.weight" in self._stored:
            config["vocab_size"] = self._stored["token_embd.weight"].shape[0]
        return config

    def names(self) -> Collection[str]:
        return self._names.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        named = self._names[name]
        return named.stored.shape[::-1] if named.turned else named.stored.shape

    def read(self, name: str, index: int | None = None) -> Tensor:
        named = self._names[name]
        tensor = self._dequantised(named.stored, name)
        if named.turned:
            tensor = tensor.permute(*reversed(range(tensor.ndim))).contiguous()
        if named.plus_one:
            tensor = tensor.to(torch.promote_types(tensor.dtype, torch.float32)) - 1
        return tensor if index is None else tensor[index]

    def stored_names(self) -> Collection[str]:
        """Names of all tensors, as GGUF spells them, those included that no map needs."""
        return self._stored.keys()

    def stored(self, name: str) -> Tensor:
        """A tensor under its GGUF name, dequantised; nothing that GGUF folds is undone."""
        return self._dequantised(self._stored[name], name)

    def _dequantised(self, stored: _Stored, name: str) -> Tensor:
        from gguf import GGMLQuantizationType, dequantize

        kind = GGMLQuantizationType(stored.kind)
        data = np.frombuffer(memoryview(self._data)[stored.start : stored.end], dtype=np.uint8)
        plain = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
        if kind.name in plain:
            return torch.from_numpy(data.view(plain[kind.name]).reshape(stored.shape).copy())
        rows = data.reshape(*stored.shape[:-1], -1)
        try:
            return torch.from_numpy(dequantize(rows, kind).reshape(stored.shape))
        except NotImplementedError as error:
            reason = f"{name} is stored as {kind.name}, which the gguf package does not dequantise"
            raise CheckpointRefused(self.id, reason, "Convert it to F16 or Q8_0.") from error

    def raw(self, name: str) -> memoryview:
        stored = self._names[name].stored
        return memoryview(self._data)[stored.start : stored.end]


def _block_sizes() -> Mapping[int, tuple[int, int]]:
    """GGUF tensor kind -> (elements, bytes) of one block."""
    try:
        from gguf import GGML_QUANT_SIZES
    except ImportError as error:
        raise MissingExtra("reading a GGUF file", "pip install gguf") from error
    return {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}
