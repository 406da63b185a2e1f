"""Room beside the ledger for answers that it cannot take: a full disk, another program's lock.

A file of zeros is written and synced before the first request is sent, so that what comes back can
be written down even where nothing else can. An answer is a line of JSON in it, written over the
zeros and synced; whatever opens the ledger next reads them in. (On a file system that never writes
in place, such as btrfs or ZFS, the room is not sure to be there.)
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from annotator.atomic_files import sync_folder
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.claims import LEASE_SECONDS
from annotator.ledger.process_owner import at_work

_BLOCK = 1_000_000


class SpillFull(OSError):
    """An answer does not fit any more."""


class Spill:
    """The room of one ledger that is open.

    Args:
        ledger: the database file; the room is a file beside it.
        owner: whose; see `annotator.ledger.process_owner`.
        room: bytes.

    Attributes:
        file: where it is.
        waiting: how many answers are in it that the ledger has not taken since.

    Raises:
        OSError: there is no such room.
    """

    def __init__(self, ledger: Path, owner: str, room: int) -> None:
        self.file = ledger.with_name(f"{ledger.name}-spill-{_in_a_name(owner)}")
        self.waiting = 0
        self._room, self._turn = room, Lock()
        first = _line({"owner": owner})
        self._next = len(first)
        self._opened = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for start in range(0, room, _BLOCK):
                _write(self._opened, bytes(min(_BLOCK, room - start)), start)
            _write(self._opened, first, 0)
            os.fsync(self._opened)
            sync_folder(self.file.parent)
        except BaseException:
            self.close()
            raise

    def put(self, attempt: int, came: AttemptResult) -> None:
        """Write an answer down; it stays when this returns.

        Raises:
            SpillFull: there is no room left.
            OSError: it cannot be written.
        """
        line = _line({"attempt": attempt, "came": asdict(came)})
        with self._turn:
            if self._next + len(line) > self._room:
                raise SpillFull(f"{self.file} is full")
            _write(self._opened, line, self._next)
            os.fsync(self._opened)
            self._next += len(line)
            self.waiting += 1

    def taken(self) -> None:
        """The ledger has taken one of its answers."""
        with self._turn:
            self.waiting -= 1

    def close(self) -> None:
        """Let go of it; the file stays where the ledger has not taken all that is in it."""
        os.close(self._opened)
        if not self.waiting:
            with suppress(OSError):
                self.file.unlink()


def spills(ledger: Path) -> list[Path]:
    """The files beside a ledger, of whomever."""
    return sorted(ledger.parent.glob(f"{_escaped(ledger.name)}-spill-*"))


def read_spill(file: Path) -> list[tuple[int, AttemptResult]]:
    """The answers in a file, each with its attempt; a line that was cut by a kill is none."""
    return [
        (line["attempt"], AttemptResult(**line["came"]))
        for line in _lines(file)
        if "attempt" in line
    ]


def is_left(file: Path) -> bool:
    """Whether nobody is at work any more who may write into a file."""
    owner = next(_lines(file), {}).get("owner")
    until = file.stat().st_mtime + LEASE_SECONDS
    return time.time() >= until if owner is None else not at_work(owner, until)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    whole, _, _ = file.read_bytes().partition(b"\0")
    for line in whole.splitlines(keepends=True):
        if line.endswith(b"\n"):
            with suppress(ValueError):
                yield json.loads(line)


def _line(content: dict[str, Any]) -> bytes:
    return f"{json.dumps(content)}\n".encode("ascii")


def _write(opened: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(opened, content, at)
        content, at = content[written:], at + written


def _in_a_name(owner: str) -> str:
    return re.sub(r"[^\w.-]", "_", owner)[-120:]


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)
