"""Who is at a request: an open ledger of a process on a machine, and whether it still is.

An owner is written `host:process:start:number`. The start tells a process from a later one that
was given the same number by the system; it is empty where the system does not tell it. The last
number tells the ledgers of one process apart, so that what a closed one left can be taken up.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from pathlib import Path

_UNTOLD = ""
_OPEN: set[str] = set()
_NUMBERS = itertools.count(1)


def enter() -> str:
    """A new owner of this process; it is at work until it leaves."""
    process = os.getpid()
    owner = f"{socket.gethostname()}:{process}:{_start_of(process)}:{next(_NUMBERS)}"
    _OPEN.add(owner)
    return owner


def leave(owner: str) -> None:
    """It is no longer at work."""
    _OPEN.discard(owner)


def at_work(owner: str, until: float) -> bool:
    """Whether an owner may still be at work.

    Args:
        owner: as `enter` wrote it.
        until: when it is given up where that cannot be seen: on another machine, and on Windows,
            where asking after a process can end it. Seconds since 1970.
    """
    host, process, start, _ = owner.rsplit(":", 3)
    if host == socket.gethostname() and int(process) == os.getpid():
        return owner in _OPEN
    if host != socket.gethostname() or os.name == "nt":
        return time.time() < until
    now = _start_of(int(process))
    return now is not None and (_UNTOLD in (now, start) or now == start)


def _start_of(process: int) -> str | None:
    """When a process started, in its system's own count; None where it has ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:  # no such process, or a system that does not show it
        return _UNTOLD if _exists(process) else None
    state, *rest = stat.rpartition(b")")[2].split()  # the name before it may hold anything
    return None if state in (b"Z", b"X") else rest[18].decode()


def _exists(process: int) -> bool:
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
