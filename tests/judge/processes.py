"""Processes, as Linux shows them: which there are, and when they have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import PATIENCE


def until(true: Callable[[], bool]) -> None:
    given_up = time.monotonic() + PATIENCE
    while time.monotonic() < given_up:
        if true():
            return
        time.sleep(0.1)
    pytest.fail(f"it did not come about in {PATIENCE:g} seconds")


def gone(process: int) -> bool:
    """Whether it has ended, its parent told of it or not."""
    return _stat(process)[:1] in ([], ["Z"])


def children(process: int) -> list[int]:
    numbers = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [number for number in numbers if _stat(number)[1:2] == [str(process)]]


def servers_in(folder: Path) -> list[int]:
    """Processes of a Label Studio with that folder's data."""
    named = f"LABEL_STUDIO_BASE_DATA_DIR={folder / 'data'}\0".encode()
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if named in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _stat(process: int) -> list[str]:
    """State, parent and more; nothing where there is no such process."""
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return []
    return stat.rpartition(b")")[2].decode().split()
