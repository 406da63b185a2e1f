"""Ctrl-C while a tensor is read is Ctrl-C, whatever library it meets."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from annotator.weights.checkpoint import Checkpoint, open_folder


class Handle:
    """A safetensors handle that meets Ctrl-C where torch takes it for a bad shape."""

    def get_tensor(self, name: str) -> torch.Tensor:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass
        except KeyboardInterrupt as stopped:
            raise ValueError("could not determine the shape of object type") from stopped
        return torch.zeros(1)


def test_ctrl_c_while_reading(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_folder(tiny_folder)
    name = next(iter(source.names()))
    monkeypatch.setattr(Checkpoint, "_open", lambda self, shard: nullcontext(Handle()))
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        source.read(name)
    assert signal.getsignal(signal.SIGINT) is handler
