"""Where tensors come from: the protocol of all readers, and what they share.

A source knows names, shapes and bytes; it knows nothing of heads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

SourceFormat = Literal["safetensors", "gguf", "memory"]


class FileAbsent(Exception):
    """A file of the checkpoint is not there; the readers turn it into a named problem."""


class TensorBroken(Exception):
    """A tensor's file is missing, truncated or corrupt; `verify` collects these."""


@runtime_checkable
class Source(Protocol):
    """A checkpoint, whatever holds it."""

    @property
    def id(self) -> str:
        """Hub id, or the file's or folder's name."""
        ...

    @property
    def revision(self) -> str | None:
        """The hub's commit, or None."""
        ...

    @property
    def format(self) -> SourceFormat:
        """What holds the tensors."""
        ...

    @property
    def config(self) -> Mapping[str, Any]:
        """The Hugging Face config (a GGUF header is translated into one)."""
        ...

    def names(self) -> Collection[str]:
        """Names of all tensors, as transformers spells them."""
        ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor. Raises TensorBroken where its file cannot be read."""
        ...

    def read(self, name: str, index: int | None = None) -> Tensor:
        """The tensor on the CPU in its stored dtype; quantised ones come as float32.

        With an index, only that entry of its first axis.
        """
        ...

    def raw(self, name: str) -> memoryview:
        """The stored bytes, for the digest."""
        ...


def tensor_bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor in its own dtype, row-major."""
    octets: Any = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    return memoryview(octets)
