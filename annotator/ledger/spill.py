"""Room beside the ledger for answers that it cannot take: a full disk, another program's lock.

A file of zeros is written and synced before the first request is sent, so that what comes back can
be written down even where nothing else can. An answer is a line of JSON in it, written over the
zeros and synced; whatever opens the ledger next takes them in. (On a file system that never writes
in place, such as btrfs or ZFS, the room is not sure to be there.)
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, select

from annotator.atomic_files import sync_folder
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.claims import LEASE_SECONDS
from annotator.ledger.inserting import record
from annotator.ledger.process_owner import at_work
from annotator.ledger.tables import ATTEMPTS

_BLOCK = 1_000_000
_CLOSED = -1


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
        binary = getattr(os, "O_BINARY", 0)  # Windows
        self._opened = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_EXCL | binary, 0o666)
        try:
            for start in range(0, room, _BLOCK):
                _write(self._opened, bytes(min(_BLOCK, room - start)), start)
            _write(self._opened, first, 0)
            os.fsync(self._opened)
            sync_folder(self.file.parent)
        except BaseException:
            self.close()
            raise

    def put(self, key: str, number: int, came: AttemptResult) -> None:
        """Write an answer down; it stays when this returns.

        Args:
            key: of the request.
            number: of the attempt.
            came: the answer.

        Raises:
            SpillFull: there is no room left.
            OSError: it cannot be written.
        """
        line = _line({"key": key, "number": number, "came": asdict(came)})
        with self._turn:
            if self._opened == _CLOSED or self._next + len(line) > self._room:
                raise SpillFull(f"{self.file} is full")
            _write(self._opened, line, self._next)
            os.fsync(self._opened)
            self._next += len(line)
            self.waiting += 1

    def taken(self) -> None:
        """The ledger has taken one of its answers."""
        with self._turn:
            self.waiting -= 1

    def renew(self) -> None:
        """Show those who cannot see its owner that it is in use."""
        with self._turn, suppress(OSError):
            os.utime(self.file)

    def close(self) -> None:
        """Let go of it; the file stays where the ledger has not taken all that is in it."""
        with self._turn:
            os.close(self._opened)
            self._opened = _CLOSED
            if not self.waiting:
                with suppress(OSError):
                    self.file.unlink()


def spills(ledger: Path) -> list[Path]:
    """The files beside a ledger, of whomever."""
    return sorted(ledger.parent.glob(f"{_escaped(ledger.name)}-spill-*"))


def waiting_beside(ledger: Path) -> int:
    """How many answers are in files beside a ledger; those that cannot be read are not counted."""
    count = 0
    for file in spills(ledger):
        with suppress(OSError):
            count += sum("came" in line for line in _lines(file))
    return count


def take_in(ledger: Path, writing: Callable[[], AbstractContextManager[Connection]]) -> list[Path]:
    """Record what others, or this process before, could not.

    Args:
        ledger: the database file.
        writing: begins a transaction.

    Returns:
        The files that stay although nobody will write into them any more: something in them is of
        another ledger, or they cannot be read.
    """
    stay: list[Path] = []
    for file in spills(ledger):
        with suppress(FileNotFoundError):  # another process has taken it in meanwhile
            try:
                left = _is_left(file)  # asked first: after that nothing is added
                lines = [line for line in _lines(file) if "came" in line]
                if not lines or _recorded(lines, writing):
                    if left:
                        file.unlink()
                elif left:
                    stay.append(file)
            except PermissionError:
                stay.append(file)
    return stay


def _recorded(
    lines: Sequence[Mapping[str, Any]], writing: Callable[[], AbstractContextManager[Connection]]
) -> bool:
    """Record answers one by one; whether all of them were of here."""
    foreign = 0
    with writing() as connection:
        for line in lines:
            try:
                with connection.begin_nested():
                    _record(connection, line)
            except (KeyError, TypeError, ValueError):
                foreign += 1
    return not foreign


def _record(connection: Connection, line: Mapping[str, Any]) -> None:
    this = ATTEMPTS.c.key == line["key"], ATTEMPTS.c.number == line["number"]
    attempt = connection.scalar(select(ATTEMPTS.c.id).where(*this))
    if attempt is None:
        raise ValueError(f"no attempt {line['number']} at {line['key']} was begun")
    record(connection, attempt, AttemptResult(**line["came"]))


def _is_left(file: Path) -> bool:
    """Whether nobody is at work any more who may write into a file."""
    owner = next(_lines(file), {}).get("owner")
    until = file.stat().st_mtime + LEASE_SECONDS
    return time.time() >= until if owner is None else not at_work(owner, until)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines that were written whole; one that a kill has cut is none."""
    with file.open("rb") as opened:
        for line in opened:
            if b"\0" in line or not line.endswith(b"\n"):
                break
            with suppress(ValueError):
                yield json.loads(line)


def _line(content: dict[str, Any]) -> bytes:
    return f"{json.dumps(content)}\n".encode("ascii")


def _write(opened: int, content: bytes, at: int) -> None:
    os.lseek(opened, at, os.SEEK_SET)
    while content:
        content = content[os.write(opened, content) :]


def _in_a_name(owner: str) -> str:
    return re.sub(r"[^\w.-]", "_", owner)[-120:]


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)
