"""Safetensors checkpoints in the Hugging Face layout, local or fetched file by file from the hub.

The only file that knows the layout's file names. A shard is opened when the first of its tensors
is asked for, so only shards that hold needed tensors are ever touched (or downloaded).
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from safetensors import SafetensorError, safe_open
from torch import Tensor

from annotator.errors import (
    CheckpointBroken,
    CheckpointRefused,
    CheckpointUnreadable,
    ModelNotFound,
)
from annotator.json_file import JsonInvalid, JsonUnreadable, read_json
from annotator.weights.source import FileAbsent, TensorBroken, tensor_bytes

CONFIG = "config.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")

_NAME = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]+")  # of a file in the checkpoint itself
_PICKLED = "it holds only pickled weights (pytorch_model*.bin), which can run code"
_CONVERT = (
    'Convert it once: python -c "from transformers import AutoModelForCausalLM as M; '
    "M.from_pretrained('{id}').save_pretrained('converted')\", then map the folder converted, with "
    "the tokenizer's files copied into it."
)

Fetch = Callable[[str], Path]
Has = Callable[[str], bool]


class Checkpoint:
    """A folder or repository of safetensors; see `Source`.

    Args:
        id: the folder's name or hub id.
        revision: the hub's commit, or None.
        fetch: gives the local path of a file of the checkpoint, or raises FileAbsent.
        has: whether the checkpoint has a file, without getting it.
    """

    format: Literal["safetensors"] = "safetensors"

    def __init__(self, id: str, revision: str | None, fetch: Fetch, has: Has) -> None:
        self.id = id
        self.revision = revision
        self.fetch = fetch
        self._has = has
        try:
            self.config = _object(fetch(CONFIG), id)
        except FileAbsent as absent:
            raise ModelNotFound(id, f"it has no {CONFIG}") from absent
        self._shards: dict[str, Mapping[str, tuple[int, ...]]] = {}

    @cached_property
    def _shard_of(self) -> Mapping[str, str]:
        """Tensor name -> file name."""
        try:
            weight_map = _object(self.fetch(INDEX), self.id).get("weight_map")
        except FileAbsent:
            return self._single()
        if not isinstance(weight_map, dict):
            raise CheckpointBroken(self.id, [f"{INDEX} has no weight_map"])
        shards: dict[str, Any] = weight_map  # pyright: ignore[reportUnknownVariableType]
        if not all(isinstance(shard, str) for shard in shards.values()):
            raise CheckpointBroken(self.id, [f"{INDEX} names files that are no names"])
        if elsewhere := sorted({shard for shard in shards.values() if not _NAME.fullmatch(shard)}):
            named = ", ".join(f"{shard!r:.80}" for shard in elsewhere[:3])
            raise CheckpointBroken(self.id, [f"{INDEX} names files of other folders: {named}"])
        return shards

    def _single(self) -> Mapping[str, str]:
        try:
            return dict.fromkeys(self._shapes(SINGLE), SINGLE)
        except TensorBroken as broken:
            if not self._has(SINGLE) and any(self._has(pickle) for pickle in PICKLES):
                where = self.id if self.revision else self.fetch(CONFIG).parent
                raise CheckpointRefused(self.id, _PICKLED, _CONVERT.format(id=where)) from broken
            raise CheckpointBroken(self.id, [str(broken)]) from broken

    def _shapes(self, shard: str) -> Mapping[str, tuple[int, ...]]:
        if shard not in self._shards:
            with self._open(shard) as handle:
                self._shards[shard] = {
                    name: tuple(handle.get_slice(name).get_shape())
                    for name in handle.keys()  # noqa: SIM118  (a handle is no mapping)
                }
        return self._shards[shard]

    def _open(self, shard: str) -> safe_open:
        try:
            return safe_open(str(self.fetch(shard)), framework="pt")
        except FileAbsent as absent:
            raise TensorBroken(f"{shard} is missing") from absent
        except SafetensorError as error:
            raise TensorBroken(f"{shard} is truncated or corrupt ({error})") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise CheckpointUnreadable(self.id, shard, reason) from error

    def names(self) -> Collection[str]:
        return self._shard_of.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        shard = self._shard_of[name]
        try:
            return self._shapes(shard)[name]
        except KeyError as error:
            raise TensorBroken(f"{shard} lacks {name}, which the index promises") from error

    def read(self, name: str, index: int | None = None) -> Tensor:
        # The file is opened anew for each tensor: a handle kept open keeps every page it has
        # mapped resident, and memory would grow with the model's depth.
        with self._open(self._shard_of[name]) as handle, _uninterrupted():
            if index is None:
                return handle.get_tensor(name)
            return handle.get_slice(name)[index]

    def raw(self, name: str) -> memoryview:
        return tensor_bytes(self.read(name))


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Ctrl-C, and whatever else ends a run in order, waits for the end of the block.

    In the middle of safetensors' making of a tensor torch takes it for a ValueError about the
    storage's shape, and a stopped run would end as a broken one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {one: signal.getsignal(one) for one in signal.valid_signals()}
    previous = {one: handler for one, handler in handlers.items() if callable(handler)}
    caught: list[tuple[int, FrameType | None]] = []
    for one in previous:
        signal.signal(one, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        for one, handler in previous.items():
            signal.signal(one, handler)
        for number, frame in caught[:1]:
            previous[signal.Signals(number)](number, frame)


def open_folder(folder: Path) -> Checkpoint:
    """Open a local folder.

    Raises:
        ModelNotFound: it has no config.json.
        CheckpointBroken: config.json cannot be read.
    """

    def fetch(file: str) -> Path:
        if not has(file):
            raise FileAbsent(file)
        return folder / file

    def has(file: str) -> bool:
        return (folder / file).is_file()

    others = sorted(path.name for path in folder.glob("*.gguf"))
    if others and not has(CONFIG):
        raise ModelNotFound(str(folder), f"it has no {CONFIG}; map {others[0]} in it by its path")
    return Checkpoint(folder.resolve().name, None, fetch, has)


def _object(path: Path, model: str) -> Mapping[str, Any]:
    """A JSON object from a file.

    Raises:
        CheckpointBroken: not JSON, or not an object.
        CheckpointUnreadable: the system does not let us read it.
    """
    try:
        return read_json(path, dict[str, Any])
    except JsonUnreadable as error:
        raise CheckpointUnreadable(model, path.name, str(error)) from error
    except JsonInvalid as error:
        raise CheckpointBroken(model, [f"{path.name} cannot be read: {error}"]) from error
